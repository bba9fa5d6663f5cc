"""One look at a picture: other framing, tones, grain and sharpness, so that none of them tells a film from the rest."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from pneumoscope.resample import stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["look"]


def look(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Look at a picture anew: uint8 [S, S] in and out.

    Without torch: a look costs half a millisecond, and each picture is looked at once or twice, because what is
    learned of it are features that another network has computed.
    """
    gray = Image.fromarray(np.ascontiguousarray(picture))
    size = gray.width
    angle, zoom, aspect = np.radians(rng.uniform(-12, 12)), np.exp(rng.uniform(-0.2, 0.2)), np.exp(rng.normal() * 0.12)
    c, s = np.cos(angle) / zoom, np.sin(angle) / zoom
    inverse = np.array([[c * aspect, s * aspect], [-s / aspect, c / aspect]])
    shift = size / 2 - inverse @ np.full(2, size / 2) + rng.uniform(-0.07, 0.07, 2) * size
    # What lies beyond the picture is as its border: black for most, white for inverted films on a light box.
    ground = int(rng.choice([0, 0, int(np.median(picture[[0, -1]]))]))
    row = [inverse[0, 0], inverse[0, 1], shift[0], inverse[1, 0], inverse[1, 1], shift[1]]
    gray = gray.transform((size, size), Image.Transform.AFFINE, row, Image.Resampling.BILINEAR, fillcolor=ground)
    if rng.random() < 0.3:
        sharper = ImageFilter.UnsharpMask(2, int(rng.uniform(30, 150)), 0)
        gray = gray.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)) if rng.random() < 0.5 else sharper)
    values: NDArray[np.floating] = np.asarray(gray, dtype=np.float32) / 255
    values = values ** np.exp(rng.uniform(-0.45, 0.45))
    values = values + rng.uniform(-0.5, 0.5) * (values - 0.5) * values * (1 - values) * 4
    values = values + rng.normal(size=values.shape).astype(np.float32) * rng.choice([0, 0, rng.uniform(0, 0.05)])
    values = _written_on(rng, values)
    seen = stretch(np.clip(values, 0, 1).astype(np.float32) * np.float32(255), 0.5, 99.5)
    if rng.random() < 0.25:
        held = BytesIO()
        Image.fromarray(seen).save(held, "JPEG", quality=int(rng.uniform(30, 90)))
        seen = np.asarray(Image.open(held))
    return seen


def _written_on(rng: np.random.Generator, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """A bright marker, and a collimated edge, at times."""
    size = len(values)
    values = values.copy()
    if rng.random() < 0.35:
        side = int(rng.uniform(0.04, 0.12) * size)
        top, left = rng.integers(0, size - side, 2)
        cells = np.kron(rng.random((4, 4)) < 0.6, np.ones((side // 4, side // 4), dtype=bool))
        values[top : top + len(cells), left : left + len(cells)][cells] = 1.0
    if rng.random() < 0.25:
        values[: int(rng.uniform(0, 0.12) * size)] = 0
        values[:, : int(rng.uniform(0, 0.12) * size)] = 0
    if rng.random() < 0.25:
        values[size - int(rng.uniform(0, 0.12) * size) :] = 0
        values[:, size - int(rng.uniform(0, 0.12) * size) :] = 0
    return values
