"""The only resampler in the project, and the only stretching of intensities."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["resize", "resize_and_stretch", "rotate", "rotated_size", "stretch_contrast", "triangle_weights"]

_LEFT = 1.5  # times the size that is left when a large picture was reduced by cells
_LARGEST_CELL = 5  # pixels a side; Pillow adds larger cells more slowly


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
    return np.asarray(_resize_image(pixels, rows, columns, box), dtype=np.float32)


def rotate(pixels: NDArray[np.uint8] | NDArray[np.uint16], degrees: float) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Rotate about the middle, with nothing cut off and black in the corners.

    Args:
        pixels: uint8 or uint16 [H, W].
        degrees: Clockwise.

    Returns:
        Of the same kind, [H', W'], the box around the rotated picture, with the same middle to within a pixel.
    """
    turned = _as_image(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32)).rotate(
        -degrees, Image.Resampling.BILINEAR, expand=True, fillcolor=0
    )
    if pixels.dtype == np.uint8:
        return np.asarray(turned, dtype=np.uint8)
    fine: NDArray[np.uint16] = np.rint(np.asarray(turned)).astype(np.uint16)
    return fine


def rotated_size(rows: int, columns: int, degrees: float) -> tuple[int, int]:
    """(rows, columns) of what ``rotate`` gives."""
    wide, tall = Image.new("1", (columns, rows)).rotate(-degrees, expand=True).size
    return tall, wide


@lru_cache(maxsize=64)
def triangle_weights(places: int, cells: int, start: float = 0.0, end: float = 1.0) -> NDArray[np.float32]:
    """The weights of ``resize`` along one side, for small grids whose values are no pixels: float32 [cells, places].

    ``triangle(h, rows) @ grid @ triangle(w, columns).T`` is the grid resampled.

    Args:
        places: Of the grid.
        cells: Of the result.
        start: Where the result starts, 0 to 1 of the grid.
        end: Where it ends, likewise.
    """
    step = (end - start) * places / cells
    support = max(step, 1.0)
    middles = start * places + (np.arange(cells) + 0.5) * step
    away = np.abs(np.arange(places) + 0.5 - middles[:, None]) / support
    weights = np.maximum(1.0 - away, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)


def resize_and_stretch(
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
        quick: First reduce what is three or more times too large either way by whole cells, to one and a half times
            the size or more: half to a quarter of the time, and one value in a hundred moves by more than a gray
            level. Not with ``box``.

    Returns:
        uint8 [size, size].
    """
    if pixels.dtype != np.uint8:
        return stretch_contrast(
            np.asarray(_resize_image(pixels, size, size, box, quick=quick), dtype=np.float32), low, high
        )
    picture = _resize_image(pixels, size, size, box, quick=quick)
    black, white = _percentiles(list(accumulate(picture.histogram())), low, high)
    table = _scaled_to_bytes(np.arange(256, dtype=np.float32), black, white)
    found: NDArray[np.uint8] = table.take(np.frombuffer(picture.tobytes(), dtype=np.uint8))
    return found.reshape(size, size)


def _resize_image(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    rows: int,
    columns: int,
    box: tuple[float, float, float, float] | None,
    *,
    quick: bool = False,
) -> Image.Image:
    # 8-bit films go through Pillow's integer path: four times as fast, and within half a gray level.
    picture = _as_image(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    if pixels.shape == (rows, columns) and box is None:
        return picture
    cell = min(int(min(pixels.shape[0] / rows, pixels.shape[1] / columns) / _LEFT), _LARGEST_CELL)
    if quick and box is None and cell > 1:
        # The last cells may reach beyond the picture; the box says how far they are picture.
        whole = (0.0, 0.0, picture.width / cell, picture.height / cell)
        return picture.reduce(cell).resize((columns, rows), Image.Resampling.BILINEAR, box=whole)
    part = None if box is None else (box[1], box[0], box[3], box[2])  # Pillow's order
    return picture.resize((columns, rows), Image.Resampling.BILINEAR, box=part)


def _as_image(pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]) -> Image.Image:
    """The pixels as Pillow takes them; what lies in one piece is not copied and takes the short way."""
    if pixels.dtype == np.uint8 and pixels.flags.c_contiguous:
        return Image.frombuffer("L", (pixels.shape[1], pixels.shape[0]), pixels, "raw", "L", 0, 1)
    return Image.fromarray(pixels)


def stretch_contrast(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
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
    return _scaled_to_bytes(values, float(black), float(white))


def _scaled_to_bytes(values: NDArray[np.float32], black: float, white: float) -> NDArray[np.uint8]:
    if white <= black:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled: NDArray[np.float32] = values - np.float32(black)
    scaled *= np.float32(255.0 / (white - black))
    np.rint(scaled, out=scaled)
    np.maximum(scaled, 0, out=scaled)
    np.minimum(scaled, 255, out=scaled)
    return scaled.astype(np.uint8)


def _percentiles(below: list[int], low: float, high: float) -> tuple[float, float]:
    """Two percentiles of values that were counted, as numpy interpolates them (Hyndman and Fan's type 7).

    Args:
        below: How many are at most each of the 256 values.
        low: Percentile, 0 to 100.
        high: Percentile, 0 to 100.
    """
    last = below[-1] - 1
    found = []
    for share in (low / 100, high / 100):
        place = last * share
        rank = min(int(place), last)
        a, b = bisect_right(below, rank), bisect_right(below, min(rank + 1, last))
        t = place - rank
        found.append(b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t)  # the two ends that numpy takes
    return found[0], found[1]
