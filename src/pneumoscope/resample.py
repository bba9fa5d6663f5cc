"""The only resampler in the project, and the only stretching of intensities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["resize", "stretch"]


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
    # 8-bit films go through Pillow's integer path: four times as fast, and within half a gray level.
    picture = Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    part = None if box is None else (box[1], box[0], box[3], box[2])  # Pillow's order
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BILINEAR, box=part), dtype=np.float32)


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
    if white <= black:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (values - np.float32(black)) * np.float32(255.0 / (white - black))
    clipped: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return clipped
