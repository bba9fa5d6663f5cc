"""The film that results refer to: its patient, study and pixels, and the UIDs of what is made of it."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING
from uuid import UUID, uuid5
from zlib import MAX_WBITS, decompressobj

from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.json import to_dict
from pneumoscope.types.codes import CodingSystem

if TYPE_CHECKING:
    from datetime import datetime

    from pydicom.dataset import Dataset

    from pneumoscope.types.reading import Reading

__all__ = [
    "UNICODE",
    "DicomSource",
    "ResultUids",
    "dicom_source",
    "our_scheme",
    "set_times",
    "source_header",
    "source_of",
    "uid",
]

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META = 4096  # bytes in which the transfer syntax is named
_LONGEST_HEADER = 2**24  # bytes of a data set before its pixels
_PIXELS = 0x7FE00008
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MODALITY = re.compile(r"[A-Z]{2,16}")


@dataclass(frozen=True, slots=True)
class DicomSource:
    """Where a DICOM film stands.

    Attributes:
        study: Study Instance UID.
        series: Series Instance UID.
        instance: SOP Instance UID.
        sop_class: SOP Class UID.
        modality: "CR", "DX", ...; "OT" if the file does not say.
        header: All of the file but its pixels.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    header: Dataset


def dicom_source(data: bytes | None) -> DicomSource | None:
    """The DICOM object in a file's bytes; None if it is no DICOM, or has no valid references to give.

    Args:
        data: The whole file, or None.
    """
    if not data or data[128:132] != b"DICM":
        return None
    try:
        with capture_warnings():
            return source_of(_header(data))
    except Exception:  # noqa: BLE001 - whatever the library says of foreign bytes, there is nothing to refer to
        return None


def _header(data: bytes) -> Dataset:
    """All but the pixels; of a deflated data set no more is unpacked than a header may take."""
    from pydicom import dcmread  # noqa: PLC0415 - slow to import, and most films are not DICOM
    from pydicom.filereader import read_dataset  # noqa: PLC0415

    if _DEFLATED not in data[:_META]:
        return dcmread(BytesIO(data), stop_before_pixels=True)
    start = 144 + int.from_bytes(data[140:144], "little")  # behind the file meta information (PS3.10 7.1)
    unpacked = decompressobj(-MAX_WBITS).decompress(data[start:], _LONGEST_HEADER)
    return read_dataset(BytesIO(unpacked), False, True, stop_when=lambda tag, _, __: tag >= _PIXELS)


def source_of(film: Dataset) -> DicomSource | None:
    """The same of a data set; None if it has no valid references to give."""
    keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    uids = [str(film.get(keyword, "") or "") for keyword in keywords]
    modality = str(film.get("Modality", "") or "")
    if not all(_UID.fullmatch(uid) and len(uid) <= 64 for uid in uids):
        return None
    study, series, instance, sop_class = uids
    known = modality if _MODALITY.fullmatch(modality) else "OT"
    return DicomSource(study=study, series=series, instance=instance, sop_class=sop_class, modality=known, header=film)


_SPACE = UUID("5d2c6d0a-5f0b-5c56-9a6b-3f0d1f3a8c11")


def uid(what: str) -> str:
    """A UID made of a UUID (PS3.5 section B.2), the same for the same thing."""
    # A file's name may hold what UTF-8 cannot: a byte of another encoding.
    return f"2.25.{uuid5(_SPACE, what.encode('ascii', 'backslashreplace').decode()).int}"


