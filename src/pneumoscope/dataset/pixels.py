"""A film's pixels, wherever its source keeps them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope import films
from pneumoscope.dataset.npz import npz_image
from pneumoscope.domain.radiograph import FilmInfo, Radiograph
from pneumoscope.films.tones import gray_of
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.dataset.manifest import FilmRow, Manifest

__all__ = ["open_film", "read_film"]

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
    return films.load(root / path, max_pixels=Settings.from_environment().max_pixels)


def _film_inside(file: Path, part: str, index: int, path: str) -> Radiograph:
    """A film of an .npz file. Its least side is not asked: the smallest MedMNIST pictures have 28 pixels."""
    tones = gray_of(npz_image(file, part, index), where=path)
    rows, columns = tones.pixels.shape
    digest = sha256(f"{tones.pixels.dtype} {rows} {columns} ".encode() + tones.pixels.tobytes()).hexdigest()
    info = FilmInfo(path=path, sha256=digest, format="array", rows=rows, columns=columns)
    return Radiograph(pixels=tones.pixels, white=tones.white, info=info, warnings=tones.warnings)
