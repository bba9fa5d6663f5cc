"""What compressed bytes will unpack to, asked before they are unpacked."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["inflated_size_within", "picture_size", "png_is_whole", "sequential_scan_without_end"]

_DEFLATED = b"1.2.840.10008.1.2.1.99"
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), and SOF55 of JPEG-LS (ISO 14495-1, C.2.2).
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
# Adam7: left, top, step across, step down of each pass (PNG specification, section 8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SCAN = 0xDA
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def picture_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a JPEG, JPEG-LS or JPEG 2000 codestream declares; None for anything else.

    References: ITU-T T.81 B.2.2 (frame header), ITU-T T.800 A.5.1 (SIZ).
    """
    start = frame.find(b"\xff\x4f\xff\x51", 0, 1024)
    if start >= 0:
        siz = frame[start + 8 : start + 24]
        right, bottom, left, top = (int.from_bytes(siz[i : i + 4], "big") for i in range(0, 16, 4))
        return bottom - top, right - left
    for marker, at in _segments(frame):
        if marker in _FRAME_HEADERS:
            return int.from_bytes(frame[at + 3 : at + 5], "big"), int.from_bytes(frame[at + 5 : at + 7], "big")
    return None


def sequential_scan_without_end(frame: bytes) -> int:
    """Where a sequential JPEG says that its only scan ends with coefficient 0, which must be 63; 0 if it does not.

    Some early DICOM writers left it so (the NEMA WG04 samples RG*_JPLY are such). ITU-T T.81 B.2.3, table B.3.
    """
    sequential = False
    for marker, at in _segments(frame):
        if marker in (0xC0, 0xC1):
            sequential = True
        elif marker == _SCAN:
            end = at + int.from_bytes(frame[at : at + 2], "big") - 2
            return end if sequential and frame[end - 1 : end + 1] == b"\x00\x00" else 0
    return 0


def _segments(frame: bytes) -> Iterator[tuple[int, int]]:
    """The marker segments of a JPEG up to its first scan, each with the place of its length field."""
    at = 2 if frame[:2] == b"\xff\xd8" else len(frame)
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        yield marker, at + 2
        if marker == _SCAN:
            return
        at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")


def inflated_size_within(data: bytes, limit: int) -> bool:
    """Whether a deflated DICOM file (PS3.5 A.5) unpacks to at most ``limit`` bytes; True for any other file."""
    meta = data[132 : 132 + 4096]
    if data[128:132] != b"DICM" or _DEFLATED not in meta or meta[:4] != b"\x02\x00\x00\x00":
        return True
    # The first element holds the length of the rest of the file meta information (PS3.10 section 7.1).
    start = 144 + int.from_bytes(data[140:144], "little")
    if start >= len(data):
        return True
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflater.decompress(data[start:], limit)
    except zlib.error:
        return True  # damaged, and pydicom will say so
    return not inflater.unconsumed_tail


def png_is_whole(data: bytes) -> bool:
    """Whether a PNG's compressed data holds every row that its header declares.

    A stream that ends early but properly leaves the rest of the picture black in Pillow, without a word.
    Reference: PNG specification (W3C, third edition), sections 8 (interlace), 9 (filter bytes), 11.2.
    """
    columns, rows = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(data[25], 1)
    passes = _ADAM7 if data[28] else ((0, 0, 1, 1),)
    expected = 0
    for left, top, across, down in passes:
        wide, high = -(-(columns - left) // across), -(-(rows - top) // down)
        expected += high * (1 + (wide * bits + 7) // 8) if wide > 0 else 0
    inflater, found, at = zlib.decompressobj(), 0, 8
    while at + 8 <= len(data) and found < expected:
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            packed = data[at + 8 : at + 8 + length]
            while packed and not inflater.eof:  # a megabyte at a time: the stream may be a bomb
                found += len(inflater.decompress(packed, 1 << 20))
                packed = inflater.unconsumed_tail
        at += 12 + length
    return found >= expected
