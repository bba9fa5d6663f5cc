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
    kept = np.zeros(len(sizes), dtype=np.bool_)
    kept[[part for part in order.tolist() if sizes[part] > 0 and sizes[part] >= _LEAST * sizes[order[0]]]] = True
    chosen: NDArray[np.bool_] = kept[labels]
    return chosen


def components(on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label 4-connected parts: int64 [h, w], 0 outside, 1 for the part whose last place comes first.

    By runs: a row's places in a line are one, and runs of neighbouring rows that touch are joined. A lung mask of
    64 x 64 has some hundred runs, so this takes no time beside a network.
    """
    height, width = on.shape
    padded = np.zeros((height, width + 2), dtype=np.bool_)
    padded[:, 1:-1] = on
    ends = np.flatnonzero(padded[:, 1:] != padded[:, :-1])  # where a run starts and where it has ended, in turn
    first, last = ends[::2], ends[1::2]
    # A run moved down by a row touches those of the next row that it overlaps: from the first that ends beyond its
    # start to the last that starts before its end.
    low = np.searchsorted(last + width + 1, first, side="right").tolist()
    high = np.searchsorted(first + width + 1, last, side="left").tolist()
    root = list(range(len(first)))
    for run, (above, until) in enumerate(zip(low, high, strict=True)):
        for other in range(above, until):
            one = other
            while root[one] != one:
                root[one] = root[root[one]]
                one = root[one]
            root[one] = run  # a later run is always a root still: the last run of a part names it
    for run in reversed(range(len(root))):
        root[run] = root[root[run]]
    _, part = np.unique(np.array(root, dtype=np.int64), return_inverse=True)
    labels = np.zeros(on.shape, dtype=np.int64)
    labels[on] = np.repeat(part + 1, last - first)
    return labels
