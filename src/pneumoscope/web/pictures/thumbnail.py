"""Small pictures of films, for lists."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pneumoscope.resample import resize, stretch

if TYPE_CHECKING:
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["LONGEST", "thumbnail"]

LONGEST = 160
"""Pixels of a thumbnail's longer side."""

_LOW, _HIGH = 0.5, 99.5  # percentiles that become black and white


def thumbnail(film: Radiograph) -> bytes:
    """A film in small, as JPEG."""
    scale = min(1.0, LONGEST / max(film.rows, film.columns))
    rows, columns = max(1, round(film.rows * scale)), max(1, round(film.columns * scale))
    step = max(1, min(film.rows // rows, film.columns // columns) // 4)  # four pixels for one are enough to average
    few: Any = np.ascontiguousarray(film.pixels[::step, ::step])
    small = resize(few, rows, columns)
    out = BytesIO()
    Image.fromarray(stretch(small, _LOW, _HIGH)).save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()
