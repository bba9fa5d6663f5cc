"""What can be measured without having learned anything: sharpness, and how much of the picture is clipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["clipped_share", "sharpness"]

_MOST = 2**17  # pixels that are looked at, or up to twice as many


def sharpness(seen: NDArray[np.uint8]) -> float:
    """How much of the picture's local contrast is fine: 0 for none to about 0.5 for white noise.

    The mean absolute second difference between neighbours, as a share of the mean absolute difference between places
    eight apart. The picture is squared and small, so a film's grain is averaged out and its edges are what is left;
    enlarging a thumbnail leaves none.

    Args:
        seen: uint8 [S, S].
    """
    gray = seen.astype(np.float32)
    first, second = gray[1:] - gray[:-1], gray[:, 1:] - gray[:, :-1]
    fine = _size(first[1:] - first[:-1]) + _size(second[:, 1:] - second[:, :-1])
    coarse = _size(gray[8:] - gray[:-8]) + _size(gray[:, 8:] - gray[:, :-8])
    return fine / (2 * coarse) if coarse > 0 else 0.0


def _size(difference: NDArray[np.float32]) -> float:
    """Mean of the absolute values, in place: what is given is used up."""
    return float(np.add.reduce(np.abs(difference, out=difference), axis=None)) / difference.size


def clipped_share(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> float:
    """Share of the middle of the picture that is its darkest or its brightest value, whichever is more.

    The middle, because black around a body is as it should be.

    Args:
        pixels: uint8 or uint16 [rows, columns].
    """
    rows, columns = pixels.shape
    middle = pixels[rows // 6 : rows - rows // 6, columns // 6 : columns - columns // 6]
    # Whole lines, in one piece: counting then goes at the memory's pace.
    some: NDArray[np.unsignedinteger] = np.ascontiguousarray(middle[:: max(1, middle.size // _MOST)])
    low, high = int(some.min()), int(some.max())
    near = (high - low) // 64
    return max(np.count_nonzero(some <= low + near), np.count_nonzero(some >= high - near)) / some.size
