"""What compressed bytes will unpack to, asked before they are unpacked."""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FrameSize", "frame_size", "png_is_whole", "rle_size", "sequential_scan_without_end"]

# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), and SOF55 of JPEG-LS (ISO 14495-1, C.2.2).
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
# Adam7: left, top, step across, step down of each pass (PNG specification, section 8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SCAN = 0xDA
_MOST_COMPONENTS = 4  # colour with transparency
_MOST_TILES = 4096  # of JPEG 2000; tiles of films are of 128 pixels a side or more
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


class FrameSize(NamedTuple):
    """What a codestream says of its picture.

    Attributes:
        rows: Height in pixels.
        columns: Width.
        components: Channels.
        tiles: Into how many parts it is cut; 1 but for JPEG 2000.
    """

    rows: int
    columns: int
    components: int
    tiles: int = 1

    @property
    def plausible(self) -> bool:
        """Whether a film may be cut so; a decoder sets memory aside for each component of each tile beforehand."""
        return 0 < self.components <= _MOST_COMPONENTS and 0 < self.tiles <= _MOST_TILES


def frame_size(frame: bytes) -> FrameSize | None:
    """What a JPEG, JPEG-LS or JPEG 2000 codestream declares; None for anything else.

    References: ITU-T T.81 B.2.2 (frame header), ITU-T T.800 A.5.1 (SIZ).
    """
    start = frame.find(b"\xff\x4f\xff\x51", 0, 1024)
    if start >= 0:
        siz = frame[start + 8 : start + 42]
        right, bottom, left, top, tile_wide, tile_high, tile_left, tile_top = (
            int.from_bytes(siz[i : i + 4], "big") for i in range(0, 32, 4)
        )
        across, down = (
            -(-(end - begin) // side) if side else 0
            for end, begin, side in ((right, tile_left, tile_wide), (bottom, tile_top, tile_high))
        )
        return FrameSize(bottom - top, right - left, int.from_bytes(siz[32:34], "big"), across * down)
    for marker, at in _segments(frame):
        if marker in _FRAME_HEADERS:
            rows, columns = (int.from_bytes(frame[at + i : at + i + 2], "big") for i in (3, 5))
            return FrameSize(rows, columns, frame[at + 7] if at + 7 < len(frame) else 0)
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


def rle_size(frame: bytes, *, limit: int) -> int:
    """How many bytes an RLE frame unpacks to; counting ends beyond ``limit``.

    Reference: PS3.5 annex G: a header of 64 bytes, then PackBits segments.
    """
    offsets = [int.from_bytes(frame[i : i + 4], "little") for i in range(0, 64, 4)]
    starts = [*offsets[1 : 1 + min(offsets[0], 15)], len(frame)]
    size = 0
    for start, end in pairwise(starts):
        at = start
        while at < end - 1 and size <= limit:
            head = frame[at]
            size += head + 1 if head < 128 else 257 - head if head > 128 else 0
            at += head + 2 if head < 128 else 2 if head > 128 else 1
    return size


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
