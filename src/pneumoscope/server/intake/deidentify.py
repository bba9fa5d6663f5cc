"""De-identification: DICOM by whitelist, pictures without their metadata.

JPEG and PNG are wrapped anew and their compressed data copied, so that not a bit of the picture changes; of the EXIF
block the orientation alone is kept, because it says which way is up. Every other kind is kept as a gray PNG of the
pixels that were read.

References: ITU-T T.81 B.1 (JPEG markers); PNG specification (W3C, third edition), section 5.

PS3.15 annex E lists what to remove. Here it is turned round: a new data set is made of the attributes that are needed
to show and to read the film, each held to the form of its kind, so that what nobody has thought of, private elements,
overlays, comments and free text among them, does not come along. Age and sex are kept (the Retain Patient
Characteristics Option, PS3.15 E.3.3); UIDs are replaced by keyed hashes, the same for the same UID of one server,
so that the films of a study stay together and nobody without the key can tell whose they are.

What is burned into the pixels is not found (no Clean Pixel Data Option).
"""

from __future__ import annotations

import hmac
import re
import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from pneumoscope.films.dicom_header import parse_data_set
from pneumoscope.films.dicom_metadata import patient_age
from pneumoscope.quality.metadata import age_in_years
from pneumoscope.quiet import capture_warnings
from pneumoscope.server.store.records import Examination
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    from pneumoscope.types.radiograph import Radiograph

__all__ = ["KEPT", "Deidentified", "bare_jpeg", "bare_png", "deidentify", "gray_png", "strip_metadata"]

_ORIENTATION = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
_SOI, _EOI, _SOS, _APP0, _APP14, _APP15, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE, 0xEF, 0xFE


def strip_metadata(data: bytes, film: Radiograph) -> bytes:
    """The bytes to keep of a picture that is not DICOM.

    Args:
        data: The file as it was received.
        film: What was read from it.
    """
    try:
        if film.info.format == "JPEG":
            return bare_jpeg(data, _orientation(JpegImagePlugin.JpegImageFile, data))
        if film.info.format == "PNG":
            return bare_png(data, _orientation(PngImagePlugin.PngImageFile, data))
    except (ValueError, IndexError, struct.error):
        pass  # decoders forgive what this walk does not: keep the pixels
    return gray_png(film.pixels)


def gray_png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Gray pixels as PNG of 8 or 16 bits, bit for bit.

    Args:
        pixels: uint8 or uint16 [rows, columns].
    """
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=4)
    return out.getvalue()


def bare_jpeg(data: bytes, turned: int = 1) -> bytes:
    """A JPEG with its tables, frames and scans alone, and its orientation if it is not upright.

    Args:
        data: The file.
        turned: EXIF orientation that is to be kept, 1 to 8; 1 is upright.

    Raises:
        ValueError: The file is not built as the standard says.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    out = [b"\xff\xd8"]
    exif = b"" if turned == 1 else _segment(0xE1, b"Exif\x00\x00" + _exif(turned))
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker where one must be")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == _EOI:
            return b"".join([*out, b"\xff\xd9"])
        length = int.from_bytes(data[at : at + 2], "big")
        payload = data[at + 2 : at + length]
        if length < 2 or len(payload) != length - 2 or marker in (0x00, 0x01, _SOI) or 0xD0 <= marker < _SOI:
            raise ValueError("a segment that is not whole")
        at += length
        if _APP0 <= marker <= _APP15 or marker == _COM:
            out.append(_kept_application(marker, payload))
            continue
        out += [exif, _segment(marker, payload)]  # behind JFIF's segment, which must come first
        exif = b""
        if marker == _SOS:
            end = _scan_end(data, at)
            out.append(data[at:end])
            at = end


def _kept_application(marker: int, payload: bytes) -> bytes:
    """What the decoder needs of application segments: JFIF without its thumbnail, Adobe's colour transform."""
    if marker == _APP0 and payload[:5] == b"JFIF\x00" and len(payload) >= 12:
        return _segment(marker, payload[:12] + b"\x00\x00")
    if marker == _APP14 and payload[:5] == b"Adobe" and len(payload) >= 12:
        return _segment(marker, payload[:12])
    return b""


