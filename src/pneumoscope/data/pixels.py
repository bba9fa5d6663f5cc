"""Pixels of a film of a manifest, from an image file or an .npz."""

from __future__ import annotations

import re
import zipfile
from functools import lru_cache
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import UnreadableFilm
from pneumoscope.films.grayscale import to_grayscale
from pneumoscope.films.load import load
from pneumoscope.settings import Settings
from pneumoscope.types.radiograph import FilmInfo, Radiograph

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest

__all__ = ["npz_array", "npz_image", "open_film", "read_film"]

_ONE_AT_A_TIME = Lock()  # or every thread would unpack the same array


def npz_image(path: Path, part: str, index: int) -> NDArray[Any]:
    """One film: [H, W] or [H, W, C].

    Raises:
        UnreadableFilm: The file, the array or the film is not there.
    """
    images = npz_array(path, f"{part}_images")
    if index >= len(images):
        raise UnreadableFilm(
            f"there are only {len(images)} films in {part}_images", where=path, remedy="Make the manifest again"
        )
    return np.ascontiguousarray(images[index])


def npz_array(path: Path, name: str) -> NDArray[Any]:
    """One array of the file; the last few stay in memory.

    Raises:
        UnreadableFilm: The file or the array is not there, or damaged.
    """
    try:
        with _ONE_AT_A_TIME:
            return _unpack(path, name, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UnreadableFilm(
            f"the array {name} cannot be read ({error})", where=path, remedy="Fetch it again"
        ) from error


@lru_cache(maxsize=3)
def _unpack(path: Path, name: str, changed: int) -> NDArray[Any]:
    del changed  # only so that a file that was written again is read again
    with np.load(path, allow_pickle=False) as file:
        array: NDArray[Any] = file[name]
    return array


_INSIDE = re.compile(r"^(?P<file>.+\.npz)#(?P<part>\w+)/(?P<index>\d+)$")


def read_film(manifest: Manifest, row: FilmRow) -> Radiograph:
    """The pixels of a film of a manifest, from any source.

    Raises:
        FilmError: It cannot be read (any more).
    """
    return open_film(manifest.root, row.path)


def open_film(root: Path, path: str) -> Radiograph:
    """Decode a film; its ``info.sha256`` names its content.

    Args:
        root: The manifest's root.
        path: The row's path.

    Raises:
        FilmError: It cannot be read.
    """
    if inside := _INSIDE.match(path):
        return _film_inside(root / inside["file"], inside["part"], int(inside["index"]), path)
    return load(root / path, max_pixels=Settings.from_environment().max_pixels)


def _film_inside(file: Path, part: str, index: int, path: str) -> Radiograph:
    """A film of an .npz file. Its least side is not asked: the smallest MedMNIST pictures have 28 pixels."""
    tones = to_grayscale(npz_image(file, part, index), where=path)
    rows, columns = tones.pixels.shape
    digest = sha256(f"{tones.pixels.dtype} {rows} {columns} ".encode() + tones.pixels.tobytes()).hexdigest()
    info = FilmInfo(path=path, sha256=digest, format="array", rows=rows, columns=columns)
    return Radiograph(pixels=tones.pixels, white=tones.white, info=info, warnings=tones.warnings)
