"""What framing, scanning and resizing do to a film's outline.

Functions as in ``tones``: float32 [rows, columns], 0 to 1, in and out; the shape may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.resample import resize

if TYPE_CHECKING:
    from numpy.random import Generator

    from pneumoscope.evaluation.stress.tones import Film

__all__ = ["borders", "crop", "crop_height", "crop_width", "reduce", "rotate", "taller", "wider"]

_LEAST = 32  # pixels: below it no film is read


def rotate(x: Film, degrees: float, rng: Generator) -> Film:
    """Turn about the centre, to a side by chance. The corners continue the film's edge: black ones are ``borders``."""
    angle = degrees * (1 if rng.random() < 0.5 else -1)
    rows, columns = x.shape
    pad = round(0.5 * max(rows, columns) * float(np.sin(np.deg2rad(degrees)))) + 2
    wide = np.pad(x, pad, mode="edge")
    turned = np.asarray(Image.fromarray(wide).rotate(angle, Image.Resampling.BILINEAR), dtype=np.float32)
    return np.ascontiguousarray(turned[pad : pad + rows, pad : pad + columns])


def crop(x: Film, share: float, rng: Generator) -> Film:
    """Cut ``share`` of the height and of the width away, shared out between the sides by chance."""
    return _cut(x, share, share, rng)


def crop_height(x: Film, share: float, rng: Generator) -> Film:
    """Cut top and bottom only: the chest then looks taller in a square picture."""
    return _cut(x, share, 0.0, rng)


def crop_width(x: Film, share: float, rng: Generator) -> Film:
    """Cut left and right only: the chest then looks wider in a square picture."""
    return _cut(x, 0.0, share, rng)


def _cut(x: Film, height: float, width: float, rng: Generator) -> Film:
    where = rng.uniform(0.25, 0.75, 2)  # the same chance whatever the share, so that severities nest
    rows, columns = x.shape
    fewer, narrower = min(round(height * rows), rows - 2), min(round(width * columns), columns - 2)
    top, left = round(fewer * float(where[0])), round(narrower * float(where[1]))
    return np.ascontiguousarray(x[top : rows - fewer + top, left : columns - narrower + left])


def wider(x: Film, factor: float, rng: Generator) -> Film:
    """Stretch the picture sideways: pixels that were not square, or a file resized without care."""
    del rng
    return _to(x, x.shape[0], round(x.shape[1] * factor))


def taller(x: Film, factor: float, rng: Generator) -> Film:
    """Stretch the picture upwards."""
    del rng
    return _to(x, round(x.shape[0] * factor), x.shape[1])


def reduce(x: Film, side: float, rng: Generator) -> Film:
    """Reduce to a short side of ``side`` pixels, and leave it so. A smaller film stays as it is."""
    del rng
    factor = min(1.0, side / min(x.shape))
    return x if factor == 1 else _to(x, round(x.shape[0] * factor), round(x.shape[1] * factor))


def borders(x: Film, share: float, rng: Generator) -> Film:
    """Black borders around the film, on average ``share`` of its sides wide, uneven by chance."""
    rows, columns = x.shape
    top, bottom, left, right = rng.uniform(0.5, 1.5, 4) * share
    pads = ((round(top * rows), round(bottom * rows)), (round(left * columns), round(right * columns)))
    framed: Film = np.pad(x, pads, constant_values=0)
    return framed


def _to(x: Film, rows: int, columns: int) -> Film:
    """Resample with the house's one filter."""
    deep = np.rint(x * 65535).astype(np.uint16)
    small = resize(deep, max(_LEAST, rows), max(_LEAST, columns)) / np.float32(65535)
    kept: Film = np.clip(small, 0, 1)
    return kept
