"""What a DICOM header tells and a reading may use: modality, view, age, orientation. No identity leaves here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.quiet import capture_warnings
from pneumoscope.types.age import age_between, age_string

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["DicomIdentity", "DicomMetadata", "identity_of", "metadata_of", "patient_age"]

_PLAIN_RADIOGRAPHS = frozenset({"CR", "DX", "RG", "OT"})
"""Modalities that a plain film comes under (PS3.3 C.7.3.1.1.1); OT is what converters write."""

# Only values of the closed forms of the code string (PS3.5 section 6.2) and of ages: no free text, so no names.
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
_KEYWORDS = ("Modality", "ViewPosition", "PatientAge", "PatientSex", "BodyPartExamined", "Laterality")

_VIEW_CODES = {
    # PS3.16 CID 4010 "DX View", as SNOMED CT and as the older SNOMED RT that DICOM used: value -> ViewPosition
    **dict.fromkeys(("399348003", "R-10206"), "AP"),
    **dict.fromkeys(("272479007", "R-10214", "R-40888"), "PA"),
    **dict.fromkeys(("399198007", "R-10232"), "RL"),
    **dict.fromkeys(("399173006", "R-10236"), "LL"),
    **dict.fromkeys(
        ("399067008", "R-102CD", "30730003", "G-A145", "399260004", "R-10224", "399352003", "R-10228"), "LATERAL"
    ),
    **dict.fromkeys(
        (
            *("399182000", "R-102C1", "399160007", "R-10204", "399312000", "R-10208", "399059000", "R-10216"),
            *("399236003", "R-10234", "399184004", "R-10238", "399356000", "R-40985", "399135007", "R-10220"),
            *("399038007", "R-10210", "399006002", "R-10212", "260427002", "R-40783", "260426006", "R-40782"),
            *("399368009", "R-10226", "399099002", "R-10230", "399132005", "R-10252", "399325008", "R-10254"),
            *("399004004", "R-10246", "399225005", "R-10250", "399288005", "R-10248"),
        ),
        "OBLIQUE",
    ),
}
_FRONTAL = frozenset({"AP", "PA"})

# Patient Orientation (PS3.3 C.7.6.1.1.1): whither the rows run, and whither the columns run; a frontal film that is
# looked at as if facing the patient is L\F. Each value: how the picture is turned upright, as an EXIF orientation.
_UPRIGHT = {
    ("L", "F"): 1,
    ("R", "F"): 2,
    ("R", "H"): 3,
    ("L", "H"): 4,
    ("F", "L"): 5,
    ("H", "L"): 8,
    ("H", "R"): 7,
    ("F", "R"): 6,
}


@dataclass(frozen=True, slots=True)
class DicomMetadata:
    """What a header tells.

    Attributes:
        facts: By DICOM keyword, as ``Radiograph.facts`` has them.
        spacing_mm: Row and column spacing of the upright picture.
        orientation: By which the stored picture is turned upright, as an EXIF orientation; 1 where it is.
        warnings: What was odd, in plain words.
    """

    facts: dict[str, str] = field(default_factory=dict)
    spacing_mm: tuple[float, float] | None = None
    orientation: int = 1
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DicomIdentity:
    """Who a header says the film is of. For hashing at once: nobody keeps it.

    Attributes:
        patient_id: PatientID (0010,0020).
        issuer: IssuerOfPatientID (0010,0021).
        study: StudyInstanceUID (0020,000D).
    """

    patient_id: str
    issuer: str
    study: str


def identity_of(data: bytes) -> DicomIdentity | None:
    """Read who a DICOM file is of, without its pixels; None where it cannot be parsed."""
    from pydicom import dcmread  # noqa: PLC0415 - slow to import, and most films are not DICOM

    tags = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID")
    try:
        with capture_warnings():
            header = dcmread(BytesIO(data), force=True, stop_before_pixels=True, specific_tags=list(tags))
            values = [str(header.get(tag) or "").strip() for tag in tags]
    except Exception:  # noqa: BLE001 - whatever pydicom says of foreign bytes: nobody is told
        return None
    return DicomIdentity(*values)


def metadata_of(header: Dataset) -> DicomMetadata:
    """Take from a header what a reading may use."""
    facts = _facts(header)
    warnings = []
    modality = facts.get("Modality")
    if modality is None:
        warnings.append("the file does not tell its Modality")
    elif modality not in _PLAIN_RADIOGRAPHS:
        warnings.append(f"its Modality is {modality}: not a plain radiograph")
    view, coded = facts.get("ViewPosition", ""), _coded_view(header)
    if coded and view in _FRONTAL and coded not in _FRONTAL:
        warnings.append(f"its ViewPosition is {view}, and its ViewCodeSequence says {coded.lower()}")
    elif coded and view not in _FRONTAL:
        facts["ViewPosition"] = coded
    if str(header.get("PresentationIntentType", "")).upper() == "FOR PROCESSING":
        warnings.append("raw detector values (FOR PROCESSING): not meant for viewing")
    said = _orientation(header)
    orientation = said or 1
    if said is not None:
        facts["PatientOrientation"] = "L F"  # of the upright picture: its sides are known
    if orientation != 1:
        words = "mirrored" if orientation == 2 else "not upright"
        warnings.append(f"stored {words}, as its PatientOrientation says: put upright")
    spacing = _spacing(header)
    if orientation > 4 and spacing is not None:
        spacing = spacing[1], spacing[0]
    return DicomMetadata(facts, spacing, orientation, tuple(warnings))


def _facts(header: Dataset) -> dict[str, str]:
    facts = {}
    for keyword in _KEYWORDS:
        value = header.get(keyword)
        if not value and keyword == "Laterality":
            value = header.get("ImageLaterality")
        text = str(value or "").strip().upper()
        if keyword == "PatientAge":
            if age := patient_age(header):
                facts[keyword] = age
        elif _CODE_STRING.fullmatch(text):
            facts[keyword] = text
    return facts


def patient_age(header: Dataset) -> str | None:
    """The age as DICOM writes it ("003Y"), in whatever form it is told, or else from the dates; None if it is not."""
    return age_string(str(header.get("PatientAge") or "")) or _age_by_dates(header)


def _age_by_dates(header: Dataset) -> str | None:
    """The age from the date of birth and the film's; neither date is kept."""
    birth = str(header.get("PatientBirthDate") or "")
    keywords = ("AcquisitionDate", "ContentDate", "SeriesDate", "StudyDate")
    return next((age for name in keywords if (age := age_between(birth, str(header.get(name) or "")))), None)


def _coded_view(header: Dataset) -> str | None:
    """What the View Code Sequence says (PS3.3 C.8.11.5), as a ViewPosition; None if it says nothing known."""
    items = header.get("ViewCodeSequence")
    code = items[0].get("CodeValue") if items else None
    return _VIEW_CODES.get(str(code).strip().upper()) if code else None


def _orientation(header: Dataset) -> int | None:
    """By which EXIF orientation the picture is turned upright; None where nothing usable is said, or a side view."""
    value = header.get("PatientOrientation")
    if not value or isinstance(value, str) or len(value) != 2:
        return None
    row, column = (str(each).strip().upper()[:1] for each in value)
    return _UPRIGHT.get((row, column))


def _spacing(header: Dataset) -> tuple[float, float] | None:
    """Row and column spacing in mm: at the detector if told, else of the picture (PS3.3 10.7.1)."""
    for keyword in ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
        try:
            row, column = (float(value) for value in header.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if 0 < row < np.inf and 0 < column < np.inf:
            return row, column
    return None
