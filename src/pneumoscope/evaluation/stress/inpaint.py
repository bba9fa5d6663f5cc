"""Fill a hole in a film from what is around it, smoothly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Film = NDArray[np.float32]

__all__ = ["inpaint"]

_ROUNDS = 4


def inpaint(x: Film, hole: NDArray[np.bool_]) -> Film:
    """Fill a hole with a smooth surface that meets its edge: no line, no texture, no shape of what was there.

    Pull-push (Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.3): means of the known pixels on grids of
    half the size, until none is unknown; then back, each finer grid taking the coarser one where it knows nothing.
    A few rounds of relaxation at every size bring it near the solution of Laplace's equation.

    Args:
        x: float32 [rows, columns].
        hole: bool [rows, columns]; what is to be filled.

    Returns:
        float32 [rows, columns]; outside the hole the bits are those of ``x``. A film that is all hole becomes its mean.
    """
    if not hole.any():
        return x
    if hole.all():
        return np.full_like(x, x.mean())
    filled: Film = np.where(hole, _filled(x, ~hole), x).astype(np.float32)
    return filled


def _filled(x: Film, known: NDArray[np.bool_]) -> Film:
    if known.all():
        return x
    weight = known.astype(np.float32)
    total, count = _half(x * weight), _half(weight)
    there = count > 0
    small = np.where(there, total / np.where(there, count, 1), 0).astype(np.float32)
    coarse = _double(_filled(small, there) if small.size > 1 else small, x.shape)
    y = np.where(known, x, coarse)
    for _ in range(_ROUNDS):
        wide = np.pad(y, 1, mode="edge")
        y = np.where(known, x, (wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4)
    result: Film = y.astype(np.float32)
    return result


def _half(x: Film) -> Film:
    """Sums of two by two; an odd last row or column goes alone."""
    rows, columns = x.shape
    even = np.pad(x, ((0, rows % 2), (0, columns % 2)))
    summed: Film = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return summed


def _double(x: Film, shape: tuple[int, ...]) -> Film:
    """Twice the size by linear interpolation, cut to ``shape``."""
    for axis in (0, 1):
        wide = np.pad(x, [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
        before, here, after = (np.take(wide, np.arange(x.shape[axis]) + k, axis=axis) for k in range(3))
        pair = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=axis + 1)
        x = pair.reshape([n * 2 if k == axis else n for k, n in enumerate(x.shape)])
    return x[: shape[0], : shape[1]]
