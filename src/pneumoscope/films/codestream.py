"""What compressed bytes will unpack to, asked before they are unpacked."""

from __future__ import annotations

import zlib

__all__ = ["inflated_size_within", "picture_size"]

_DEFLATED = b"1.2.840.10008.1.2.1.99"
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), and SOF55 of JPEG-LS (ISO 14495-1, C.2.2).
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
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
    if frame[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
        elif marker in _FRAME_HEADERS:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


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
