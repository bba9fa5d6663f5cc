"""Patients, classes and passengers, as they lie on people's disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.data.conftest import dicom

from pneumoscope.cli.main import main
from pneumoscope.data.labels import ClassNames, canonical_label, leaf_classes
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.scan import ScanOptions, scan
from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.dataset import evaluation_films

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.conftest import Draw


def dicom_set(root: Path, patients: list[tuple[str, str]]) -> Path:
    for number, (patient, issuer) in enumerate(patients):
        dicom(root / ("NORMAL" if number % 2 else "PNEUMONIA") / f"f{number}.dcm", number, patient, issuer)
    return root


def test_the_patients_of_dicom_films_are_hashed(tmp_path: Path) -> None:
    found = scan(dicom_set(tmp_path / "set", [(f"MRN{number // 3}", "") for number in range(12)]))
    assert (len(found), len(found.patients), found.patient_sources) == (12, 4, {"dicom": 12})
    found.save(tmp_path / "m.parquet")
    written = (tmp_path / "m.parquet").read_bytes()
    assert b"MRN" not in written
    assert b"Doe" not in written
    assert scan(tmp_path / "set").sha256 == found.sha256  # the key stays
    assert [film.patient_from for film in Manifest.load(tmp_path / "m.parquet").films] == ["dicom"] * 12


def test_the_issuer_tells_two_patients_of_one_number_apart(tmp_path: Path) -> None:
    known = [("7", "A"), ("7", "A"), ("7", "B"), ("8", "A")]
    assert len(scan(dicom_set(tmp_path / "known", known)).patients) == 3
    # Where one of them tells no issuer, doubt takes them for one.
    assert len(scan(dicom_set(tmp_path / "open", [*known, ("7", "")])).patients) == 2


@pytest.mark.parametrize("stand_in", ["", "ANONYMOUS", "0000", "Anonymized", "unknown"])
def test_what_stands_for_no_patient_is_none(tmp_path: Path, stand_in: str) -> None:
    found = scan(dicom_set(tmp_path / "set", [(stand_in, "")] * 6))
    assert (len(found.patients), found.patient_sources) == (6, {"none": 6})
    assert any("PATIENTS ARE NOT KNOWN" in remark for remark in found.remarks)


def test_one_number_on_all_films_is_a_stand_in_and_that_is_said(tmp_path: Path) -> None:
    found = scan(dicom_set(tmp_path / "set", [("HOSPITAL-77", "")] * 6))
    assert found.patient_sources == {"none": 6}
    assert any("one PatientID" in note for note in found.notes)


def test_films_of_a_study_are_of_one_patient(tmp_path: Path) -> None:
    for number in range(6):
        place = tmp_path / "set" / ("NORMAL" if number < 4 else "TB") / f"{number}.dcm"
        dicom(place, number, study=f"1.2.3.{number // 2}")
    found = scan(tmp_path / "set")
    assert (len(found.patients), found.patient_sources) == (3, {"study": 6})


def test_age_sex_and_view_come_from_the_header(tmp_path: Path) -> None:
    dicom_set(tmp_path / "set", [("1", ""), ("2", "")])
    dicom(tmp_path / "set" / "NORMAL" / "x.dcm", 99, "3", PatientAge="004Y", PatientSex="F", ViewPosition="AP")
    film = next(film for film in scan(tmp_path / "set").films if film.path.endswith("x.dcm"))
    assert (film.age, film.sex, film.view) == ("004Y", "F", "AP")


def test_evaluation_knows_the_patients_of_dicom_films(tmp_path: Path) -> None:
    films = evaluation_films(dicom_set(tmp_path / "set", [(f"MRN{number // 3}", "") for number in range(12)])).films
    assert len({film.patient for film in films}) == 4


@pytest.mark.parametrize(
    "places",
    [
        ["NORMAL/00000013_005.png", "NORMAL/00000013_006.png", "TB/00000014_000.png"],
        ["NORMAL/p01/a.png", "NORMAL/p01/b.png", "TB/p02/a.png"],
        ["NORMAL/images/1001/a.png", "NORMAL/images/1001/b.png", "TB/images/1002/a.png"],
        ["NORMAL/patient00001/study1/view1_frontal.jpg", "NORMAL/patient00001/study2/view1_frontal.jpg", "TB/q/1.png"],
        ["patient1/NORMAL/a.png", "patient1/PNEUMONIA/b.png", "patient2/NORMAL/c.png"],
    ],
)
def test_names_and_folders_tell_patients(tmp_path: Path, draw: Draw, places: list[str]) -> None:
    for place in places:
        draw(tmp_path / "set" / place)
    assert len(scan(tmp_path / "set").patients) == 2


@pytest.mark.parametrize("folder", ["batch", "hospital", "part"])
def test_folders_that_are_no_patients_tell_none(tmp_path: Path, draw: Draw, folder: str) -> None:
    for label in ("NORMAL", "TB"):
        for number in (1, 2):
            draw(tmp_path / "set" / label / f"{folder}{number}" / "a.png")
    assert scan(tmp_path / "set").patient_sources == {"none": 4}


def test_a_pattern_of_patients(tmp_path: Path, draw: Draw) -> None:
    for place in ("NORMAL/A-1.png", "NORMAL/A-2.png", "TB/B-1.png", "TB/odd.png"):
        draw(tmp_path / "set" / place)
    found = scan(tmp_path / "set", options=ScanOptions(patient_pattern=r"/([A-Z])-"))
    assert (len(found.patients), found.patient_sources) == (3, {"pattern": 3, "none": 1})
    assert any("1 of 4" in note for note in found.notes)
    with pytest.raises(UsageError, match="regular expression"):
        scan(tmp_path / "set", options=ScanOptions(patient_pattern="("))


def test_no_patient_is_said_loudly_by_the_verb(tmp_path: Path, draw: Draw, capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("NORMAL/a.png", "NORMAL/b.png", "TB/c.png"):
        draw(tmp_path / "set" / place)
    assert main(["scan", str(tmp_path / "set")]) == 0
    assert "PATIENTS ARE NOT KNOWN" in capsys.readouterr().out
    assert main(["scan", str(tmp_path / "set"), "--patient-pattern", "[abc]"]) == 0
    assert "NOT KNOWN" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("NORMAL2", "normal"),
        ("01_NORMAL", "normal"),
        ("Normal cases", "normal"),
        ("1-normal", "normal"),
        ("Pneumonia ", "pneumonia"),
        ("PNEUMONIA_bacteria", "bacterial"),
        ("BacterialPneumonia", "bacterial"),
        ("Viral-Pneumonia", "viral"),
        ("Viral Pneumonia", "viral"),
        ("COVID", "covid-19"),
        ("COVID19", "covid-19"),
        ("Lung_Opacity", "opacity"),
        ("No Finding", "no finding"),
        ("NoFinding", "no finding"),
        ("No_Finding", "no finding"),
        ("non-pneumonia", "no pneumonia"),
        ("Neumonía", "pneumonia"),
        ("neumonia_bacteriana", "bacterial"),
        ("polmonite virale", "viral"),
        ("Lungenentzündung", "pneumonia"),
        ("pneumonie", "pneumonia"),
        ("肺炎", "pneumonia"),
        ("正常", "normal"),
        ("пневмония", "pneumonia"),
        ("폐렴", "pneumonia"),
        ("Pnemonia", "pneumonia"),
        ("abnormal", "abnormal"),
        ("Lung_Cancer", "lung cancer"),
        ("grade 2", "grade 2"),
        ("12", "12"),
        ("1.0", "1"),
    ],
)
def test_a_class_is_known_by_many_names(written: str, label: str) -> None:
    assert canonical_label(written) == label
    assert canonical_label(canonical_label(written)) == label


def test_what_was_taken_is_shown_and_can_be_said_otherwise(tmp_path: Path, draw: Draw) -> None:
    for place in ("01_NORMAL/a.png", "Viral-Pneumonia/b.png", "COVID/c.png", "odd/d.png"):
        draw(tmp_path / "set" / place)
    found = scan(tmp_path / "set")
    assert found.counts() == {"normal": 1, "viral": 1, "covid-19": 1, "odd": 1}
    assert "took 'Viral-Pneumonia' for viral" in found.notes
    other = scan(tmp_path / "set", options=ScanOptions(labels={"COVID": "viral", "odd": "", "Viral-Pneumonia": "mine"}))
    assert other.counts() == {"normal": 1, "viral": 1, "mine": 1}


def test_pneumonia_beside_viral_alone_is_a_class_of_its_own() -> None:
    assert leaf_classes(["normal", "viral", "pneumonia"]) == ("normal", "viral", "pneumonia")
    assert leaf_classes(["normal", "viral", "bacterial", "pneumonia"]) == ("normal", "bacterial", "viral")


def test_no_negative_class_is_an_error_that_says_how_to_name_one(
    tmp_path: Path, draw: Draw, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("apples/a.png", "pears/b.png"):
        draw(tmp_path / "set" / place)
    assert main(["scan", str(tmp_path / "set")]) == 1
    assert "--negative" in capsys.readouterr().err
    assert main(["scan", str(tmp_path / "set"), "--negative", "apples"]) == 0
    assert main(["scan", str(tmp_path / "set"), "--label", "pears=normal"]) == 0
    assert main(["scan", str(tmp_path / "set"), "--negative", "none"]) == 0
    with pytest.raises(DatasetError, match="plums"):
        scan(tmp_path / "set", options=ScanOptions(negative="plums"))


def test_binary_takes_covid_for_pneumonia_and_joins_what_is_negative(tmp_path: Path, draw: Draw) -> None:
    for place in ("Normal/a.png", "COVID/b.png", "Lung_Opacity/c.png", "Viral Pneumonia/d.png", "no pneumonia/e.png"):
        draw(tmp_path / "set" / place)
    assert scan(tmp_path / "set", labels="binary").counts() == {"no pneumonia": 2, "pneumonia": 3}


def test_names_are_not_changed_without_a_rename() -> None:
    names = ClassNames({"A": "normal"})
    assert [names("a"), names("B")] == ["normal", "b"]
    assert names.sentences() == ["took 'a' for normal"]


def mask(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.zeros((300, 256), np.uint8)
    drawn[60:200, 40:100] = 255
    Image.fromarray(drawn).save(path)
    return path


def test_masks_and_papers_are_left_out_and_told(tmp_path: Path, draw: Draw) -> None:
    root = tmp_path / "COVID-19_Radiography_Dataset"
    for label in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for number in range(2):
            draw(root / label / "images" / f"{label}-{number}.png", size=300)
            draw(root / label / "masks" / f"{label}-{number}.png")
        (root / f"{label}.metadata.xlsx").write_bytes(b"no sheet")
    (root / "README.md.txt").write_text("read me")
    draw(root / "Normal" / "images" / "Normal-0_heatmap.png")
    draw(root / "Normal" / "thumbnails" / "x.png")
    (root / "Normal" / "images" / "Thumbs.db").write_bytes(b"litter")
    found = scan(tmp_path)
    assert found.counts() == {"normal": 2, "viral": 2, "covid-19": 2, "opacity": 2}
    assert {kind: count for kind, count in found.passed.items() if not kind.startswith(".")} == {
        "mask": 8,
        "heat map": 1,
        "thumbnail": 1,
    }
    assert found.passed[".xlsx"] == 4
    assert any("4 .xlsx" in remark and "1 .txt" in remark for remark in found.remarks)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_of_few_grays_is_no_film(tmp_path: Path, draw: Draw, suffix: str) -> None:
    for place in ("normal/a.png", "tb/b.png"):
        draw(tmp_path / "set" / place, size=300)
    mask(tmp_path / "set" / "tb" / f"c{suffix}")
    found = scan(tmp_path / "set")
    assert len(found) == 2
    assert [path for path, _ in found.problems] == [f"tb/c{suffix}"]


def test_the_set_within_itself_is_no_class(tmp_path: Path, draw: Draw) -> None:
    for root in (tmp_path / "set", tmp_path / "set" / "set"):
        draw(root / "NORMAL" / "IM-0001-0001.jpeg", seed=1)
        draw(root / "TB" / "a.jpeg", seed=2)
    found = scan(tmp_path / "set")
    assert found.counts() == {"normal": 1, "tb": 1}
    assert any("beside the class folders" in note for note in found.notes)


def test_strict_fails_on_what_is_no_film(public_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", str(public_set), "--strict"]) == 0
    for name in ("a.txt", "b.txt", "c.mp4"):
        (public_set / "train" / "NORMAL" / name).write_text("no film")
    capsys.readouterr()
    assert main(["scan", str(public_set)]) == 0
    assert "3 files are no films: 2 .txt, 1 .mp4" in capsys.readouterr().out
    assert main(["scan", str(public_set), "--strict"]) == 1
    assert "3 files are no films: 2 .txt, 1 .mp4" in capsys.readouterr().err
