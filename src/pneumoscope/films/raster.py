"""JPEG, PNG, TIFF, BMP and their kin, through Pillow."""

from __future__ import annotations

from contextlib import nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pneumoscope.errors import FilmError, FilmTooLarge, UnsupportedFilm
from pneumoscope.films.codestream import frame_size, png_is_whole
from pneumoscope.films.grayscale import (
    COLOUR_WARNING,
    GrayImage,
    apply_exif_orientation,
    composite_over_black,
    is_colour,
    to_grayscale,
)
from pneumoscope.films.limits import check_dimensions, damaged_file, raise_truncated_file, truncated_file
from pneumoscope.quiet import capture_warnings

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["RASTER_FORMATS", "read_pil_image", "read_raster"]

# Image.open would try every plugin and guard against bombs by a limit that belongs to the whole process,
# with a Python warning; the plugins themselves read the header alone and leave the judgement to us.
_OPENERS: dict[str, Callable[[BytesIO], Any]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
}
RASTER_FORMATS = frozenset({*_OPENERS, "HEIC", "AVIF"})

_ODD = {
    "GIF": "a GIF: films are not usually kept so, and it has 256 gray levels at most",
    "WEBP": "a WebP picture: films are not usually kept so, and detail may be lost",
    "HEIC": "an HEIC picture, as telephones keep photographs: films are not usually kept so, and detail may be lost",
    "AVIF": "an AVIF picture: films are not usually kept so, and detail may be lost",
}
_DECODED_IN_PARALLEL = ("JPEG", "BMP", "PNM")
_ORIENTATION = 0x0112
_PHOTOMETRIC = 262
_BITS_PER_SAMPLE = 258
_CUT_SHORT_WORDS = ("truncated", "not large enough", "unexpected end", "eof")


def read_raster(data: bytes, kind: str, *, where: str, max_pixels: int) -> GrayImage:
    """Decode a picture file.

    The header is read first; nothing is decoded when its size is over the limit. EXIF orientation is
    applied, colour becomes luma, transparent parts are laid over black. Of a TIFF with several pages the
    first is read.

    Args:
        data: The whole file.
        kind: One of ``RASTER_FORMATS``, as ``sniff`` tells.
        where: What to call it in an error.
        max_pixels: Largest film, in pixels.

    Raises:
        UnreadableFilm: Damaged, cut short, or too small.
        UnsupportedFilm: An animation, or a layout that Pillow does not know.
        FilmTooLarge: More than ``max_pixels``.
    """
    try:
        with capture_warnings():
            try:
                picture = _opener(kind, where)(BytesIO(data))
            except SyntaxError as error:
                if "pixel mode" in str(error) or "unsupported" in str(error).lower():
                    raise _unknown_layout(kind, where) from error
                raise
            check_dimensions(picture.height, picture.width, where=where, max_pixels=max_pixels)
            notes = _container_notes(picture, data, kind, where)
        if kind == "JPEG2000":
            _refuse_implausible_tiles(data, where)
        parallel = kind in _DECODED_IN_PARALLEL or (kind == "PNG" and b"acTL" not in data)
        with nullcontext() if parallel else capture_warnings():
            picture.load()
        if kind == "JPEG":
            _refuse_early_end(picture, data, where)
        elif kind == "PNG" and _last_row_is_zero(picture) and not png_is_whole(data):
            raise_truncated_file(where)
        tones = read_pil_image(picture, where=where, max_pixels=max_pixels)
    except FilmError:
        raise
    except MemoryError as error:
        raise FilmTooLarge("not enough memory to decode it", where=where, remedy="Make it smaller") from error
    except Image.DecompressionBombError as error:
        raise FilmTooLarge("it unpacks to far more than a film", where=where, remedy="Export it again") from error
    except Exception as error:  # whatever a decoder says of foreign bytes, the film is damaged
        words = str(error).lower()
        if any(sign in words for sign in _CUT_SHORT_WORDS):
            raise truncated_file(where) from error
        raise damaged_file(kind, where) from error
    return GrayImage(tones.pixels, tones.white, (*notes, *tones.warnings))


def _opener(kind: str, where: str) -> Callable[[BytesIO], Any]:
    """The plugin that reads a kind.

    Raises:
        UnsupportedFilm: It is HEIC or AVIF, and what decodes it is not installed.
    """
    if kind in _OPENERS:
        return _OPENERS[kind]
    try:
        if kind == "HEIC":
            from pillow_heif import HeifImageFile  # noqa: PLC0415 - an extra

            return HeifImageFile
        from PIL.AvifImagePlugin import AvifImageFile  # noqa: PLC0415 - not in every Pillow
    except ImportError as error:
        how = "Install it with: pip install 'pneumoscope[heic]'" if kind == "HEIC" else "Save it as PNG"
        raise UnsupportedFilm(f"{kind}, whose decoder is not installed", where=where, remedy=how) from error
    return AvifImageFile


