"""The only resampler in the project, and the only stretching of intensities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["resize", "stretch", "stretched"]

_LEAST_CELL = 3  # pixels a side; smaller cells save nothing


def resize(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    rows: int,
    columns: int,
    box: tuple[float, float, float, float] | None = None,
) -> NDArray[np.float32]:
    """Resample with an anti-aliased triangle filter, whose support grows with the reduction.

    Args:
        pixels: uint8 or uint16 [H, W].
        rows: Height of the result.
        columns: Width of the result.
        box: What part to take, as (top, left, bottom, right) in pixels, fractions allowed, inside the picture;
            without it, all.

    Returns:
        float32 [rows, columns], in the units of ``pixels``.
    """
    if pixels.shape == (rows, columns) and box is None:
        return pixels.astype(np.float32)
    return np.asarray(_resized(pixels, rows, columns, box), dtype=np.float32)


def stretched(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    size: int,
    low: float,
    high: float,
    box: tuple[float, float, float, float] | None = None,
    *,
    quick: bool = False,
) -> NDArray[np.uint8]:
    """A picture as a network sees it: resampled to a square and stretched.

    The same, to the last bit, as ``stretch(resize(pixels, size, size, box), low, high)``, in half the time for 8-bit
    films: of 256 values the percentiles are counted, not sorted, and each value is stretched once.

    Args:
        pixels: uint8 or uint16 [H, W].
        size: Side of the result.
        low: Percentile that becomes 0.
        high: Percentile that becomes 255.
        box: As for ``resize``.
        quick: First reduce what is six or more times too large either way by whole cells, to twice or three times the
            size: a third of the time, and few values move by more than a gray level. Not with ``box``.

    Returns:
        uint8 [size, size].
    """
    if pixels.dtype != np.uint8:
        return stretch(np.asarray(_resized(pixels, size, size, box, quick=quick), dtype=np.float32), low, high)
    picture = _resized(pixels, size, size, box, quick=quick)
    black, white = _percentiles(np.cumsum(picture.histogram()), low, high)
    table = _stretched(np.arange(256, dtype=np.float32), black, white)
    found: NDArray[np.uint8] = table.take(np.asarray(picture))
    return found


def _resized(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    rows: int,
    columns: int,
    box: tuple[float, float, float, float] | None,
    *,
    quick: bool = False,
) -> Image.Image:
    # 8-bit films go through Pillow's integer path: four times as fast, and within half a gray level.
    picture = Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    if pixels.shape == (rows, columns) and box is None:
        return picture
    cell = min(pixels.shape[0] // rows, pixels.shape[1] // columns) // 2
    if quick and box is None and cell >= _LEAST_CELL:
        # The last cells may reach beyond the picture; the box says how far they are picture.
        whole = (0.0, 0.0, picture.width / cell, picture.height / cell)
        return picture.reduce(cell).resize((columns, rows), Image.Resampling.BILINEAR, box=whole)
    part = None if box is None else (box[1], box[0], box[3], box[2])  # Pillow's order
    return picture.resize((columns, rows), Image.Resampling.BILINEAR, box=part)


def stretch(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Stretch linearly so that the ``low`` percentile is 0 and the ``high`` percentile is 255.

    A picture of one value comes out black.

    Args:
        values: float32 [H, W].
        low: Percentile, 0 to 100.
        high: Percentile, 0 to 100.

    Returns:
        uint8 [H, W].
    """
    black, white = np.percentile(values, (low, high))
    return _stretched(values, float(black), float(white))


def _stretched(values: NDArray[np.float32], black: float, white: float) -> NDArray[np.uint8]:
    if white <= black:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (values - np.float32(black)) * np.float32(255.0 / (white - black))
    clipped: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return clipped


def _percentiles(below: NDArray[np.int64], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of values that were counted, as numpy interpolates them (Hyndman and Fan's type 7).

    Args:
        below: int64 [256], how many are at most each value.
        low: Percentile, 0 to 100.
        high: Percentile, 0 to 100.
    """
    last = int(below[-1]) - 1
    found = []
    for share in (low / 100, high / 100):
        place = last * share
        rank = min(int(place), last)
        a, b = np.searchsorted(below, (rank, min(rank + 1, last)), side="right").tolist()
        t = place - rank
        found.append(b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t)  # the two ends that numpy takes
    return found[0], found[1]
