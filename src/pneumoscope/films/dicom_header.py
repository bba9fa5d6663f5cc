"""The data set of a DICOM file: parsed, inflated within bounds, and completed where the standard leaves no doubt."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import FilmTooLarge
from pneumoscope.films.limits import check_dimensions

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["parse_data_set", "whole_number"]

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
