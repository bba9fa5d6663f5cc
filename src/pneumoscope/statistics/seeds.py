"""Whether two ways of training differ by more than their seeds do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from pneumoscope.statistics.paired import Difference
from pneumoscope.statistics.proportions import normal_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["seed_difference"]


def seed_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Difference:
    """The difference of the means of a figure over seeds (Welch, Biometrika 34 (1947) 28).

    The seeds are the sample: what is asked is whether training again, with other seeds, would show the same
    difference on these films. With three seeds only large differences can be shown.

    Args:
        a: The figure of the first way, one value a seed, two or more.
        b: Of the second way; there may be another number of them.
        confidence: Of the interval.

    Returns:
        The difference; without an interval and a p-value where neither way varies at all.

    Raises:
        ValueError: A value is not finite, or there is one seed only.
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (a, b))
    for values in (first, second):
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
            raise ValueError(f"finite values of two seeds or more are needed, not the shape {values.shape}")
    normal_quantile(confidence)  # says no to an impossible confidence
    parts = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    variance = sum(parts)
    value = float(first.mean() - second.mean())
    low = high = p = None
    if variance > 0:
        scale = float(np.sqrt(variance))
        freedom = variance**2 / sum(
            part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
        )
        half = float(stdtrit(freedom, 0.5 + confidence / 2)) * scale
        low, high, p = value - half, value + half, float(2 * stdtr(freedom, -abs(value) / scale))
    return Difference(
        float(first.mean()), float(second.mean()), value, low, high, p, len(first) + len(second), "Welch, over seeds"
    )