def _unknown_layout(kind: str, where: str) -> UnsupportedFilm:
    return UnsupportedFilm(
        f"a {kind} of a pixel layout that is not read here",
        where=where,
        remedy="Save it as 8 or 16 bit gray PNG",
    )


def _container_notes(picture: Any, data: bytes, kind: str, where: str) -> tuple[str, ...]:
    """What the container itself gives reason to say; an animation is refused."""
    notes = [_ODD[kind]] if kind in _ODD else []
    if kind in ("GIF", "WEBP", "PNG") and getattr(picture, "is_animated", False):
        raise UnsupportedFilm(f"an animated {kind}, not a film", where=where, remedy="Give one picture a film")
    if kind == "TIFF":
        if getattr(picture, "is_animated", False):
            notes.append("a TIFF of several pages: the first was read")
        deep = max(picture.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8
    else:
        deep = kind == "PNG" and data[24] > 8
    if deep and picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        notes.append("16 bits a channel: read with 8")
    return tuple(notes)


def _refuse_implausible_tiles(data: bytes, where: str) -> None:
    size = frame_size(data[data.find(b"\xff\x4f\xff\x51") :])
    if size is not None and not size.plausible:
        raise damaged_file("JPEG2000", where)


def _refuse_early_end(picture: Image.Image, data: bytes, where: str) -> None:
    """Refuse a JPEG whose end marker comes before its picture is complete.

    libjpeg fills what is missing with mid-gray and says so only by a warning that Pillow does not pass on.
    Where the last pixel is mid-gray, the picture is decoded again with a few zeros for its end marker:
    a complete one does not need the marker, and one that is not then runs out of bytes.
    """
    corner = picture.getpixel((picture.width - 1, picture.height - 1))
    if corner not in (128, (128, 128, 128)) or data.count(b"\xff\xda") != 1 or picture.info.get("progressive"):
        return
    with capture_warnings():
        again = JpegImagePlugin.JpegImageFile(BytesIO(data[: data.rfind(b"\xff\xd9")] + bytes(8)))
    try:
        again.load()
    except OSError as error:
        raise truncated_file(where) from error


def _last_row_is_zero(picture: Image.Image) -> bool:
    """Whether the last row is as Pillow leaves rows that were never decoded."""
    return not any(picture.crop((0, picture.height - 1, picture.width, picture.height)).tobytes())


def read_pil_image(picture: Image.Image, *, where: str, max_pixels: int) -> GrayImage:
    """Turn a Pillow picture of any mode into gray levels.

    Raises:
        UnreadableFilm: Too small, or not finite.
        FilmTooLarge: More than ``max_pixels``.
    """
    check_dimensions(picture.height, picture.width, where=where, max_pixels=max_pixels)
    orientation = _orientation(picture)
    inverted = _is_inverted(picture)
    tones = _gray(picture, where)
    pixels = tones.pixels
    if inverted:
        pixels = np.subtract(tones.white, pixels, dtype=pixels.dtype)
    return GrayImage(np.ascontiguousarray(apply_exif_orientation(pixels, orientation)), tones.white, tones.warnings)


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation, 1 to 8. A loaded TIFF was already turned by Pillow."""
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return 1
    try:
        with capture_warnings():
            value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block is no reason to lose the film
        return 1
    return value if value in range(1, 9) else 1


def _is_inverted(picture: Image.Image) -> bool:
    """Whether this is a TIFF where zero is white that Pillow left so: it inverts 1 and 8 bit ones alone."""
    tags = getattr(picture, "tag_v2", None)
    return tags is not None and picture.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0


def _gray(picture: Image.Image, where: str) -> GrayImage:
    mode = picture.mode
    notes: list[str] = []
    if "transparency" in picture.info and mode in ("1", "L", "P", "RGB"):
        picture = picture.convert("LA" if mode in ("1", "L") else "RGBA")
    elif mode == "La":
        picture = picture.convert("LA")
    elif mode in ("RGBa", "PA"):
        picture = picture.convert("RGBA")
    elif mode in ("P", "CMYK", "YCbCr", "HSV", "RGBX"):
        picture = picture.convert("RGB")
    elif mode == "1":
        picture = picture.convert("L")
    elif mode == "LAB":
        picture = picture.getchannel("L")
        notes.append(COLOUR_WARNING)
    if picture.mode not in ("L", "LA", "RGB", "RGBA"):
        return to_grayscale(np.asarray(picture), where=where)
    alpha = np.asarray(picture.getchannel("A")) if picture.mode in ("LA", "RGBA") else None
    if picture.mode in ("RGB", "RGBA"):
        if is_colour(np.asarray(picture)[..., :3]):
            notes.append(COLOUR_WARNING)
        gray = np.asarray(picture.convert("RGB").convert("L"))
    else:
        gray = np.asarray(picture.getchannel("L"))
    if alpha is not None and alpha.min() < 255:
        gray = composite_over_black(gray, alpha, 255)
        notes.append("transparent parts: laid over black")
    return GrayImage(gray, 255, tuple(notes))
