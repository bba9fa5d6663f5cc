"""Small pictures of films, inside the page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.dataset.pixels import open_film
from pneumoscope.errors import FilmError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Gallery"]

_SIDE, _QUALITY = 224, 72


class Gallery:
    """Opens films when a picture of them is asked for, each once.

    Args:
        root: The manifest's.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, str] = {}

    def picture(self, path: str) -> str:
        """A film as base64 of a small JPEG at its own aspect; "" if it cannot be read any more."""
        if path not in self._made:
            try:
                film = open_film(self._root, path)
            except FilmError:
                self._made[path] = ""
            else:
                levels = np.rint(film.pixels * (255 / film.white)).astype(np.uint8)
                picture = Image.fromarray(levels)
                picture.thumbnail((_SIDE, _SIDE))
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
                self._made[path] = base64.b64encode(file.getvalue()).decode("ascii")
        return self._made[path]
