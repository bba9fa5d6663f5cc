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
        bool [h, w]; ``on`` itself if nothing is left out.
    """
    lengths, parts = _runs(on)
    sizes: dict[int, int] = {}
    for part, length in zip(parts, lengths.tolist(), strict=True):
        sizes[part] = sizes.get(part, 0) + length
    order = sorted(sizes, key=lambda part: (-sizes[part], -part))[:2]
    kept = {part for part in order if sizes[part] >= _LEAST * sizes[order[0]]}
    if len(kept) == len(sizes):
        return on
    chosen = on.copy()
    chosen[on] = np.repeat([part in kept for part in parts], lengths)
    return chosen


def components(on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Label 4-connected parts: int64 [h, w], 0 outside, 1 for the part whose last place comes first."""
    lengths, parts = _runs(on)
    _, part = np.unique(np.array(parts, dtype=np.int64), return_inverse=True)
    labels = np.zeros(on.shape, dtype=np.int64)
    labels[on] = np.repeat(part + 1, lengths)
    return labels


def _runs(on: NDArray[np.bool_]) -> tuple[NDArray[np.int64], list[int]]:
    """The runs of a mask, row by row: their lengths, and for each the last run of its part.

    Places of a row that follow one another are a run, and runs of neighbouring rows that touch are joined. The lungs of
    a 64 x 64 mask have some eighty runs, so this takes no time beside a network.
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
    root = list(range(len(low)))
    for run, (above, until) in enumerate(zip(low, high, strict=True)):
        for other in range(above, until):
            one = other
            while root[one] != one:
                root[one] = root[root[one]]
                one = root[one]
            root[one] = run  # a later run is always a root still: the last run of a part names it
    for run in reversed(range(len(root))):
        root[run] = root[root[run]]
    return last - first, root
