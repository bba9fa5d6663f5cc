"""A folder of films to time programs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_films"]

_SUFFIXES = {".jpeg", ".jpg", ".png"}
_DRAWN = 20


def make_films(folder: Path, count: int, source: Path | None) -> Path:
    """A folder of links to a source's films, again and again, or to drawn ones of 1000 x 800 pixels.

    Args:
        folder: To be made.
        count: How many.
        source: A folder of JPEG or PNG films; None draws some.

    Raises:
        UsageError: The source has none.
    """
    folder.mkdir(parents=True)
    if source is None:
        source = _draw(folder.with_name("drawn"))
    found = sorted(path.resolve() for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise UsageError("the folder has no JPEG or PNG films", where=source, remedy="Give another --source")
    for number in range(count):
        film = found[number * len(found) // count if count < len(found) else number % len(found)]
        (folder / f"{number:05}{film.suffix}").symlink_to(film)
    return folder


def _draw(folder: Path) -> Path:
    """Phantoms: films that quality control lets pass."""
    if folder.exists():
        return folder
    from pneumoscope.phantom.draw import draw_phantom  # noqa: PLC0415 - scipy-free, but not needed with a source

    folder.mkdir()
    for number in range(_DRAWN):
        pixels = np.asarray(draw_phantom(number, "normal", rows=1000, columns=800).pixels, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpeg", quality=90)
    return folder
