"""What a reading gives in DICOM, held to the standard's validator and read back as a stranger would."""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from pneumoscope.errors import UsageError
from pneumoscope.quality.corrections import film_geometry
from pneumoscope.reports.dicom.results import RESULT_KINDS, dicom_results, parse_kinds
from pneumoscope.reports.dicom.source import dicom_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    from pneumoscope.reports.summary import ReportContext
    from pneumoscope.types.reading import Reading


@pytest.fixture
def source(make_dicom: Callable[..., bytes]) -> Dataset:
    """The DICOM film of ``read_reading``, 300 x 200 pixels."""
    header = dcmread(BytesIO(make_dicom(ImagerPixelSpacing=["0.5", "0.5"])))
    header.Rows, header.Columns = 300, 200
    header.PixelData = bytes(300 * 200)
    return header


@pytest.fixture
def placed(given: ReportContext) -> ReportContext:
    """All that results may be given: two lungs, and where the film lies in the stored pixels."""
    lungs = np.zeros((300, 200), np.bool_)
    lungs[60:240, 20:90] = lungs[60:240, 110:180] = True
    return replace(given, geometry=film_geometry(300, 200), lungs=lungs)


@pytest.mark.parametrize("kind", list(RESULT_KINDS))
@pytest.mark.parametrize("what", ["read", "refused"])
def test_each_result_is_filed_beside_its_film(
    read_reading: Reading, refused_reading: Reading, source: Dataset, placed: ReportContext, kind: str, what: str
) -> None:
    reading = read_reading if what == "read" else refused_reading
    for made in dicom_results(reading, source, (kind,), placed):
        assert made.SOPClassUID == RESULT_KINDS[kind].sop_class
        assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
        assert made.StudyInstanceUID == source.StudyInstanceUID
        assert (made.PatientID, str(made.PatientName)) == ("4711", "Müller^Jörg")
        assert made.SOPInstanceUID != source.SOPInstanceUID
        assert made.SeriesInstanceUID != source.SeriesInstanceUID
        assert "research use only" in made.SeriesDescription.lower()
        assert "PatientComments" not in made
        assert source.SOPInstanceUID in str(made)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("kind", list(RESULT_KINDS))
@pytest.mark.parametrize("what", ["read", "refused"])
def test_dciodvfy_finds_no_error(
    read_reading: Reading,
    refused_reading: Reading,
    source: Dataset,
    placed: ReportContext,
    tmp_path: Path,
    kind: str,
    what: str,
) -> None:
    reading = read_reading if what == "read" else refused_reading
    for made in dicom_results(reading, source, (kind,), placed):
        path = tmp_path / "result.dcm"
        made.save_as(path, enforce_file_format=True)

        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)  # noqa: S607

        assert [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")] == []
        assert done.returncode == 0


def test_a_resend_has_the_same_uids_and_another_operating_point_has_others(
    read_reading: Reading, source: Dataset, placed: ReportContext
) -> None:
    def uids(reading: Reading) -> list[str]:
        return [made.SOPInstanceUID for made in dicom_results(reading, source, RESULT_KINDS, placed)]

    elsewhere = replace(read_reading, film=replace(read_reading.film, path="queue/7.dcm"))
    assert read_reading.finding is not None
    other = replace(read_reading, finding=replace(read_reading.finding, preset="balanced"))

    assert uids(read_reading) == uids(elsewhere)
    assert not set(uids(read_reading)) & set(uids(other))
    assert len(set(uids(read_reading))) == len(uids(read_reading))


def test_a_refused_film_has_a_report_and_a_picture_that_say_so(
    refused_reading: Reading, source: Dataset, given: ReportContext
) -> None:
    made = dicom_results(refused_reading, source, RESULT_KINDS, replace(given, film=None))

    assert [each.Modality for each in made][:2] == ["SR", "OT"]
    assert "NumericValue" not in str(made[0])
    assert "the file is empty" in str(made[0])


def test_the_film_is_not_changed(read_reading: Reading, source: Dataset, placed: ReportContext) -> None:
    before = source.to_json()

    dicom_results(read_reading, source, RESULT_KINDS, placed)

    assert source.to_json() == before


def test_the_capture_shows_evidence_in_colour_and_says_that_it_is_burned_in(
    read_reading: Reading, source: Dataset, placed: ReportContext
) -> None:
    (made,) = dicom_results(read_reading, source, ("sc",), placed)

    pixels = made.pixel_array.astype(int)
    assert made.BurnedInAnnotation == "YES"
    assert (pixels[..., 0] - pixels[..., 2] > 60).any()


def test_an_unknown_kind_or_a_film_without_uids_is_refused(read_reading: Reading, source: Dataset) -> None:
    with pytest.raises(UsageError, match="sr, sc"):
        parse_kinds("sr,rtstruct")
    with pytest.raises(UsageError):
        parse_kinds("")
    assert parse_kinds("sc, sr,sr") == ("sr", "sc")
    del source.StudyInstanceUID
    with pytest.raises(UsageError, match="UID"):
        dicom_results(read_reading, source)


def test_a_deflated_header_is_found_and_a_bomb_is_not_unpacked(make_dicom: Callable[..., bytes]) -> None:
    film = dcmread(BytesIO(make_dicom()))
    film.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    film.PixelData = bytes(2**27)
    out = BytesIO()
    film.save_as(out, enforce_file_format=True)

    tracemalloc.start()
    source = dicom_source(out.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert source is not None
    assert source.instance == "1.2.3.4.5.6"
    assert peak < 2**26
