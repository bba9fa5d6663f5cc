"""DICOM without the patient: what a reading uses is kept, and everything else is left behind.

PS3.15 annex E lists what to remove. Here it is turned round: a new data set is made of the attributes that are needed
to show and to read the film, each held to the form of its kind, so that what nobody has thought of, private elements,
overlays, comments and free text among them, does not come along. Age and sex are kept (the Retain Patient
Characteristics Option, PS3.15 E.3.3); UIDs are replaced by keyed hashes, the same for the same UID of one reading room,
so that the films of a study stay together and nobody without the key can tell whose they are.

What is burned into the pixels is not found (no Clean Pixel Data Option).
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pneumoscope.films.dicom_header import parse_data_set
from pneumoscope.quiet import quietly
from pneumoscope.settings import Settings
from pneumoscope.web.intake.strip import bare_jpeg

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

__all__ = ["KEPT", "Anonymous", "without_identity"]

# fmt: off
_NUMBERS = (
    "SamplesPerPixel", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns", "PixelAspectRatio",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue",
    "LargestImagePixelValue", "PixelPaddingValue", "PixelPaddingRangeLimit", "WindowCenter", "WindowWidth",
    "RescaleSlope", "RescaleIntercept", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "LossyImageCompressionRatio", "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "LUTDescriptor",
)
_CODES = (
    "Modality", "ViewPosition", "BodyPartExamined", "PatientSex", "Laterality", "ImageLaterality",
    "PatientOrientation", "PhotometricInterpretation", "PresentationIntentType", "PresentationLUTShape",
    "VOILUTFunction", "LossyImageCompression", "LossyImageCompressionMethod", "PixelIntensityRelationship",
    "BurnedInAnnotation",
)
_BYTES = (
    "PixelData", "FloatPixelData", "DoubleFloatPixelData", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData", "LUTData",
)
# fmt: on
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")

KEPT = frozenset({*_NUMBERS, *_CODES, *_BYTES, *_TABLES, "PatientAge", "SOPClassUID"})
"""Keywords of the attributes that are kept."""

_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
_AGE_STRING = re.compile(r"\d{3}[DWMY]")
_OLDEST = 89  # years; older people are few, so that their age alone may tell who they are
_STANDARD = "1.2.840.10008."
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MAX_PIXELS = Settings().max_pixels
_METHOD = "pneumoscope: attributes needed to read the film kept, all others removed"
# PS3.16 CID 7050: Basic Application Confidentiality Profile; Retain Patient Characteristics Option.
_METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113108", "Retain Patient Characteristics Option"),
)
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70))


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A DICOM file without its patient.

    Attributes:
        data: The file.
        study: Keyed hash of the StudyInstanceUID, hexadecimal; None if the file has none.
    """

    data: bytes
    study: str | None


def without_identity(data: bytes, *, secret: bytes, max_pixels: int = _MAX_PIXELS) -> Anonymous:
    """Take the patient out of a DICOM file.

    Args:
        data: A DICOM file that can be read, with or without preamble.
        secret: Key of this reading room, for the hashes of UIDs.
        max_pixels: Largest film, in pixels.

    Raises:
        FilmTooLarge: It unpacks to more than a film.
        Exception: Whatever pydicom says of a file that it cannot write again.
    """
    from pydicom.dataset import Dataset, FileMetaDataset  # noqa: PLC0415 - slow to import; most films are not DICOM
    from pydicom.uid import UID  # noqa: PLC0415

    with quietly():
        came = parse_data_set(data, where="film", max_pixels=max_pixels)
        kept = Dataset()
        for keyword in KEPT - {"SOPClassUID"}:
            element = _kept(came, keyword)
            if element is not None:
                kept.add(element)
        kept.SOPClassUID = _standard_uid(came.get("SOPClassUID")) or _SECONDARY_CAPTURE
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
            setattr(kept, keyword, _hashed_uid(str(came.get(keyword) or keyword + str(hash_of(data, secret))), secret))
        kept.PatientIdentityRemoved = "YES"
        kept.DeidentificationMethod = _METHOD
        kept.DeidentificationMethodCodeSequence = [_code(*each) for each in _METHOD_CODES]
        syntax = str(came.file_meta.TransferSyntaxUID)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = UID(syntax)
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = kept.SOPClassUID, kept.SOPInstanceUID
        kept.file_meta = meta
        kept.set_original_encoding(*came.original_encoding)
        _clean_pixels(kept, syntax)
        out = BytesIO()
        kept.save_as(out, enforce_file_format=True)
    study = str(came.get("StudyInstanceUID") or "").strip()
    return Anonymous(out.getvalue(), hash_of(study.encode(), secret) if study else None)


