"""A film's pixels, wherever its source keeps them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope import films
from pneumoscope.dataset.npz import npz_image
from pneumoscope.errors import UnreadableFilm

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.dataset.manifest import FilmRow, Manifest
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["film_bytes", "open_film", "read_film"]

_INSIDE = re.compile(r"^(?P<file>.+\.npz)#(?P<part>\w+)/(?P<index>\d+)$")


def read_film(manifest: Manifest, row: FilmRow) -> Radiograph:
    """The pixels of a film of a manifest, from any source.

    Raises:
        FilmError: It cannot be read (any more).
    """
    return open_film(manifest.root, row.path)[0]


def open_film(root: Path, path: str) -> tuple[Radiograph, str, bytes]:
    """Decode a film.

    Args:
        root: The manifest's root.
        path: The row's path.

    Returns:
        The film, the sha256 that names its content, and the file's bytes (empty for a film inside an .npz file).

    Raises:
        FilmError: It cannot be read.
    """
    if inside := _INSIDE.match(path):
        pixels = npz_image(root / inside["file"], inside["part"], int(inside["index"]))
        head = f"{pixels.dtype.str}{pixels.shape}".encode()
        return films.load(pixels, name=path), sha256(head + pixels.tobytes()).hexdigest(), b""
    data = film_bytes(root / path)
    return films.load(data, name=str(root / path)), sha256(data).hexdigest(), data


def film_bytes(path: Path) -> bytes:
    """A film's file.

    Raises:
        UnreadableFilm: The file is missing, empty, or may not be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableFilm(f"the file cannot be read ({reason})", where=path, remedy="Check the path") from error
    if not data:
        raise UnreadableFilm("the file is empty", where=path, remedy="Fetch it again")
    return data
