"""Films inside a MedMNIST ``.npz`` file."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import UnreadableFilm

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["npz_array", "npz_image"]

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
