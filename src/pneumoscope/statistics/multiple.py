"""Many comparisons at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["holm"]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted by Holm's step-down method (Scand. J. Statist. 6 (1979) 65).

    Rejecting where the adjusted value is at most alpha keeps the chance of any false rejection at alpha or below,
    whatever the dependence between the tests.

    Args:
        p: [K], from 0 to 1; may be empty.

    Returns:
        float64 [K], in the same order, none below its p.

    Raises:
        ValueError: A value is no probability.
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be from 0 to 1, along one axis")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
