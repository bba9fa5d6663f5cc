"""DICOM, through pydicom: header, pixels, and the metadata that a reading may use. No identity leaves here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import FilmError, FilmTooLarge, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.codestream import frame_size, rle_size, sequential_scan_without_end
from pneumoscope.films.dicom_header import complete_pixel_description, parse_data_set, whole_number
from pneumoscope.films.dicom_metadata import metadata_of
from pneumoscope.films.grayscale import GrayImage, apply_exif_orientation, to_grayscale
from pneumoscope.films.limits import check_dimensions, damaged_file, truncated_file
from pneumoscope.films.lut import presentation_values
from pneumoscope.quiet import capture_warnings
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["read_dicom"]

_NON_IMAGE_MODALITIES = {
    "SR": "a structured report",
    "SEG": "a segmentation",
    "RTSTRUCT": "a set of radiotherapy structures",
    "RTPLAN": "a radiotherapy plan",
    "RTDOSE": "a radiotherapy dose",
    "RTRECORD": "a radiotherapy record",
    "ECG": "an electrocardiogram",
    "EPS": "an electrophysiology recording",
    "HD": "a haemodynamic recording",
    "AU": "a sound recording",
    "PR": "a presentation state",
    "KO": "a key object selection",
    "REG": "a registration",
    "FID": "a set of fiducials",
    "DOC": "a document",
    "PLAN": "a plan",
}
_FILM_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography Image Storage
        "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray Image Storage, for presentation
        "1.2.840.10008.5.1.4.1.1.1.1.1",  # and for processing
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
    }
)
"""SOP classes whose files have a picture: one without was cut short before it (PS3.4 annex B)."""

_DICOMDIR = "1.2.840.10008.1.3.10"

_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
# Retired spectral-selection and progressive syntaxes: the bytes are JPEG like any other to the decoder,
# but pydicom knows no decoder by their name (retired from PS3.5; still listed in PS3.6 table A-1).
_RETIRED_JPEG = {"1.2.840.10008.1.2.4.53": _JPEG_EXTENDED, "1.2.840.10008.1.2.4.55": _JPEG_EXTENDED}
_DEFLATED = "1.2.840.10008.1.2.1.99"
_RLE = "1.2.840.10008.1.2.5"
_RLE_PADDING = 1024  # bytes beyond the picture that a careless writer may add
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")


def read_dicom(data: bytes, *, where: str, digest: str, max_pixels: int) -> Radiograph:
    """Decode a DICOM file.

    Args:
        data: The whole file, with or without preamble and file meta information.
        where: What to call it in an error.
        digest: sha256 of ``data``.
        max_pixels: Largest film, in pixels (rows x columns of one frame).

    Raises:
        UnreadableFilm: Damaged, cut short, or too small.
        UnsupportedFilm: No picture in it, or a compression whose decoder is not installed.
        FilmTooLarge: More than ``max_pixels``.
    """
    try:
        with capture_warnings():
            header = parse_data_set(data, where=where, max_pixels=max_pixels)
            _refuse_non_image(header, where)
            filled_in = complete_pixel_description(header, where=where)
            rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
            check_dimensions(rows, columns, where=where, max_pixels=max_pixels)
            stored, notes = _stored(header, where, max_pixels)
            tones = _tones(stored, header, where)
            metadata = metadata_of(header)
    except FilmError:
        raise
    except MemoryError as error:
        raise FilmTooLarge("not enough memory to decode it", where=where, remedy="Make it smaller") from error
    except Exception as error:  # whatever a decoder says of foreign bytes, the film is damaged
        raise damaged_file("DICOM", where) from error
    pixels = np.ascontiguousarray(apply_exif_orientation(tones.pixels, metadata.orientation))
    rows, columns = pixels.shape
    return Radiograph(
        pixels=pixels,
        white=tones.white,
        info=FilmInfo(path=where, sha256=digest, format="DICOM", rows=rows, columns=columns),
        spacing_mm=metadata.spacing_mm,
        facts=metadata.facts,
        warnings=(*filled_in, *notes, *metadata.warnings, *tones.warnings),
    )


def _refuse_non_image(header: Dataset, where: str) -> None:
    modality = str(header.get("Modality", "") or "").strip().upper()
    if header.file_meta.get("MediaStorageSOPClassUID") == _DICOMDIR or "DirectoryRecordSequence" in header:
        raise UnsupportedFilm("a DICOM directory, not a film", where=where, remedy="Give the files that it lists")
    if modality in _NON_IMAGE_MODALITIES:
        raise UnsupportedFilm(
            f"{_NON_IMAGE_MODALITIES[modality]} ({modality}), not a film",
            where=where,
            remedy="Give the film that it belongs to",
        )
    if not any(keyword in header for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        kinds = {str(header.get("SOPClassUID")), str(header.file_meta.get("MediaStorageSOPClassUID"))}
        if "Rows" in header or kinds & _FILM_CLASSES:
            raise truncated_file(where)
        name = f" ({modality})" if _CODE_STRING.fullmatch(modality) else ""
        raise UnsupportedFilm(f"DICOM without a picture{name}", where=where, remedy="Give the film itself")


def _stored(header: Dataset, where: str, max_pixels: int) -> tuple[NDArray[Any], list[str]]:
    """The first frame as it was stored, colour as RGB: [rows, columns] or [rows, columns, 3]."""
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415 - as in dicom_header
    from pydicom.pixels.utils import pixel_array  # noqa: PLC0415
    from pydicom.uid import UID  # noqa: PLC0415

    notes = []
    syntax = header.file_meta.TransferSyntaxUID
    frames = whole_number(header.get("NumberOfFrames")) or 1
    if frames > 1:
        notes.append(f"{frames} frames: the first was read")
    plugin = ""
    retired = _RETIRED_JPEG.get(syntax)
    if retired:
        syntax = header.file_meta.TransferSyntaxUID = UID(retired)
    if syntax.is_private:
        raise _unknown_compression("private", where)
    if syntax.is_compressed and syntax != _DEFLATED:
        try:
            plugins = get_decoder(syntax).available_plugins
        except NotImplementedError as error:
            raise _unknown_compression(syntax.name, where) from error
        _check_frame(header, frames, where, max_pixels)
        if syntax == _JPEG_EXTENDED and (whole_number(header.get("BitsStored")) or 0) > 8:
            plugins = tuple(name for name in plugins if name != "pillow")  # which decodes 8 bits alone
        if not plugins:
            raise UnsupportedFilm(
                f"compressed as {syntax.name}, whose decoder is not installed",
                where=where,
                remedy="Install it with: pip install 'pneumoscope[dicom]'",
            )
        plugin = _plugin(syntax, plugins)
    try:
        stored = pixel_array(header, index=0, decoding_plugin=plugin)
    except ValueError as error:
        if "less than expected" in str(error) or "doesn't match the expected" in str(error):
            raise truncated_file(where) from error
        raise
    return stored, notes


def _unknown_compression(name: str, where: str) -> UnsupportedFilm:
    return UnsupportedFilm(
        f"a compression that is not read here ({name})", where=where, remedy="Export the film without compression"
    )


def _plugin(syntax: str, plugins: tuple[str, ...]) -> str:
    """One decoder for each syntax, so that the pixels do not depend on what else is installed."""
    order = ("pillow", "pylibjpeg") if syntax == _JPEG_BASELINE else ("pydicom", "pylibjpeg", "pillow")
    return next((name for name in order if name in plugins), plugins[0])


def _check_frame(header: Dataset, frames: int, where: str, max_pixels: int) -> None:
    """Refuse a compressed frame that unpacks to another size than the header says: a bomb, or damage.

    A scan header that is wrong in a harmless, well-known way is put right.
    """
    from pydicom.encaps import generate_frames  # noqa: PLC0415 - as in dicom_header

    frame = next(generate_frames(header.PixelData, number_of_frames=frames), b"")
    if not frame:
        raise truncated_file(where)
    if header.file_meta.TransferSyntaxUID == _RLE:
        bound = header.Rows * header.Columns * header.SamplesPerPixel * (header.BitsAllocated // 8)
        if rle_size(frame, limit=bound + _RLE_PADDING) > bound + _RLE_PADDING:
            raise damaged_file("DICOM", where)
        return
    size = frame_size(frame)
    if size is None:
        raise damaged_file("DICOM", where)
    check_dimensions(size.rows, size.columns, where=where, max_pixels=max_pixels)
    if size[:2] != (header.Rows, header.Columns) or not size.plausible:
        raise damaged_file("DICOM", where)
    wrong = sequential_scan_without_end(frame)
    if wrong:
        at = header.PixelData.find(frame[:wrong])
        header.PixelData = header.PixelData[: at + wrong] + b"\x3f" + header.PixelData[at + wrong + 1 :]


def _tones(stored: NDArray[Any], header: Dataset, where: str) -> GrayImage:
    photometric = str(header.get("PhotometricInterpretation", "")).strip().upper()
    if stored.dtype.kind == "f" and not np.isfinite(stored).all():
        raise UnreadableFilm("values that are not finite numbers", where=where, remedy="Export the film again")
    if photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut  # noqa: PLC0415 - as in dicom_header

        stored = apply_color_lut(stored, header)
    if stored.ndim == 2:
        return presentation_values(stored, header)
    bits = 8 * stored.dtype.itemsize
    if stored.dtype.kind == "u" and bits > 16:
        stored = (stored >> (bits - 16)).astype(np.uint16)
    return to_grayscale(stored, where=where)
