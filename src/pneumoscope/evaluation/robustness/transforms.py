"""Gray-level and geometric transforms of a film that corruptions are made of.

Every function takes a film float32 [rows, columns], 0 to 1 over its own range from black to white, one strength, and
a source of chance (most need none), and gives a new film of the same shape. ``unit`` is 1/224 of the film's short
side, so that a strength means the same on a film of any size.

Functions as in ``tones``: float32 [rows, columns], 0 to 1, in and out; the shape may change.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.films.resample import resize

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "blur",
    "borders",
    "contrast",
    "crop",
    "crop_height",
    "crop_width",
    "expose",
    "flatten",
    "gamma",
    "haze",
    "invert",
    "jpeg",
    "noise",
    "reduce",
    "rotate",
    "sharpen",
    "smooth",
    "taller",
    "unit_of",
    "wider",
]

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Film = NDArray[np.float32]


_NEIGHBOURHOOD = 14.0  # units: the local mean is that of about a sixteenth of the film


def unit_of(x: Film) -> float:
    """1/224 of the short side, in pixels."""
    return float(min(x.shape)) / 224


def smooth(x: Film, sigma: float) -> Film:
    """Gaussian smoothing, edges continued; ``sigma`` in pixels.

    A wide one is three running means, whose cost does not grow with sigma (Wells, IEEE PAMI 8 (1986) 234).
    """
    from scipy.ndimage import gaussian_filter, uniform_filter  # noqa: PLC0415 - slow to import

    if sigma < 6:
        narrow: Film = gaussian_filter(x, sigma, mode="nearest", truncate=3)
        return narrow
    # Three boxes of width w have variance 3 (w^2 - 1) / 12.
    width = max(3, round(float(np.sqrt(4 * sigma**2 + 1))))
    for _ in range(3):
        x = uniform_filter(x, width, mode="nearest")
    return x


def blur(x: Film, sigma: float, rng: Generator) -> Film:
    """Motion and focus: Gaussian blur; ``sigma`` in units."""
    del rng
    return smooth(x, sigma * unit_of(x))


def sharpen(x: Film, amount: float, rng: Generator) -> Film:
    """Edge enhancement: unsharp mask of one unit's radius."""
    del rng
    return np.clip(x + np.float32(amount) * (x - smooth(x, unit_of(x))), 0, 1)


def noise(x: Film, deviation: float, rng: Generator) -> Film:
    """Gaussian grain, each grain one unit wide (one pixel in small films)."""
    grain = max(1, round(unit_of(x)))
    cells = (-(-x.shape[0] // grain), -(-x.shape[1] // grain))
    field = rng.standard_normal(cells, dtype=np.float32)
    if grain > 1:
        field = field.repeat(grain, axis=0).repeat(grain, axis=1)[: x.shape[0], : x.shape[1]]
    return np.clip(x + np.float32(deviation) * field, 0, 1)


def contrast(x: Film, factor: float, rng: Generator) -> Film:
    """Distances from the film's mean times ``factor``; above 1 the ends are clipped."""
    del rng
    mean = x.mean()
    changed: Film = np.clip(mean + np.float32(factor) * (x - mean), 0, 1)
    return changed


def gamma(x: Film, exponent: float, rng: Generator) -> Film:
    """A power law; above 1 darkens the lungs, below 1 brightens them."""
    del rng
    curved: Film = np.power(x, np.float32(exponent))
    return curved


def expose(x: Film, shift: float, rng: Generator) -> Film:
    """All levels moved by ``shift``; what leaves the range is clipped and lost."""
    del rng
    shifted: Film = np.clip(x + np.float32(shift), 0, 1)
    return shifted


def flatten(x: Film, share: float, rng: Generator) -> Film:
    """A share of the local mean taken away: what detail-enhancing processing of digital films does."""
    del rng
    low = smooth(x, _NEIGHBOURHOOD * unit_of(x))
    changed: Film = np.clip(x - np.float32(share) * (low - low.mean()), 0, 1)
    return changed


def haze(x: Film, share: float, rng: Generator) -> Film:
    """A share of the local contrast taken away; the local mean stays: scatter, an old cassette, a photographed film."""
    del rng
    low = smooth(x, _NEIGHBOURHOOD * unit_of(x))
    return np.clip(low + np.float32(1 - share) * (x - low), 0, 1)


def jpeg(x: Film, quality: float, rng: Generator) -> Film:
    """Through a JPEG file of that quality (libjpeg's scale), in 8 bits."""
    del rng
    file = io.BytesIO()
    Image.fromarray(np.rint(x * 255).astype(np.uint8)).save(file, "JPEG", quality=round(quality))
    with Image.open(file) as picture:
        return np.asarray(picture, dtype=np.float32) / np.float32(255)


def invert(x: Film, strength: float, rng: Generator) -> Film:
    """Black for white; there is one strength only."""
    del strength, rng
    return 1 - x


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
