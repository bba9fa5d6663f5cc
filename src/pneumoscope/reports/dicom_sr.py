"""A reading as a DICOM Structured Report: TID 1500 Measurement Report, Enhanced SR, preliminary and unverified.

PS3.16 TID 1500 (report), TID 1501 (measurement group), TID 300 (measurement), TID 4019 (algorithm); PS3.3 A.35.2. Needs
the extra ``sr`` (highdicom). A report of a DICOM film is filed in the film's study, under its patient, and refers to
it. One of another film stands in a study of its own, made of the film's hash, without a patient.
"""

from __future__ import annotations

import re
from copy import deepcopy
from io import BytesIO
from typing import TYPE_CHECKING

from pneumoscope.domain.codes import System
from pneumoscope.quiet import quietly
from pneumoscope.reports.dicom_sr_content import content, uid
from pneumoscope.reports.json import to_json
from pneumoscope.reports.said import say
from pneumoscope.reports.source import source_of

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom.dataset import Dataset

    from pneumoscope.domain.reading import Reading
    from pneumoscope.reports.given import Given
    from pneumoscope.reports.source import Source

__all__ = ["write"]

_UNICODE = "ISO_IR 192"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SERIES = 9801  # far from the numbers that modalities give
_DATE, _TIME, _TEXT = r"\d{8}", r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", r"[^\\\x00-\x1f]{0,%d}"
_TAKEN = {
    "PatientID": _TEXT % 64,
    "PatientName": _TEXT % 192,
    "PatientBirthDate": _DATE,
    "PatientSex": "[MFO]",
    "AccessionNumber": _TEXT % 16,
    "StudyID": _TEXT % 16,
    "StudyDate": _DATE,
    "StudyTime": _TIME,
    "ReferringPhysicianName": _TEXT % 192,
}
"""What a report takes of its film's patient and study, and the form that it must have (PS3.5 table 6.2-1).

No more: comments and descriptions can tell of people. What has another form is left empty, as type 2 allows.
"""


def write(reading: Reading, given: Given) -> bytes:
    """The report as a DICOM file."""
    source = source_of(given.source)
    with quietly():  # a patient's data are taken as they stand, whatever the library thinks of them
        return _written(_document(reading, given, source))


def _document(reading: Reading, given: Given, source: Source | None) -> Dataset:
    from highdicom.sr import EnhancedSR  # noqa: PLC0415 - the extra, and slow to import

    line = to_json(reading, finding=given.finding)
    evidence = _stand_in(reading) if source is None else _patient_and_study(source)
    said = say(reading, given)
    model = reading.model
    document = EnhancedSR(
        evidence=[evidence],
        content=content(reading, said, source, given.finding)[0],
        series_instance_uid=uid(f"series {line} {source.series if source else ''}"),
        series_number=_SERIES,
        sop_instance_uid=uid(f"instance {line} {given.when()}"),
        instance_number=1,
        manufacturer=reading.software.name,
        manufacturer_model_name=model.name[:64] if model else reading.software.name,
        software_versions=reading.software.version,
        device_serial_number=model.sha256[:16] if model else "none",
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=said.notice,
        specific_character_set=_UNICODE,
    )
    _at(document, given.when())
    document.CodingSchemeIdentificationSequence = [_our_scheme(reading)]
    if source is None:
        # Nothing is referred to: there is no DICOM object of this film.
        del document.CurrentRequestedProcedureEvidenceSequence
    return document


def _stand_in(reading: Reading) -> Dataset:
    """Patient and study for a film that came from no DICOM: empty, and a study made of the film's hash."""
    film = reading.film.sha256 or reading.film.path
    made = {"Study": uid(f"study {film}"), "Series": uid(f"film series {film}"), "SOP": uid(f"film {film}")}
    return _filled({}, made, sop_class=_SECONDARY_CAPTURE)


def _patient_and_study(source: Source) -> Dataset:
    """Those of the film, in Unicode, since the report has a character set of its own."""
    header = deepcopy(source.header)
    header.decode()
    told = {keyword: str(header.get(keyword) or "").strip() for keyword in _TAKEN}
    made = {"Study": source.study, "Series": source.series, "SOP": source.instance}
    return _filled(told, made, sop_class=source.sop_class)


def _filled(told: dict[str, str], uids: dict[str, str], *, sop_class: str) -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    header = Dataset()
    header.SpecificCharacterSet = _UNICODE
    for keyword, form in _TAKEN.items():
        value = told.get(keyword, "")
        setattr(header, keyword, value if re.fullmatch(form, value) else "")
    for level, value in uids.items():
        setattr(header, f"{level}InstanceUID", value)
    header.SOPClassUID = sop_class
    return header


def _at(document: Dataset, when: datetime) -> None:
    """Set every time of the document to the reading's; the library puts its own clock's."""
    date, time = f"{when:%Y%m%d}", f"{when:%H%M%S}"
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(document, keyword, date)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(document, keyword, time)
    for equipment in document.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{date}{time}+0000"
    document.TimezoneOffsetFromUTC = "+0000"


def _our_scheme(reading: Reading) -> Dataset:
    """Who answers for the codes of our own (PS3.3 C.12.1.1.1.2)."""
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    scheme = Dataset()
    scheme.CodingSchemeDesignator = str(System.OURS)
    scheme.CodingSchemeUID = System.OURS.uri.removeprefix("urn:oid:")
    scheme.CodingSchemeName = f"Codes of {reading.software.name}"
    scheme.CodingSchemeResponsibleOrganization = reading.software.name
    return scheme


def _written(document: Dataset) -> bytes:
    out = BytesIO()
    document.save_as(out, enforce_file_format=True)
    return out.getvalue()
