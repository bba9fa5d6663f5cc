"""Films inside archives, in DICOM directories, and under names that tell nothing."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom.fileset import FileSet
from tests.data.conftest import dicom

from pneumoscope.cli.main import main
from pneumoscope.cli.read import find_films
from pneumoscope.data.pixels import read_film
from pneumoscope.data.scan import scan
from pneumoscope.errors import FilmError, FilmTooLarge, UnreadableFilm, UnsupportedFilm, UsageError
from pneumoscope.films.archives import open_archive
from pneumoscope.films.load import load

if TYPE_CHECKING:
    from pathlib import Path


def film(seed: int, kind: str = "PNG") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 48)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """A zip or tar archive of files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


SET = {
    "set/NORMAL/IM-0001-0001.png": film(1),
    "set/NORMAL/IM-0002-0001.png": film(2),
    "set/PNEUMONIA/person1_virus_1.png": film(3),
    "set/PNEUMONIA/person2_bacteria_1.png": film(4),
    "set/notes.txt": b"no film",
    "__MACOSX/set/NORMAL/._IM-0001-0001.png": b"litter",
}
ENDS = ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz"]


@pytest.mark.parametrize("name", ENDS)
def test_scan_goes_through_an_archive(tmp_path: Path, name: str) -> None:
    found = scan(packed(tmp_path / name, SET))
    assert found.counts() == {"normal": 2, "bacterial": 1, "viral": 1}
    assert found.passed == {".txt": 1}
    assert found.patients == ("IM-0001", "IM-0002", "person1", "person2")
    np.testing.assert_array_equal(
        read_film(found, found.films[0]).pixels, load(SET["set/NORMAL/IM-0001-0001.png"]).pixels
    )


@pytest.mark.parametrize("name", ENDS)
def test_a_film_inside_an_archive_is_the_same_film(tmp_path: Path, name: str) -> None:
    archive = packed(tmp_path / name, SET)
    inside = load(f"{archive}/set/PNEUMONIA/person1_virus_1.png")
    assert inside.info.sha256 == load(SET["set/PNEUMONIA/person1_virus_1.png"]).info.sha256
    with pytest.raises(UnreadableFilm, match="no such entry"):
        load(f"{archive}/set/gone.png")


def test_a_table_of_known_films_in_archives_beside_it(tmp_path: Path) -> None:
    packed(tmp_path / "images_001.tar.gz", {"images/00000001_000.png": film(1), "images/00000002_000.png": film(2)})
    (tmp_path / "Data_Entry_2017.csv").write_text(
        "Image Index,Finding Labels,Patient ID\n00000001_000.png,No Finding,1\n00000002_000.png,Pneumonia,2\n"
    )
    found = scan(tmp_path)
    assert [(row.path, row.label) for row in found.films] == [
        ("images_001.tar.gz/images/00000001_000.png", "no finding"),
        ("images_001.tar.gz/images/00000002_000.png", "pneumonia"),
    ]


def test_a_table_inside_an_archive(tmp_path: Path) -> None:
    files = {"t/labels.csv": b"path,label\na.png,normal\nb.png,viral\n", "t/a.png": film(1), "t/b.png": film(2)}
    assert scan(packed(tmp_path / "x.zip", files)).counts() == {"normal": 1, "viral": 1}