def hash_of(data: bytes, secret: bytes) -> str:
    """Keyed hash, hexadecimal."""
    return hmac.new(secret, data, "sha256").hexdigest()


def _hashed_uid(uid: str, secret: bytes) -> str:
    """A UID made of a number (PS3.5 B.2): the keyed hash of the one that came."""
    return f"2.25.{int(hash_of(uid.encode(), secret)[:32], 16)}"


def _standard_uid(value: object) -> str:
    text = str(value or "")
    return text if text.startswith(_STANDARD) else ""


def _kept(came: Dataset, keyword: str) -> DataElement | None:
    """An element of the file that came, if it is there and of its kind's form."""
    if keyword not in came:
        return None
    element: DataElement = came[keyword]
    if keyword in _TABLES:
        return _table(element)
    if keyword in _BYTES:
        return element
    if keyword == "PatientAge":
        return _age(element)
    values = [str(each) for each in _values(element.value)]
    fits = _is_number if keyword in _NUMBERS else _CODE_STRING.fullmatch
    return element if values and all(fits(each) for each in values) else None


def _age(element: DataElement) -> DataElement | None:
    """The age, if it is one (PS3.5 6.2); above ``_OLDEST`` years all are of one age."""
    from pydicom.dataelem import DataElement  # noqa: PLC0415

    text = str(element.value).strip().upper()
    if not _AGE_STRING.fullmatch(text):
        return None
    old = text.endswith("Y") and int(text[:3]) > _OLDEST
    return DataElement(element.tag, "AS", f"{_OLDEST + 1:03d}Y" if old else text)


def _table(element: DataElement) -> DataElement | None:
    """A sequence of lookup tables with their numbers alone; the first item is the one that is shown."""
    from pydicom.dataelem import DataElement  # noqa: PLC0415
    from pydicom.dataset import Dataset  # noqa: PLC0415

    items = []
    for came in element.value or ():
        item = Dataset()
        for keyword in ("LUTDescriptor", "LUTData"):
            if keyword in came:
                item.add(came[keyword])
        items.append(item)
    return DataElement(element.tag, "SQ", items) if items else None


def _code(value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset  # noqa: PLC0415

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _clean_pixels(kept: Dataset, syntax: str) -> None:
    """Take comments out of JPEG frames, and what stands behind the last pixel of those that are not compressed."""
    from pydicom.encaps import encapsulate, generate_frames  # noqa: PLC0415
    from pydicom.uid import UID  # noqa: PLC0415

    if "PixelData" not in kept:
        return
    frames = int(kept.get("NumberOfFrames") or 1)
    if syntax in _JPEG:
        bare = [_bare(frame) for frame in generate_frames(kept.PixelData, number_of_frames=frames)]
        kept.PixelData = encapsulate(bare)
        kept["PixelData"].is_undefined_length = True
    elif not UID(syntax).is_encapsulated:
        samples = frames * int(kept.get("SamplesPerPixel") or 1)
        bits = int(kept.Rows) * int(kept.Columns) * samples * int(kept.BitsAllocated)
        length = (bits + 7) // 8
        kept.PixelData = kept.PixelData[: length + length % 2]


def _bare(frame: bytes) -> bytes:
    try:
        return bare_jpeg(frame)
    except (ValueError, IndexError):
        return frame


def _values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, str | int | float | bytes):
        return [value]
    try:
        return list(value)
    except TypeError:
        return [value]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
