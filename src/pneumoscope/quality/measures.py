"""Image measures: sharpness, clipping, and the input statistics by which drift is seen.

One function for the web application, which keeps them of every film, and for training, which puts those of the
validation films into the bundle: numbers that were measured in two ways could not be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope.lungs.segmentation import segmenter_input

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

__all__ = ["INPUT_STATISTICS", "INPUT_STATISTICS_SIDE", "clipped_share", "input_statistics", "plain_tone", "sharpness"]

_PLAIN_SHARE = 0.99
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


def plain_tone(pixels: NDArray[np.uint8] | NDArray[np.uint16], white: int) -> Literal["white", "black", "gray"] | None:
    """What a picture is that shows nothing: 99 of 100 pixels are white, or black, or all are one gray; else None.

    Args:
        pixels: uint8 or uint16 [rows, columns].
        white: The value that stands for full white.
    """
    some: NDArray[np.unsignedinteger] = np.ascontiguousarray(pixels[:: max(1, pixels.size // _MOST)])
    near = white // 64
    if np.count_nonzero(some >= white - near) >= _PLAIN_SHARE * some.size:
        return "white"
    if np.count_nonzero(some <= near) >= _PLAIN_SHARE * some.size:
        return "black"
    return "gray" if int(some.max()) - int(some.min()) <= near else None


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


INPUT_STATISTICS = ("mean", "std", "p1", "p99", "sharpness", "aspect")
"""Their names."""

INPUT_STATISTICS_SIDE = 256
"""Pixels a side that are measured: films that are smaller are enlarged, and no enlarged film is sharp."""


def input_statistics(film: Radiograph) -> dict[str, float]:
    """Mean, spread and percentiles as shares of white, sharpness as the gate sees it, and width over height.

    Args:
        film: As it was decoded.

    Returns:
        One number for each of ``STATISTICS``.
    """
    step = max(1, min(film.rows, film.columns) // INPUT_STATISTICS_SIDE)
    some = film.pixels[::step, ::step].astype(np.float32) / film.white
    low, high = np.percentile(some, (1, 99))
    return {
        "mean": float(some.mean()),
        "std": float(some.std()),
        "p1": float(low),
        "p99": float(high),
        "sharpness": sharpness(segmenter_input(film, INPUT_STATISTICS_SIDE)),
        "aspect": film.columns / film.rows,
    }
