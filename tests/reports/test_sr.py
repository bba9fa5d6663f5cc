"""Structured Reports, read back by pydicom and highdicom and, where it is installed, judged by dciodvfy."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from highdicom.sr import CodedConcept, Comprehensive3DSR
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from pydicom import dcmread

from pneumoscope.reports.dicom.structured_report import write
from pneumoscope.reports.summary import ReportContext
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from pneumoscope.types.reading import Reading

PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


def items(part: Dataset) -> Iterator[Dataset]:
    """Every content item below one."""
    for item in part.get("ContentSequence", []):
        yield item
        yield from items(item)


def name(item: Dataset) -> str:
    concept = item.ConceptNameCodeSequence[0]
    return str(concept.get("CodeValue") or concept.get("LongCodeValue"))


def value(item: Dataset) -> str:
    concept = item.ConceptCodeSequence[0]
    return str(concept.get("CodeValue") or concept.get("LongCodeValue"))


def groups(report: Dataset) -> dict[str, Dataset]:
    """Measurement groups (125007, DCM) by what they track."""
    found = [item for item in items(report) if item.ValueType == "CONTAINER" and name(item) == "125007"]
    return {next(item.TextValue for item in items(group) if name(item) == "112039"): group for group in found}


def numbers(group: Dataset) -> list[tuple[str, float]]:
    return [
        (name(item), float(item.MeasuredValueSequence[0].NumericValue))
        for item in items(group)
        if item.ValueType == "NUM"
    ]


def judged(group: Dataset) -> list[tuple[str, str]]:
    return [(name(item), value(item)) for item in items(group) if item.ValueType == "CODE"]


def read_back(reading: Reading, given: ReportContext) -> Dataset:
    return dcmread(BytesIO(write(reading, given)))


def test_it_is_a_preliminary_measurement_report(read_reading: Reading, given: ReportContext) -> None:
    report = read_back(read_reading, given)

    assert report.SOPClassUID == COMPREHENSIVE_3D_SR
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.PreliminaryFlag, report.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
    assert (report.ContentDate, report.ContentTime) == ("20260301", "093000")
    assert "research use only" in report.SeriesDescription
    assert (report.Manufacturer, report.SoftwareVersions) == ("pneumoscope", "0.1.0")


def test_the_probabilities_are_measurements_and_the_call_is_an_evaluation(
    read_reading: Reading, given: ReportContext
) -> None:
    found = groups(read_back(read_reading, given))

    assert list(found) == ["pneumonia", "probabilities of the classes", "evidence for pneumonia"]
    assert numbers(found["pneumonia"]) == [("122157", 0.966667), ("threshold", 0.2)]
    assert ("121071", "233604007") in judged(found["pneumonia"])
    assert ("call", "52101004") in judged(found["pneumonia"])
    assert ("pattern", "bacterial") in judged(found["pneumonia"])
    assert ("prediction-set", "bacterial") in judged(found["pneumonia"])
    assert numbers(found["probabilities of the classes"])[2] == ("p-viral", 0.366667)
    assert dict.fromkeys(value for _, value in numbers(found["evidence for pneumonia"])) == {0.0: None, 1.0: None}


def test_the_evidence_is_given_by_zone_and_side(read_reading: Reading, given: ReportContext) -> None:
    group = groups(read_back(read_reading, given))["evidence for pneumonia"]

    (whole,) = [item for item in items(group) if item.ValueType == "NUM" and numbers_of(item) == 1.0]
    site = next(item for item in items(whole) if name(item) == "363698007")
    assert value(site) == "281394001"  # lower zone of lung
    assert value(site.ContentSequence[0]) == "7771000"  # left


def numbers_of(item: Dataset) -> float:
    return float(item.MeasuredValueSequence[0].NumericValue)


def test_the_caveat_and_the_notice_are_said(read_reading: Reading, given: ReportContext) -> None:
    comments = [item.TextValue for item in items(read_back(read_reading, given)) if name(item) == "121106"]

    assert NOTICE in comments
    assert any("not microbiology" in comment for comment in comments)
    assert any("called 98 of 100" in comment for comment in comments)


def test_a_dicom_film_has_its_report_in_its_study_under_its_patient(
    read_reading: Reading, given: ReportContext, dicom_film: bytes
) -> None:
    report = read_back(read_reading, replace(given, source=dicom_film))

    assert (report.StudyInstanceUID, str(report.PatientName), report.PatientID) == ("1.2.3.4", "Müller^Jörg", "4711")
    assert report.SeriesInstanceUID != "1.2.3.4.5"
    assert "PatientComments" not in report  # a report takes no more than it must
    referred = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == "1.2.3.4.5"
    assert referred.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5.6"
    for group in groups(report).values():
        (image,) = [item for item in items(group) if item.ValueType == "IMAGE"]
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5.6"


def test_what_a_film_has_in_a_wrong_form_is_left_empty(
    read_reading: Reading, given: ReportContext, make_dicom: Callable[..., bytes]
) -> None:
    odd = make_dicom(StudyDate="yesterday", PatientSex="unknown", StudyTime="25 past")

    report = read_back(read_reading, replace(given, source=odd))

    assert (report.StudyDate, report.StudyTime, report.PatientSex) == ("", "", "")


def test_another_film_has_a_study_of_its_own_and_refers_to_nothing(read_reading: Reading, given: ReportContext) -> None:
    report = read_back(read_reading, replace(given, source=b"\x89PNG"))

    assert report.StudyInstanceUID.startswith("2.25.")
    assert "CurrentRequestedProcedureEvidenceSequence" not in report
    assert not [item for item in items(report) if item.ValueType == "IMAGE"]
    assert not report.PatientName
    other = read_back(replace(read_reading, film=replace(read_reading.film, sha256="ef" * 32)), given)
    assert other.StudyInstanceUID != report.StudyInstanceUID


def test_a_refused_film_has_a_reason_and_no_measurement(refused_reading: Reading, given: ReportContext) -> None:
    report = read_back(refused_reading, given)

    (group,) = groups(report).values()
    assert not [item for item in items(report) if item.ValueType == "NUM"]
    assert judged(group) == [("reading", "refused"), ("refused", "refused-unreadable")]
    comments = [item.TextValue for item in items(report) if name(item) == "121106"]
    assert "No reading was made: the file is empty." in comments


def test_the_same_reading_gives_the_same_bytes(read_reading: Reading, given: ReportContext) -> None:
    assert write(read_reading, given) == write(read_reading, given)


def test_highdicom_reads_it_as_its_own(read_reading: Reading, given: ReportContext, dicom_film: bytes) -> None:
    report = Comprehensive3DSR.from_dataset(read_back(read_reading, replace(given, source=dicom_film)))

    made = report.content.get_image_measurement_groups()  # type: ignore[attr-defined]  # its stub forgets the subclass
    assert [group.tracking_identifier for group in made][:2] == ["pneumonia", "probabilities of the classes"]
    assert made[0].get_measurements()[0].value == pytest.approx(0.966667)
    assert made[0].finding_type.meaning == "Pneumonia"


@pytest.mark.parametrize(
    ("call", "forced", "finding", "presence"),
    [
        ("pneumonia", False, "Pneumonia", "Present"),
        ("no pneumonia", False, None, "Absent"),
        ("indeterminate", False, None, "Undetermined"),
        ("pneumonia", True, None, "Present"),
    ],
)
def test_a_stranger_sees_whether_the_finding_is_present(
    read_reading: Reading, given: ReportContext, *, call: str, forced: bool, finding: str | None, presence: str
) -> None:
    """As highdicom reads it back: a finding is named only where it is present, and absence is said of the finding."""
    assert read_reading.finding is not None
    reading = replace(read_reading, finding=replace(read_reading.finding, call=call), forced=forced)

    made = Comprehensive3DSR.from_dataset(read_back(reading, given)).content.get_image_measurement_groups()  # type: ignore[attr-defined]  # its stub forgets the subclass

    types = [group.finding_type.meaning for group in made if group.finding_type is not None]
    assert types == ([] if finding is None else [finding])
    (said,) = made[0].get_qualitative_evaluations(name=PNEUMONIA)
    assert said.value.meaning == presence


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump (dcmtk) is not installed")
def test_a_viewer_shows_a_film_without_the_finding_as_one(
    read_reading: Reading, given: ReportContext, tmp_path: Path
) -> None:
    assert read_reading.finding is not None
    reading = replace(read_reading, finding=replace(read_reading.finding, call="no pneumonia"))
    path = tmp_path / "report.dcm"
    path.write_bytes(write(reading, given))

    done = subprocess.run(["dsrdump", "+Pl", str(path)], capture_output=True, text=True, check=True)  # noqa: S607

    assert '"Finding")=' not in done.stdout
    assert '"Pneumonia")=(272519000,SCT,"Absent")' in done.stdout


LONG_CLASS = "a class of a very long name, longer than sixty-four characters"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("kind", ["read", "refused", "dicom", "three-way"])
def test_dciodvfy_finds_no_error(
    read_reading: Reading, refused_reading: Reading, given: ReportContext, dicom_film: bytes, tmp_path: Path, kind: str
) -> None:
    reading = refused_reading if kind == "refused" else read_reading
    if kind == "three-way":
        assert reading.finding is not None
        finding = replace(reading.finding, name="tuberculosis", call="indeterminate", lower=0.1)
        reading = replace(
            reading,
            film=replace(reading.film, path="胸片.png"),
            finding=finding,
            probabilities={"without": 0.5, LONG_CLASS: 0.5},
            positive_classes=(LONG_CLASS,),
        )
    path = tmp_path / "report.dcm"
    path.write_bytes(write(reading, replace(given, source=dicom_film if kind == "dicom" else None)))

    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)  # noqa: S607

    told = (done.stdout + done.stderr).splitlines()
    assert [line for line in told if line.startswith("Error")] == []
    assert "Comprehensive3DSR" in told
    assert done.returncode == 0


@settings(max_examples=12, deadline=None)
@drawn(data=st.data())
def test_any_reading_gives_a_report_that_can_be_read(readings: st.SearchStrategy[Reading], data: st.DataObject) -> None:
    reading = data.draw(readings)

    report = read_back(reading, ReportContext())

    assert report.SOPClassUID == COMPREHENSIVE_3D_SR
    wanted = 3 if reading.status == "read" else 1
    assert len([item for item in items(report) if item.ValueType == "CONTAINER" and name(item) == "125007"]) == wanted
