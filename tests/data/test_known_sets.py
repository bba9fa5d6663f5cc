"""Tables of anybody, and those of known sets, in small folders of their layout."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.data.conftest import dicom

from pneumoscope.cli.main import main
from pneumoscope.data.scan import ScanOptions, scan
from pneumoscope.data.sources.registry import SOURCES, find_source
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.data.conftest import Draw

    from pneumoscope.data.manifest import FilmRow, Manifest


def by_name(manifest: Manifest) -> dict[str, FilmRow]:
    return {film.path.rpartition("/")[2]: film for film in manifest.films}


ROWS = [("path", "label", "patient"), ("train/a.png", "normal", "1"), ("train/b.png", "viral", "2")]


def text(separator: str = ",", rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    return "".join(separator.join(row) + "\r\n" for row in rows)


@pytest.mark.parametrize(
    "written",
    [
        text(";").encode(),
        text("\t").encode(),
        text("|").encode(),
        text().encode("utf-8-sig"),
        text().encode("utf-16"),
        text("\t").encode("utf-16-le"),
        text(rows=[*ROWS[:2], ("train/b.png", "viral", "Müller")]).encode("latin-1"),
        ("sep=;\r\n" + text(";")).encode(),
        text(rows=[("", *ROWS[0]), ("0", *ROWS[1]), ("1", *ROWS[2])]).encode(),
        text(rows=[ROWS[0], ("1", *ROWS[1]), ("2", *ROWS[2])]).encode(),  # row names without a header, as R writes them
        text(rows=[(*ROWS[0], "remark"), (*ROWS[1], '"a ""note""\r\nof two lines, quoted"'), (*ROWS[2], "")]).encode(),
        text(rows=[ROWS[0], ("train\\a.png", "normal", "1"), ("train\\b.png", "viral", "2")]).encode(),
        text(
            rows=[ROWS[0], ("C:\\films\\set\\train\\a.png", "normal", "1"), ("D:/x/train/b.png", "viral", "2")]
        ).encode(),
        text(
            rows=[ROWS[0], ("/home/other/set/train/a.png", "normal", "1"), ("../x/train/b.png", "viral", "2")]
        ).encode(),
        text(rows=[ROWS[0], ("a", "normal", "1"), ("b", "viral", "2")]).encode(),
        text(rows=[ROWS[0], ("A.PNG", "normal", "1"), ("b.png", "viral", "2")]).encode(),
    ],
)
def test_a_table_however_it_was_written(tmp_path: Path, draw: Draw, written: bytes) -> None:
    draw(tmp_path / "train" / "a.png")
    draw(tmp_path / "train" / "b.png")
    (tmp_path / "t.csv").write_bytes(written)
    found = scan(tmp_path / "t.csv")
    assert [(film.path, film.label) for film in found.films] == [("train/a.png", "normal"), ("train/b.png", "viral")]
    assert len(found.patients) == 2
    assert found.patient_sources == {"table": 2}


def test_an_excel_table(tmp_path: Path, draw: Draw) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    draw(tmp_path / "train" / "a.png")
    draw(tmp_path / "train" / "b.png")
    book = openpyxl.Workbook()
    book.create_sheet("films", 0)
    for row in [("path", "label", "patient"), ("train/a.png", "normal", 1), ("train/b.png", "viral", 2.0)]:
        book.worksheets[0].append(row)
    book.save(tmp_path / "t.xlsx")
    assert [film.patient for film in scan(tmp_path).films] == ["1", "2"]


def test_a_spreadsheet_under_another_name_and_a_text_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(DatasetError, match="spreadsheet"):
        scan(tmp_path / "t.csv")


def test_a_name_that_several_films_have_is_not_guessed(tmp_path: Path, draw: Draw) -> None:
    for place in ("one/a.png", "two/a.png", "one/b.png", "one/c.png"):
        draw(tmp_path / place)
    (tmp_path / "t.csv").write_text("path,label\na.png,normal\nb.png,viral\n/far/two/a.png,normal\nc.png,normal\n")
    found = scan(tmp_path / "t.csv")
    assert {film.path for film in found.films} == {"one/b.png", "two/a.png", "one/c.png"}
    assert [path for path, _ in found.problems] == ["a.png"]


def test_nih(tmp_path: Path, draw: Draw) -> None:
    lines = [
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],",
        "00000013_005.png,Pneumonia|Infiltration,5,13,060Y,M,AP,2048,2500,0.168,0.168,",
        "00000013_006.png,No Finding,6,13,61,M,PA,2048,2500,0.168,0.168,",
        "00000014_000.png,Cardiomegaly|Emphysema,0,14,411,F,PA,2048,2500,0.168,0.168,",
        "00000015_000.png,No Finding,0,15,40,F,PA,2048,2500,0.168,0.168,",
    ]
    (tmp_path / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000013_005.png,Pneumonia,256,512,102.4,204.8,,,\n"
        "00000013_005.png,Infiltrate,1,1,2,2,,,\n"
    )
    (tmp_path / "test_list.txt").write_text("00000014_000.png\n")
    for name in ("00000013_005", "00000013_006", "00000014_000"):
        draw(tmp_path / "images_001" / "images" / f"{name}.png")
    found = scan(tmp_path)
    assert {film.source for film in found.films} == {"nih"}
    film = by_name(found)["00000013_005.png"]
    assert (film.label, film.patient, film.age, film.sex, film.view) == ("pneumonia", "13", "060Y", "M", "AP")
    assert film.boxes == "0.2500 0.5000 0.1000 0.2000"
    other = by_name(found)["00000014_000.png"]
    assert (other.label, other.age, other.part) == ("no pneumonia", None, "test")
    assert found.positive == (False, False, True)
    assert any("1 rows" in note for note in found.notes)
    kept = scan(tmp_path, options=ScanOptions(labels={"cardiomegaly": "cardiomegaly", "infiltration": ""}))
    assert by_name(kept)["00000014_000.png"].label == "cardiomegaly"
    assert "00000013_005.png" not in by_name(kept)
    assert scan(tmp_path, labels="binary").counts() == {"no pneumonia": 2, "pneumonia": 1}


@pytest.mark.parametrize("suffix", [".dcm", ".png"])
def test_rsna(tmp_path: Path, draw: Draw, suffix: str) -> None:
    names = [f"{number:08x}-aaaa" for number in range(3)]
    for number, name in enumerate(names):
        place = tmp_path / "stage_2_train_images" / f"{name}{suffix}"
        if suffix == ".dcm":
            dicom(place, number, name, PatientAge="051Y", PatientSex="F", ViewPosition="AP")
        else:
            draw(place)
    (tmp_path / "stage_2_train_labels.csv").write_text(
        "patientId,x,y,width,height,Target\n"
        f"{names[0]},264.0,152.0,213.0,379.0,1\n{names[0]},562.0,152.0,256.0,453.0,1\n"
        f"{names[1]},,,,,0\n{names[2]},,,,,0\n"
    )
    (tmp_path / "stage_2_detailed_class_info.csv").write_text(
        f"patientId,class\n{names[0]},Lung Opacity\n{names[0]},Lung Opacity\n"
        f"{names[1]},No Lung Opacity / Not Normal\n"
        f"{names[2]},Normal\n"
    )
    found = scan(tmp_path)
    films = by_name(found)
    assert [films[f"{name}{suffix}"].label for name in names] == ["opacity", "no pneumonia", "normal"]
    assert len((films[f"{names[0]}{suffix}"].boxes or "").split(";")) == 2
    assert films[f"{names[0]}{suffix}"].boxes is not None
    assert (films[f"{names[0]}{suffix}"].boxes or "").startswith("0.2578 0.1484 0.2080")
    assert found.positive == (False, False, True)
    if suffix == ".dcm":
        assert (films[f"{names[0]}{suffix}"].sex, films[f"{names[0]}{suffix}"].view) == ("F", "AP")
    (tmp_path / "stage_2_detailed_class_info.csv").unlink()
    assert scan(tmp_path).counts() == {"no pneumonia": 2, "opacity": 1}


def test_chexpert(tmp_path: Path, draw: Draw) -> None:
    head = (
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,"
        "Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,"
        "Support Devices\n"
    )
    rows = {
        "train/patient00001/study1/view1_frontal.jpg": "Female,68,Frontal,AP,,,,1.0,,,,1.0,,,,,,",
        "train/patient00001/study2/view1_frontal.jpg": "Female,68,Frontal,PA,1.0,,,,,,,,,,,,,1.0",
        "train/patient00002/study1/view1_frontal.jpg": "Male,40,Frontal,AP,,,,,,,,-1.0,,,,,,",
        "train/patient00003/study1/view1_frontal.jpg": "Male,90,Frontal,AP,,,1.0,,,,,0.0,,,,,,",
        "train/patient00003/study1/view2_lateral.jpg": "Male,90,Lateral,,,,1.0,,,,,0.0,,,,,,",
    }
    table = head + "".join(f"CheXpert-v1.0-small/{path},{cells}\n" for path, cells in rows.items())
    (tmp_path / "train.csv").write_text(table)
    for path in rows:
        draw(tmp_path / path)
    found = scan(tmp_path)
    assert found.counts() == {"no finding": 1, "no pneumonia": 2, "pneumonia": 1}
    assert found.patients == ("patient00001", "patient00003")
    film = next(film for film in found.films if film.path.endswith("patient00001/study1/view1_frontal.jpg"))
    assert (film.age, film.sex, film.view, film.part) == ("68", "Female", "AP", "train")
    assert any("side view" in note for note in found.notes)
    assert scan(tmp_path, options=ScanOptions(uncertain="positive")).counts()["pneumonia"] == 2
    assert scan(tmp_path, options=ScanOptions(uncertain="negative")).counts()["no pneumonia"] == 3


def test_mimic(tmp_path: Path, draw: Draw) -> None:
    for name, patient, study in (("aa-1", "10000032", "50414267"), ("aa-2", "10000032", "50414268"), ("b", "11", "7")):
        draw(tmp_path / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study}" / f"{name}.jpg")
    (tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz").write_bytes(
        gzip.compress(
            b"subject_id,study_id,Atelectasis,No Finding,Pneumonia\n10000032,50414267,,1.0,\n10000032,50414268,,,1.0\n"
            b"11,7,,,-1.0\n"
        )
    )
    (tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz").write_bytes(
        gzip.compress(
            b"dicom_id,subject_id,study_id,ViewPosition\naa-1,10000032,50414267,PA\naa-2,10000032,50414268,AP\nb,11,7,AP\n"
        )
    )
    (tmp_path / "mimic-cxr-2.0.0-split.csv").write_text(
        "dicom_id,study_id,subject_id,split\naa-1,50414267,10000032,train\naa-2,50414268,10000032,validate\nb,7,11,test\n"
    )
    found = scan(tmp_path)
    assert found.counts() == {"no finding": 1, "pneumonia": 1}
    assert [(film.patient, film.view, film.part) for film in found.films] == [
        ("p10000032", "PA", "train"),
        ("p10000032", "AP", "val"),
    ]
    assert len(scan(tmp_path, options=ScanOptions(uncertain="positive"))) == 3


def test_vindr_and_pedicxr(tmp_path: Path) -> None:
    for number, name in enumerate(("aa", "bb", "cc")):
        dicom(tmp_path / "train" / f"{name}.dicom", number)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "annotations_train.csv").write_text(
        "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\naa,R1,Consolidation,12,10,24,30\naa,R2,No finding,,,,\n"
        "bb,R1,No finding,,,,\n"
    )
    labels = "image_id,rad_id,Pleural effusion,Pneumonia,Other disease,No finding\n"
    labels += "".join(f"aa,{rad},0,{pneumonia},0,0\n" for rad, pneumonia in (("R1", 1), ("R2", 1), ("R3", 0)))
    labels += "".join(f"bb,{rad},0,0,0,1\n" for rad in ("R1", "R2", "R3"))
    labels += "cc,R1,1,0,0,0\ncc,R2,1,0,0,0\ncc,R3,0,1,0,0\n"
    (tmp_path / "annotations" / "image_labels_train.csv").write_text(labels)
    found = scan(tmp_path)
    films = by_name(found)
    assert [films[f"{name}.dicom"].label for name in ("aa", "bb", "cc")] == ["pneumonia", "no finding", "no pneumonia"]
    assert films["aa.dicom"].boxes == "0.2500 0.2500 0.2500 0.5000"  # of 48 x 40 pixels
    assert films["aa.dicom"].part == "train"
    children = labels.replace("Pneumonia,Other disease", "Brocho-pneumonia,Pneumonia").replace(",0,0\n", ",0,0\n")
    (tmp_path / "annotations" / "image_labels_train.csv").write_text(children)
    assert by_name(scan(tmp_path))["aa.dicom"].label == "pneumonia"


def test_padchest(tmp_path: Path, draw: Draw) -> None:
    head = ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,Labels\n"
    rows = [
        "0,1111_a.png,0,20140915,s1,p1,1930.0,F,PA,\"['pneumonia', 'infiltrates']\"",
        "1,1111_b.png,0,20140915,s1,p1,1930.0,F,L,\"['pneumonia', 'infiltrates']\"",
        "2,2222_c.png,1,20150915,s2,p2,1990.0,M,AP,['normal']",
        "3,3333_d.png,1,20150915,s3,p3,1991.0,M,PA,\"['cardiomegaly', 'unchanged']\"",
        "4,4444_e.png,1,20150915,s4,p4,1991.0,M,PA,['exclude']",
    ]
    (tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv").write_text(head + "\n".join(rows) + "\n")
    for place in ("0/1111_a.png", "0/1111_b.png", "1/2222_c.png", "1/3333_d.png", "1/4444_e.png"):
        draw(tmp_path / place)
    found = scan(tmp_path)
    assert found.counts() == {"no pneumonia": 1, "normal": 1, "pneumonia": 2}
    film = by_name(found)["1111_a.png"]
    assert (film.patient, film.age, film.sex, film.view) == ("p1", "84", "F", "PA")


def test_coronahack(tmp_path: Path, draw: Draw) -> None:
    rows = [
        ",X_ray_image_name,Label,Dataset_type,Label_2_Virus_category,Label_1_Virus_category",
        "0,IM-0128-0001.jpeg,Normal,TRAIN,,",
        "1,person1_bacteria_1.jpeg,Pnemonia,TRAIN,,bacteria",
        "2,person2_virus_2.jpeg,Pnemonia,TEST,,Virus",
        "3,1-s2.jpg,Pnemonia,TRAIN,COVID-19,Virus",
    ]
    (tmp_path / "Chest_xray_Corona_Metadata.csv").write_text("\n".join(rows) + "\n")
    inner = tmp_path / "Coronahack-Chest-XRay-Dataset" / "Coronahack-Chest-XRay-Dataset"
    for place in ("train/IM-0128-0001.jpeg", "train/person1_bacteria_1.jpeg", "test/person2_virus_2.jpeg"):
        draw(inner / place)
    draw(inner / "train" / "1-s2.jpg")
    found = scan(tmp_path)
    assert found.counts() == {"normal": 1, "bacterial": 1, "viral": 1, "covid-19": 1}
    film = by_name(found)["person2_virus_2.jpeg"]
    assert (film.part, film.patient, film.source) == ("test", "person2", "coronahack")


def test_cohen(tmp_path: Path, draw: Draw) -> None:
    rows = [
        "patientid,offset,sex,age,finding,view,modality,date,location,folder,filename",
        '2,0,M,65,Pneumonia/Viral/COVID-19,PA,X-ray,,"Hanoi, Vietnam",images,a.jpg',
        "2,5,M,65,Pneumonia/Viral/COVID-19,Axial,CT,,x,images,ct.jpg",
        "3,0,F,31,Pneumonia/Bacterial/Streptococcus,AP,X-ray,,x,images,b.jpg",
        "4,0,F,31,No Finding,PA,X-ray,,x,images,c.jpg",
        "5,0,F,31,todo,PA,X-ray,,x,images,d.jpg",
        "6,0,F,31,Pneumonia/Viral/Influenza,PA,X-ray,,x,images,e.jpg",
        "7,0,F,31,Pneumonia/Lipoid,PA,X-ray,,x,images,f.jpg",
    ]
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n")
    for name in ("a", "ct", "b", "c", "d", "e", "f"):
        draw(tmp_path / "images" / f"{name}.jpg")
    found = scan(tmp_path)
    labels = {name: film.label for name, film in by_name(found).items()}
    assert labels == {
        "a.jpg": "covid-19",
        "b.jpg": "bacterial",
        "c.jpg": "no finding",
        "e.jpg": "viral",
        "f.jpg": "pneumonia",
    }
    assert by_name(found)["a.jpg"].patient == "2"


def test_covid_radiography(tmp_path: Path, draw: Draw) -> None:
    for label in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        draw(tmp_path / "COVID-19_Radiography_Dataset" / label / "images" / f"{label}-1.png")
        draw(tmp_path / "COVID-19_Radiography_Dataset" / label / "masks" / f"{label}-1.png")
    found = scan(tmp_path)
    assert found.classes == ("normal", "viral", "covid-19", "opacity")
    assert {film.source for film in found.films} == {"covid-radiography"}
    assert found.patient_sources == {"none": 4}


def test_one_hot(tmp_path: Path, draw: Draw) -> None:
    for name in "abcd":
        draw(tmp_path / f"{name}.png")
    (tmp_path / "t.csv").write_text(
        "image,patient_id,normal,bacterial,viral\na.png,1,1,0,0\nb.png,2,0,1,0\nc.png,3,0,0,1\nd.png,4,0,0,0\n"
    )
    found = scan(tmp_path)
    assert found.counts() == {"normal": 1, "bacterial": 1, "viral": 1}
    (tmp_path / "t.csv").write_text("image,Pneumonia\na.png,1\nb.png,0\nc.png,0\nd.png,-1\n")
    assert scan(tmp_path).counts() == {"no pneumonia": 2, "pneumonia": 1}


def test_chestmnist(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    labels = np.zeros((4, 14), np.uint8)
    labels[1, 6], labels[2, 0] = 1, 1
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays |= {f"{part}_images": rng.integers(0, 256, (4, 28, 28)).astype(np.uint8), f"{part}_labels": labels}
    np.savez(tmp_path / "chestmnist_28.npz", **arrays)
    assert scan(tmp_path).counts() == {"no finding": 6, "no pneumonia": 3, "pneumonia": 3}


def test_the_sources_are_listed_with_their_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sources"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert all(source.name in told and source.needs.split()[0] in told for source in SOURCES)
    assert len({source.name for source in SOURCES}) == len(SOURCES)


def test_a_known_set_can_be_taken_as_a_plain_table(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "t.csv").write_text("Image Index,Finding Labels,Patient ID\na.png,No Finding,1\nb.png,Mass|Edema,2\n")
    draw(tmp_path / "a.png")
    draw(tmp_path / "b.png")
    assert find_source(tmp_path).name == "nih"
    assert "mass|edema" in scan(tmp_path, source="table").classes
