"""Pictures without what programs write beside the pixels: camera, place, date, comments, names. The pixels stay.

JPEG and PNG are wrapped anew and their compressed data copied, so that not a bit of the picture changes; of the EXIF
block the orientation alone is kept, because it says which way is up. Every other kind is kept as a gray PNG of the
pixels that were read.

References: ITU-T T.81 B.1 (JPEG markers); PNG specification (W3C, third edition), section 5.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, JpegImagePlugin, PngImagePlugin

from pneumoscope.quiet import quietly

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["bare_jpeg", "bare_png", "gray_png", "stripped"]

_ORIENTATION = 0x0112
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
_SOI, _EOI, _SOS, _APP0, _APP14, _APP15, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE, 0xEF, 0xFE


def stripped(data: bytes, film: Radiograph) -> bytes:
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
        with quietly():
            value = opener(BytesIO(data)).getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block turns no film
        return 1
    return int(value) if value in range(1, 9) else 1