def _scan_end(data: bytes, at: int) -> int:
    """Where a scan's compressed data ends: at the next marker that is neither a stuffed zero nor a restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("the scan does not end")
        following = data[at + 1]
        if following != 0x00 and not 0xD0 <= following <= 0xD7:
            return at
        at += 2


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def bare_png(data: bytes, turned: int = 1) -> bytes:
    """A PNG with its critical chunks and those that say how to show them, and its orientation if it is not upright.

    Args:
        data: The file.
        turned: EXIF orientation that is to be kept, 1 to 8; 1 is upright.

    Raises:
        ValueError: The file is not built as the standard says.
    """
    if not data.startswith(_PNG_START):
        raise ValueError("no PNG")
    out = [_PNG_START]
    at, kind = len(_PNG_START), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk that is not whole")
        if kind in _PNG_KEPT:
            if kind == b"IDAT" and turned != 1:
                out.append(_chunk(b"eXIf", _exif(turned)))
                turned = 1
            out.append(data[at:end])
        at = end
    return b"".join(out)


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload), kind) + payload + struct.pack(">I", zlib.crc32(kind + payload))


def _exif(orientation: int) -> bytes:
    """An EXIF block that says nothing but the orientation (EXIF 2.32, section 4.6.2)."""
    return b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _orientation(opener: type[JpegImagePlugin.JpegImageFile] | type[PngImagePlugin.PngImageFile], data: bytes) -> int:
    """EXIF orientation, 1 to 8, as ``films.raster`` takes it."""
    try:
        with capture_warnings():
            value = opener(BytesIO(data)).getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block turns no film
        return 1
    return int(value) if value in range(1, 9) else 1


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

KEPT = frozenset({*_NUMBERS, *_CODES, *_BYTES, *_TABLES, "PatientAge", "SOPClassUID", "ViewCodeSequence"})
"""Keywords of the attributes that are kept."""

_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
_DATE = re.compile(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_OLDEST = 89  # years; older people are few, so that their age alone may tell who they are
_STANDARD = "1.2.840.10008."
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_MAX_PIXELS = Settings().max_pixels
_METHOD = "pneumoscope: attributes needed to read the film kept, all others removed"
# PS3.16 CID 7050: Basic Application Confidentiality Profile; Retain Patient Characteristics Option.
_CODE_VALUE = re.compile(r"[A-Z]?-?[0-9A-F]{4,14}")
_SNOMED = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
_METHOD_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113108", "Retain Patient Characteristics Option"),
)
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70))


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A DICOM file without its patient.

    Attributes:
        data: The file.
        examination: Of which study and patient, as keyed hashes; the rest of it only where identity is kept.
    """

    data: bytes
    examination: Examination

    @property
    def study(self) -> str | None:
        """Keyed hash of the StudyInstanceUID, hexadecimal; None if the file has none."""
        return self.examination.key


def deidentify(
    data: bytes, *, secret: bytes, max_pixels: int = _MAX_PIXELS, keep_identity: bool = False
) -> Deidentified:
    """Take the patient out of a DICOM file.

    Args:
        data: A DICOM file that can be read, with or without preamble.
        secret: Key of this web application, for the hashes of UIDs.
        max_pixels: Largest film, in pixels.
        keep_identity: Tell age, sex, date and accession number of the examination.

    Raises:
        FilmTooLarge: It unpacks to more than a film.
        Exception: Whatever pydicom says of a file that it cannot write again.
    """
    from pydicom.dataset import Dataset, FileMetaDataset  # noqa: PLC0415 - slow to import; most films are not DICOM
    from pydicom.uid import UID  # noqa: PLC0415

    with capture_warnings():
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
        examination = _examination(came, secret, keep_identity=keep_identity)
    return Deidentified(out.getvalue(), examination)


def _examination(came: Dataset, secret: bytes, *, keep_identity: bool) -> Examination:
    def text(keyword: str) -> str:
        return str(came.get(keyword) or "").strip()

    study, patient = text("StudyInstanceUID"), text("PatientID")
    hashes = Examination(
        key=hash_of(study.encode(), secret) if study else None,
        # The same number may be another person's at another hospital.
        patient=hash_of(f"{text('IssuerOfPatientID')}\\{patient}".encode(), secret) if patient else None,
    )
    if not keep_identity:
        return hashes
    date = text("AcquisitionDate") or text("StudyDate")
    return replace(
        hashes,
        age=age_in_years({"PatientAge": patient_age(came) or ""}),
        sex=text("PatientSex") if text("PatientSex") in {"M", "F", "O"} else None,
        film_date=f"{date[:4]}-{date[4:6]}-{date[6:]}" if _DATE.fullmatch(date) else None,
        accession=text("AccessionNumber") or None,
    )


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
    if keyword == "PatientAge":
        return _age(came)
    if keyword not in came:
        return None
    element: DataElement = came[keyword]
    if keyword in _TABLES:
        return _table(element)
    if keyword in _BYTES:
        return element
    if keyword == "ViewCodeSequence":
        return _view(element)
    values = [str(each) for each in _values(element.value)]
    fits = _is_number if keyword in _NUMBERS else _CODE_STRING.fullmatch
    return element if values and all(fits(each) for each in values) else None


def _age(came: Dataset) -> DataElement | None:
    """The age as a reading takes it, in whatever form it came; above ``_OLDEST`` years all are of one age."""
    from pydicom.dataelem import DataElement  # noqa: PLC0415

    age = patient_age(came)
    if age is None:
        return None
    old = age.endswith("Y") and int(age[:3]) > _OLDEST
    return DataElement("PatientAge", "AS", f"{_OLDEST + 1:03d}Y" if old else age)


def _view(element: DataElement) -> DataElement | None:
    """The code of the view without its meaning, which is free text; the first item is the one that is read."""
    from pydicom.dataelem import DataElement  # noqa: PLC0415
    from pydicom.dataset import Dataset  # noqa: PLC0415

    for came in element.value or ():
        code, scheme = (str(came.get(key) or "").strip() for key in ("CodeValue", "CodingSchemeDesignator"))
        if not _CODE_VALUE.fullmatch(code) or scheme not in _SNOMED:
            return None
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, "view"
        return DataElement(element.tag, "SQ", [item])
    return None


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
