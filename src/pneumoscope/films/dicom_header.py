"""The data set of a DICOM file: parsed, inflated within bounds, and completed where the standard leaves no doubt."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import FilmTooLarge, UnreadableFilm
from pneumoscope.films.codestream import frame_size
from pneumoscope.films.limits import check_dimensions

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["complete_pixel_description", "parse_data_set", "whole_number"]

_PIXEL_DESCRIPTION = (
    *("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored"),
    *("PixelRepresentation", "PhotometricInterpretation"),
)
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PIECE = 1 << 20  # bytes that are inflated at a time
_BEFORE_THE_PIXELS = 16 << 20  # bytes: private elements, icons and tables are smaller
_BEHIND_THE_PIXELS = 1 << 20  # bytes: padding and signatures
_SEVERAL_FRAMES = 256 << 20  # bytes; what is larger has one frame
_PIXELS = range(0x7FE00008, 0x7FE00011)  # FloatPixelData, DoubleFloatPixelData and PixelData


def parse_data_set(data: bytes, *, where: str, max_pixels: int) -> Dataset:
    """Parse a DICOM file; what the file meta information should say and does not is filled in.

    A deflated file (PS3.5 A.5) is inflated here, once, in pieces, and to no more than its own Rows and Columns allow:
    pydicom would inflate whatever comes. Where the data set begins and how it is encoded is asked of pydicom's own
    function, so that no file is one thing here and another thing there.

    Args:
        data: The whole file, with or without preamble and file meta information.
        where: What to call it in an error.
        max_pixels: Largest film, in pixels.

    Raises:
        FilmTooLarge: It unpacks to more than a film of its size needs.
        Exception: Whatever pydicom says of foreign bytes.
    """
    from pydicom import dcmread  # noqa: PLC0415 - slow to import, and most films are not DICOM
    from pydicom.filereader import _read_file_meta_info, read_preamble  # noqa: PLC0415
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian  # noqa: PLC0415

    stream = BytesIO(data)
    preamble = read_preamble(stream, force=True)
    meta = _read_file_meta_info(stream)
    if meta.get("TransferSyntaxUID") == _DEFLATED:
        return _inflated_data_set(data, stream.tell(), preamble, meta, where=where, max_pixels=max_pixels)
    stream.seek(0)
    header: Dataset = dcmread(stream, force=True)
    if "TransferSyntaxUID" not in header.file_meta:
        implicit, little = header.original_encoding
        guess = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = guess
    return header


def whole_number(value: Any) -> int | None:
    """A header's value as a whole number; None if it is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def complete_pixel_description(header: Dataset, *, where: str) -> list[str]:
    """Fill in what the header leaves out of its pixels, where the standard leaves no doubt (PS3.3 C.7.6.3).

    Samples of a compressed frame are as many as it has components; unsigned values, all of their bits stored, and
    MONOCHROME2 are what a writer who says nothing means: whether the film is inverted is looked at later.

    Args:
        header: Of a picture; it is completed in place.
        where: What to call it in an error.

    Returns:
        What was filled in, as warnings.

    Raises:
        UnreadableFilm: Rows, Columns or Bits Allocated are missing and cannot be told.
    """
    missing = [keyword for keyword in _PIXEL_DESCRIPTION if header.get(keyword) in (None, "")]
    if not missing:
        return []
    for keyword in ("Rows", "Columns"):
        if keyword in missing:
            raise UnreadableFilm(f"the file does not tell its {keyword}", where=where, remedy="Export the film again")
    if "PixelData" not in header:
        return []  # floats, which need less
    compressed = (
        not header.file_meta.TransferSyntaxUID.is_private and header.file_meta.TransferSyntaxUID.is_encapsulated
    )
    size = frame_size(_first_frame(header)) if compressed else None
    pixels = header.Rows * header.Columns * (whole_number(header.get("NumberOfFrames")) or 1)
    if "SamplesPerPixel" in missing:
        bits = whole_number(header.get("BitsAllocated"))
        whole = None if bits is None or compressed else 8 * len(header.PixelData) // (pixels * bits)
        header.SamplesPerPixel = 3 if (size.components if size else whole) == 3 else 1
    samples = header.SamplesPerPixel
    if "BitsAllocated" in missing:
        stored = whole_number(header.get("BitsStored"))
        bits = {1: 8, 2: 16}.get(len(header.PixelData) // (pixels * samples)) if not compressed else None
        if bits is None and stored is not None:
            bits = 8 if stored <= 8 else 16
        if bits is None:
            raise UnreadableFilm(
                "the file does not tell its BitsAllocated", where=where, remedy="Export the film again"
            )
        header.BitsAllocated = bits
    if "BitsStored" in missing:
        header.BitsStored = header.BitsAllocated
    if "PixelRepresentation" in missing:
        header.PixelRepresentation = 0
    if "PhotometricInterpretation" in missing:
        header.PhotometricInterpretation = "MONOCHROME2" if samples == 1 else "YBR_FULL_422" if compressed else "RGB"
    if samples == 3 and header.get("PlanarConfiguration") is None:
        header.PlanarConfiguration = 0
    return [f"the file does not tell its {keyword}: taken as {header.get(keyword)}" for keyword in missing]


def _first_frame(header: Dataset) -> bytes:
    from pydicom.encaps import generate_frames  # noqa: PLC0415 - as in parse_data_set

    frames = whole_number(header.get("NumberOfFrames")) or 1
    return next(iter(generate_frames(header.PixelData, number_of_frames=frames)), b"")


def _inflated_data_set(
    data: bytes, start: int, preamble: bytes | None, meta: Any, *, where: str, max_pixels: int
) -> Dataset:
    from pydicom.dataset import FileDataset  # noqa: PLC0415 - as in parse_data_set
    from pydicom.filereader import read_dataset  # noqa: PLC0415

    stream = BytesIO(_inflate(memoryview(data)[start:], where=where, max_pixels=max_pixels))
    elements = read_dataset(stream, is_implicit_VR=False, is_little_endian=True)
    encoding = elements._character_set  # noqa: SLF001 - as pydicom's own read_partial
    header: Dataset = FileDataset(stream, elements, preamble, meta, is_implicit_VR=False, is_little_endian=True)
    header.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=encoding)
    return header