@dataclass(frozen=True, slots=True)
class ResultUids:
    """The UIDs of one kind of result of one reading: the same however often it is made and sent.

    They are made of the film's SOP Instance UID (or its hash), the bundle's hash, the kind, and what was read, so that
    another operating point gives another object, and never another content under the same UID.
    """

    kind: str
    film: str
    bundle: str
    content: str

    @classmethod
    def of(cls, kind: str, reading: Reading, source: DicomSource | None) -> ResultUids:
        """Of a kind of result ("sr", "seg", ...)."""
        document = to_dict(reading)
        name = document["film"].pop("path")  # the same film lies in another place when it is sent again
        film = reading.film.sha256 or name if source is None else source.instance
        line = json.dumps(document, sort_keys=True)
        return cls(kind, film, "" if reading.model is None else reading.model.sha256, sha256(line.encode()).hexdigest())

    @property
    def instance(self) -> str:
        """SOP Instance UID."""
        return uid(f"instance {self._line}")

    @property
    def series(self) -> str:
        """Series Instance UID."""
        return uid(f"series {self._line}")

    def tracking(self, what: str) -> str:
        """Tracking UID of something in it."""
        return uid(f"tracking {what} {self.film} {self.bundle} {self.content}")

    @property
    def _line(self) -> str:
        return f"{self.kind} {self.film} {self.bundle} {self.content}"


UNICODE = "ISO_IR 192"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DATE, _TIME, _TEXT = r"\d{8}", r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", r"[^\\\x00-\x1f]{0,%d}"
_COPIED_ATTRIBUTES = {
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


def source_header(reading: Reading, source: DicomSource | None) -> Dataset:
    """Patient and study of the film, for the objects that are filed beside it; no pixels."""
    return _header_from_hash(reading) if source is None else _patient_and_study(source)


def _header_from_hash(reading: Reading) -> Dataset:
    """Patient and study for a film that came from no DICOM: empty, and a study made of the film's hash."""
    film = reading.film.sha256 or reading.film.path
    made = {"Study": uid(f"study {film}"), "Series": uid(f"film series {film}"), "SOP": uid(f"film {film}")}
    return _patient_study_header({}, made, sop_class=_SECONDARY_CAPTURE)


def _patient_and_study(source: DicomSource) -> Dataset:
    """Those of the film, in Unicode, since the report has a character set of its own."""
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as below

    header = Dataset()
    for keyword in ("SpecificCharacterSet", *_COPIED_ATTRIBUTES):  # not its pixels, which may be large
        if keyword in source.header:
            header[keyword] = deepcopy(source.header[keyword])
    header.decode()
    told = {keyword: str(header.get(keyword) or "").strip() for keyword in _COPIED_ATTRIBUTES}
    made = {"Study": source.study, "Series": source.series, "SOP": source.instance}
    return _patient_study_header(told, made, sop_class=source.sop_class)


def _patient_study_header(told: dict[str, str], uids: dict[str, str], *, sop_class: str) -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    header = Dataset()
    header.SpecificCharacterSet = UNICODE
    for keyword, form in _COPIED_ATTRIBUTES.items():
        value = told.get(keyword, "")
        setattr(header, keyword, value if re.fullmatch(form, value) else "")
    for level, value in uids.items():
        setattr(header, f"{level}InstanceUID", value)
    header.SOPClassUID = sop_class
    return header


def set_times(document: Dataset, when: datetime) -> None:
    """Set every time of the document to the reading's; the library puts its own clock's."""
    date, time = f"{when:%Y%m%d}", f"{when:%H%M%S}"
    for keyword in ("ContentDate", "SeriesDate", "InstanceCreationDate"):
        setattr(document, keyword, date)
    for keyword in ("ContentTime", "SeriesTime", "InstanceCreationTime"):
        setattr(document, keyword, time)
    for equipment in document.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = f"{date}{time}+0000"
    document.TimezoneOffsetFromUTC = "+0000"


def our_scheme(reading: Reading) -> Dataset:
    """Who answers for the codes of our own (PS3.3 C.12.1.1.1.2)."""
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as in _document

    scheme = Dataset()
    scheme.CodingSchemeDesignator = str(CodingSystem.OURS)
    scheme.CodingSchemeUID = CodingSystem.OURS.uri.removeprefix("urn:oid:")
    scheme.CodingSchemeName = f"Codes of {reading.software.name}"
    scheme.CodingSchemeResponsibleOrganization = reading.software.name
    return scheme
