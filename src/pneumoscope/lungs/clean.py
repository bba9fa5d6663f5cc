"""Leaving out what is not connected with the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["components", "two_largest"]

_LEAST = 0.25  # of the larger lung: a second part that is smaller is a stray spot


def two_largest(on: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part of a mask, and the second if it could be the other lung.

    Args:
        on: bool [h, w].

    Returns:
        bool [h, w].
    """
    labels = components(on)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(sizes)[::-1][:2]
    kept = [part for part in order.tolist() if sizes[part] > 0 and sizes[part] >= _LEAST * sizes[order[0]]]
    return np.isin(labels, kept)


def components(on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label 4-connected parts: int64 [h, w], 0 outside.

    The label of a place is the largest index that reaches it; indices spread along rows and columns by running
    maxima, which settles a 64 x 64 mask in a few sweeps.
    """
    height, width = on.shape
    labels = np.where(on, np.arange(1, on.size + 1).reshape(height, width), 0)
    while True:
        before = labels
        for axis in (0, 1):
            for turned in (False, True):
                labels = _spread(np.flip(labels, axis) if turned else labels, axis)
                labels = np.flip(labels, axis) if turned else labels
        if np.array_equal(before, labels):
            break
    _, small = np.unique(labels, return_inverse=True)
    small = small.reshape(on.shape)
    return small if not on.all() else small + 1


def _spread(labels: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """Running maximum along an axis that starts again after each 0."""
    # Each run of places gets an offset above all labels before it, so that one accumulate serves all runs.
    runs = np.cumsum(labels == 0, axis=axis) * (labels.size + 1)
    spread = np.maximum.accumulate(labels + runs, axis=axis) - runs
    return np.where(labels == 0, 0, spread)