def _inflate(packed: memoryview, *, where: str, max_pixels: int) -> bytearray:
    """Inflate a data set: first as much as a header may have, then as much as this header's picture has.

    Raises:
        FilmTooLarge: There is more.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = bytearray()
    allowed, asked = _BEFORE_THE_PIXELS, False
    while not inflater.eof:
        piece = inflater.decompress(packed, _PIECE)
        found += piece
        packed = memoryview(inflater.unconsumed_tail)
        if len(found) > allowed and not asked:
            allowed, asked = _allowed(found, where=where, max_pixels=max_pixels), True
        if len(found) > allowed:
            raise FilmTooLarge("it unpacks to far more than a film", where=where, remedy="Export it again")
        if not piece and not packed:
            break  # cut short: what is there may still be a whole film
    return found


def _allowed(found: bytearray, *, where: str, max_pixels: int) -> int:
    """How many bytes a data set may have, by what its beginning says of its picture; none without a picture.

    Raises:
        UnreadableFilm: The picture is too small.
        FilmTooLarge: It has more than ``max_pixels``.
    """
    from pydicom.filereader import read_dataset  # noqa: PLC0415 - as in parse_data_set

    stream = BytesIO(found)
    header = read_dataset(
        stream, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: int(tag) in _PIXELS
    )
    begin = stream.tell()
    if begin >= len(found):
        return 0
    rows, columns, samples, bits, frames = (
        whole_number(header.get(keyword)) or default
        for keyword, default in (
            ("Rows", 0),
            ("Columns", 0),
            ("SamplesPerPixel", 1),
            ("BitsAllocated", 16),
            ("NumberOfFrames", 1),
        )
    )
    check_dimensions(rows, columns, where=where, max_pixels=max_pixels)
    frame = rows * columns * min(samples, 4) * min(-(-bits // 8), 8)
    return begin + max(frame, min(frame * frames, _SEVERAL_FRAMES)) + _BEHIND_THE_PIXELS