def test_read_goes_through_archives_and_tells_what_is_no_film(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(tmp_path / "films" / "x.zip", {**SET, "a.mp4": b"no film"})
    (tmp_path / "films" / "b.txt").write_text("no film")
    (tmp_path / "films" / "c.png").write_bytes(film(9))
    assert main(["read", "--json", str(tmp_path / "films")]) in {0, 3}
    out, err = capsys.readouterr()
    paths = [json.loads(line)["film"]["path"] for line in out.splitlines()]
    assert len(paths) == 5
    assert f"{tmp_path}/films/x.zip/set/NORMAL/IM-0001-0001.png" in paths
    assert "3 files are no films: 2 .txt, 1 .mp4" in err
    assert main(["read", "--json", "--strict", str(tmp_path / "films")]) == 3


def test_an_archive_without_a_film_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no film"):
        list(find_films([str(packed(tmp_path / "x.zip", {"a.txt": b"text"}))]))


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "C:\\evil.png", "a/../../evil.png", "..\\evil.png"])
@pytest.mark.parametrize("end", ["x.zip", "x.tar"])
def test_no_name_leads_out_of_an_archive(tmp_path: Path, name: str, end: str) -> None:
    archive = open_archive(packed(tmp_path / "in" / end, {name: film(1), "good.png": film(2)}))
    assert list(archive.sizes) == ["good.png"]
    assert archive.unsafe.total() == 1
    list(find_films([str(archive.path)]))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [end]


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(film(1))
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            entry = tarfile.TarInfo(f"link{kind.decode()}.png")
            entry.type, entry.linkname = kind, str(tmp_path / "secret.png")
            tar.addfile(entry)
    assert open_archive(tmp_path / "x.tar").sizes == {}


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = packed(tmp_path / "x.zip", {"bomb.png": bytes(3_000_000)})
    with pytest.raises(FilmTooLarge):
        load(f"{bomb}/bomb.png", max_pixels=-1_000_000)  # a limit of less than a megabyte
    monkeypatch.setattr("pneumoscope.films.archives._TAR_FLOOR", 1000)
    with pytest.raises(FilmTooLarge):
        open_archive(packed(tmp_path / "x.tgz", {"bomb.png": bytes(3_000_000)}))


@pytest.mark.parametrize("end", ENDS)
def test_a_damaged_archive_is_one_line(tmp_path: Path, end: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = packed(tmp_path / end, SET).read_bytes()
    (tmp_path / end).write_bytes(whole[: len(whole) // 2] if end != "x.tar" else b"no tar" * 200)
    with pytest.raises(FilmError):
        open_archive(tmp_path / end)
    assert main(["scan", str(tmp_path / end)]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_locked_zip_is_told(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.zip", {"a.png": film(1)})
    data = bytearray(path.read_bytes())
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        place = data.index(start) + (6 if start == b"PK\x03\x04" else 8)
        data[place] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableFilm, match="password"):
        load(f"{path}/a.png")


def test_a_dicom_directory_gives_its_films(tmp_path: Path) -> None:
    files = FileSet()
    for number in range(3):
        made = dicom(
            tmp_path / "in" / f"{number}.dcm",
            number,
            f"P{number}",
            study=f"1.2.{number}",
            StudyDate="20200101",
            StudyTime="120000",
            StudyID="1",
            SeriesInstanceUID=f"1.2.{number}.1",
            SeriesNumber="1",
            InstanceNumber="1",
        )
        files.add(made)
    files.write(tmp_path / "disc")
    files._stage["t"].cleanup()
    listed = list(find_films([str(tmp_path / "disc" / "DICOMDIR")]))
    assert len(listed) == 3
    assert sorted(load(path).pixels.sum() for path in listed) == sorted(
        load(tmp_path / "in" / f"{number}.dcm").pixels.sum() for number in range(3)
    )
    assert sorted(find_films([str(tmp_path / "disc")])) == sorted(listed)


def test_films_without_a_telling_suffix(tmp_path: Path) -> None:
    for number, name in enumerate(("a.IMA", "IM000001", "1.2.840.5", "scan.v2")):
        dicom(tmp_path / name, number)
    (tmp_path / "report.txt").write_text("text")
    assert len(list(find_films([str(tmp_path)]))) == 4


def test_a_photograph_of_a_telephone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    gray = np.tile(np.arange(128, dtype=np.uint8), (96, 1))
    heif.from_pillow(Image.fromarray(np.stack([gray] * 3, axis=-1))).save(tmp_path / "a.heic", quality=95)
    read = load(tmp_path / "a.heic")
    assert (read.info.format, read.rows, read.columns) == ("HEIC", 96, 128)
    assert abs(read.pixels.astype(int) - gray).mean() < 4
    assert any("HEIC" in warning for warning in read.warnings)
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(UnsupportedFilm) as caught:
        load(tmp_path / "a.heic")
    assert "pneumoscope[heic]" in str(caught.value)
