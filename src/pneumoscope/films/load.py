"""Load a film from a path, bytes, a Pillow image or an array."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.errors import FilmError, FilmTooLarge, UnreadableFilm, UnsupportedFilm
from pneumoscope.films.archives import member_bytes
from pneumoscope.films.grayscale import GrayImage, to_grayscale
from pneumoscope.films.limits import check_dimensions, damaged_file, truncated_file
from pneumoscope.films.raster import read_pil_image, read_raster
from pneumoscope.films.sniff import name_foreign_format, sniff
from pneumoscope.settings import Settings
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["film_bytes", "load"]

_MAX_PIXELS = Settings().max_pixels
_MAX_BYTES_A_PIXEL = 16  # four channels of 32 bits, unpacked; a larger file holds no film within the limit


def load(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[Any],
    *,
    name: str | None = None,
    max_pixels: int = _MAX_PIXELS,
) -> Radiograph:
    """Read one film.

    What a file is, is told from its first bytes and never from its name. Safe to call from many threads.

    Args:
        source: A path, the bytes of a file, a Pillow picture, or an array: uint8, uint16, other integers
            or floats, [rows, columns] or [rows, columns, 3] or [rows, columns, 4].
        name: What to call the film in ``info.path`` and in errors; a path is called by itself.
        max_pixels: Largest film, in pixels. It is asked before anything is decoded.

    Returns:
        The film in the MONOCHROME2 sense; what was odd stands in its ``warnings``.

    Raises:
        UnreadableFilm: Not there, not a picture, empty, cut short, damaged, or under 32 pixels on a side.
        UnsupportedFilm: A sound file of a kind that is not read here.
        FilmTooLarge: More than ``max_pixels``.
    """
    if isinstance(source, np.ndarray):
        where = name or "array"
        if source.ndim >= 2:
            check_dimensions(source.shape[0], source.shape[1], where=where, max_pixels=max_pixels)
        return _radiograph_of_numbers(to_grayscale(source, where=where), where)
    if isinstance(source, Image.Image):
        where = name or "picture"
        return _radiograph_of_numbers(_tones_of_picture(source, where, max_pixels), where)
    if isinstance(source, bytes | bytearray | memoryview):
        return _radiograph_of_bytes(bytes(source), name or "bytes", max_pixels)
    if isinstance(source, str | os.PathLike):
        where = name or os.fspath(source)
        return _radiograph_of_bytes(_read(Path(source), where, max_pixels), where, max_pixels)
    raise TypeError(f"a film is a path, bytes, a picture or an array, not {type(source).__name__}")


def film_bytes(path: str | os.PathLike[str], *, max_pixels: int = _MAX_PIXELS) -> bytes:
    """The bytes of a film's file, also inside an archive.

    Raises:
        FilmError: It cannot be read.
    """
    return _read(Path(path), os.fspath(path), max_pixels)


def _read(path: Path, where: str, max_pixels: int) -> bytes:
    """The bytes of a file, or one clear reason why not."""
    try:
        if not path.exists() and (inside := member_bytes(path, max_pixels * _MAX_BYTES_A_PIXEL + 2**24)) is not None:
            return inside
        status = path.stat()
        if S_ISDIR(status.st_mode):
            raise UnreadableFilm("a folder, not a film", where=where, remedy="Name the films in it")
        if not S_ISREG(status.st_mode):
            raise UnreadableFilm("not an ordinary file", where=where, remedy="Save the film as a file")
        if status.st_size > max_pixels * _MAX_BYTES_A_PIXEL + 2**24:
            raise FilmTooLarge(
                f"a file of {status.st_size / 1e9:.1f} GB is no film",
                where=where,
                remedy="If it is, raise the limit with PNEUMOSCOPE_MAX_PIXELS",
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableFilm("there is no such file", where=where, remedy="Check the path") from error
    except PermissionError as error:
        raise UnreadableFilm("the file may not be read", where=where, remedy="Ask for permission to read it") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = (getattr(error, "strerror", None) or "not a path").lower()
        raise UnreadableFilm(f"the file cannot be read ({reason})", where=where, remedy="Check the path") from error


def _radiograph_of_bytes(data: bytes, where: str, max_pixels: int) -> Radiograph:
    if not data:
        raise UnreadableFilm("the file is empty", where=where, remedy="Copy or export it again")
    kind = sniff(data)
    if kind is None:
        what = name_foreign_format(data)
        if what is None:
            raise UnreadableFilm(
                "not a picture of a known kind",
                where=where,
                remedy="Give JPEG, PNG, TIFF, BMP or DICOM",
            )
        error = UnreadableFilm if what == "a text file" else UnsupportedFilm
        raise error(f"{what}, not a film", where=where, remedy="Give JPEG, PNG, TIFF, BMP or DICOM")
    digest = sha256(data).hexdigest()
    if kind == "DICOM":
        from pneumoscope.films.dicom import read_dicom  # noqa: PLC0415 - pydicom is slow to import

        return read_dicom(data, where=where, digest=digest, max_pixels=max_pixels)
    tones = read_raster(data, kind, where=where, max_pixels=max_pixels)
    rows, columns = tones.pixels.shape
    info = FilmInfo(path=where, sha256=digest, format=kind, rows=rows, columns=columns)
    return Radiograph(pixels=tones.pixels, white=tones.white, info=info, warnings=tones.warnings)


def _tones_of_picture(picture: Image.Image, where: str, max_pixels: int) -> GrayImage:
    check_dimensions(picture.height, picture.width, where=where, max_pixels=max_pixels)
    try:
        picture.load()
        return read_pil_image(picture, where=where, max_pixels=max_pixels)
    except FilmError:
        raise
    except Exception as error:  # a picture opened lazily decodes here, and may be damaged
        if "truncated" in str(error):
            raise truncated_file(where) from error
        raise damaged_file(picture.format or "picture", where) from error


def _radiograph_of_numbers(tones: GrayImage, where: str) -> Radiograph:
    rows, columns = tones.pixels.shape
    digest = sha256(tones.pixels.tobytes()).hexdigest()
    info = FilmInfo(path=where, sha256=digest, format="array", rows=rows, columns=columns)
    return Radiograph(pixels=tones.pixels, white=tones.white, info=info, warnings=tones.warnings)
