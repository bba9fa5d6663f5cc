"""``pneumoscope read --report``, as a person runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.reports import formats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., "Ran"]

    class Ran:
        code: int
        out: str
        err: str


def test_each_film_gets_its_reports_and_refused_ones_too(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    (films / "broken.png").write_bytes(b"no picture")

    ran = run("read", films, "--model", tiny_bundle, "--report", tmp_path / "r", "--format", "html,pdf, fhir,sr,json")

    made = sorted(path.name for path in (tmp_path / "r").iterdir())
    assert ran.code == 3
    for ending in (".html", ".pdf", ".fhir.json", ".dcm"):
        assert len([name for name in made if name.endswith(ending)]) == 6
    assert len(made) == 30
    (refused,) = (tmp_path / "r").glob("broken-????????????.json")
    assert json.loads(refused.read_text())["status"] == "refused"
    (page,) = (tmp_path / "r").glob("broken-*.html")
    assert "Refused" in page.read_text()
    (page,) = (tmp_path / "r").glob("b-*.html")
    assert page.read_text().count("<img") == 3
    assert "On the films that this operating point was chosen on" in page.read_text()


def test_a_page_is_what_one_gets_without_a_format(run: Run, films: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    ran = run("read", films / "a.png", "--model", tiny_bundle, "--report", tmp_path / "r")

    assert ran.code == 0
    assert [path.suffix for path in (tmp_path / "r").iterdir()] == [".html"]


@pytest.mark.parametrize(
    ("options", "told"), [(["--format", "pdf"], "--report DIR"), (["--report", "r", "--format", "word"], "There are:")]
)
def test_a_wrong_format_is_found_before_any_film(
    run: Run, films: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    monkeypatch.chdir(films)

    ran = run("read", films, "--model", tiny_bundle, *options)

    assert ran.code == 2
    assert told in ran.err
    assert not (films / "r").exists()


def test_a_missing_extra_is_found_before_any_film(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)

    ran = run("read", films, "--model", tiny_bundle, "--report", tmp_path / "r", "--format", "pdf")

    assert ran.code == 2
    assert "pip install 'pneumoscope[pdf]'" in ran.err
    assert not (tmp_path / "r").exists()


def test_pictures_and_reports_decode_a_film_once(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pneumoscope.films import load

    decoded: list[str] = []
    decode = load._radiograph_of_bytes

    def noting(data: bytes, where: str, max_pixels: int) -> object:
        decoded.append(where)
        return decode(data, where, max_pixels)

    monkeypatch.setattr(load, "_radiograph_of_bytes", noting)

    ran = run("read", films / "a.png", "--model", tiny_bundle, "--evidence", tmp_path / "e", "--report", tmp_path / "r")

    assert ran.code == 0, ran.err
    assert len(list((tmp_path / "e").iterdir())) == len(list((tmp_path / "r").iterdir())) == 1
    assert decoded == [str(films / "a.png")]


def test_dicom_results_are_written_for_dicom_films(
    run: Run, films: Path, tiny_bundle: Path, tmp_path: Path, make_dicom_film: Callable[[Path], Path]
) -> None:
    film = make_dicom_film(tmp_path / "film.dcm")

    ran = run(
        *("read", film, films / "a.png", "--model", tiny_bundle, "--force"),
        *("--dicom-out", tmp_path / "d", "--dicom-kinds", "sr,sc,gsps,seg,map,pdf"),
    )

    assert ran.code == 0, ran.err
    made = {path.name.split(".", 1)[1]: path for path in (tmp_path / "d").iterdir()}
    assert {"sr.dcm", "sc.dcm", "gsps.dcm", "map.dcm", "pdf.dcm"} <= set(made)
    assert {str(dcmread(path).StudyInstanceUID) for path in made.values()} == {"1.2.3.4"}


def test_dicom_kinds_without_a_folder_are_wrong_usage(run: Run, films: Path, tiny_bundle: Path) -> None:
    assert run("read", films, "--model", tiny_bundle, "--dicom-kinds", "sr").code == 2
    assert run("read", films, "--model", tiny_bundle, "--dicom-out", "d", "--dicom-kinds", "rt").code == 2


@pytest.fixture
def make_dicom_film() -> Callable[[Path], Path]:
    """A DICOM film of noise in a study of its own."""

    def make(path: Path) -> Path:
        film = Dataset()
        film.file_meta = FileMetaDataset()
        film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film.SOPClassUID, film.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3.4.5.6"
        film.StudyInstanceUID, film.SeriesInstanceUID, film.Modality = "1.2.3.4", "1.2.3.4.5", "CR"
        film.Rows, film.Columns, film.BitsAllocated, film.BitsStored, film.HighBit = 80, 64, 8, 8, 7
        film.SamplesPerPixel, film.PhotometricInterpretation, film.PixelRepresentation = 1, "MONOCHROME2", 0
        film.PixelData = np.random.default_rng(0).integers(0, 256, (80, 64), dtype=np.uint8).tobytes()
        film.save_as(path, enforce_file_format=True)
        return path

    return make
