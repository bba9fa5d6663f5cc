"""Proportions of films that share patients, and how many films a wanted precision takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import group_numbers
from pneumoscope.statistics.proportions import Interval, wilson_ends

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["clustered_rate", "films_needed", "half_width"]

_MOST = 10_000_000


def clustered_rate(
    hits: ArrayLike,
    groups: ArrayLike | None = None,
    among: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    extra: float = 0.0,
) -> Interval:
    """A proportion with Wilson's interval, widened where films of one patient are alike.

    The number of films is divided by the design effect: the variance between patients over the binomial one (Rao and
    Scott, Biometrics 48 (1992) 577), never taken below 1. Where all films are hits, or none is, there is no variance
    to measure, and the patients are counted instead of the films.

    Args:
        hits: From 0 to 1, [N]: whether each film is a hit, or its share of hits over repeated judgements.
        groups: The patient of each film, [N]; None: every film is its own patient.
        among: From the hits to 1, [N]: whether each film is counted at all, or its share; None: every film is.
        confidence: Of the interval.
        extra: Variance of the proportion that the films' number does not tell, to be added: that of a threshold which
            was itself chosen on films, say.

    Returns:
        The interval; its ``k`` of ``n`` are films (rounded, for shares).

    Raises:
        ValueError: A value outside [0, 1], hits that are not counted, or lengths that differ.
    """
    values = np.asarray(hits, dtype=np.float64)
    counted = np.ones_like(values) if among is None else np.asarray(among, dtype=np.float64)
    if values.ndim != 1 or counted.shape != values.shape or not (np.isfinite(values) & np.isfinite(counted)).all():
        raise ValueError("hits and what they are among must be finite, with one axis of one length")
    if values.min(initial=0) < 0 or counted.max(initial=0) > 1 or (values > counted + 1e-9).any():
        raise ValueError("hits must be from 0 to 1, and each among what is counted")
    numbers, _ = group_numbers(groups, len(values))
    here = counted > 0
    n = float(counted.sum())
    if not here.any():
        return Interval(value=0.5, low=0.0, high=1.0, k=0, n=0)
    share = float(np.clip(values.sum() / n, 0, 1))
    count = len(np.unique(numbers[here]))
    effective = min(n, float(count))
    if 0 < share < 1 and count > 1:
        off = np.bincount(numbers[here], weights=(values - share * counted)[here])
        variance = count / (count - 1) * float(off @ off) / n**2
        alone = share * (1 - share) / n
        effective = n / (max(1.0, variance / alone) + extra / alone)
    low, high = wilson_ends(share, effective, confidence)
    return Interval(value=share, low=low, high=high, k=round(values.sum()), n=round(n))


def half_width(proportion: float, n: float, confidence: float = 0.95) -> float:
    """Half the width of Wilson's interval of a proportion seen among ``n`` films."""
    low, high = wilson_ends(proportion, n, confidence)
    return (high - low) / 2


def films_needed(proportion: float, wanted: float, confidence: float = 0.95) -> int:
    """The least number of films with which Wilson's interval of a proportion is ``wanted`` to either side, or less.

    Near z^2 p (1 - p) / wanted^2, the textbook's number, but right near 0 and 1 as well.

    Args:
        proportion: The one that is expected, in [0, 1].
        wanted: Half width of the interval, above 0 and below 0.5.
        confidence: Of the interval.

    Raises:
        ValueError: The proportion or the half width is out of range.
    """
    if not 0 <= proportion <= 1:
        raise ValueError(f"a proportion must be from 0 to 1, not {proportion}")
    if not 1e-3 <= wanted < 0.5:
        raise ValueError(f"the half width must be from 0.001 to below 0.5, not {wanted}")
    few, many = 0, 1
    while half_width(proportion, many, confidence) > wanted and many < _MOST:
        few, many = many, many * 2
    while many - few > 1:  # the width falls as the films grow in number
        middle = (few + many) // 2
        few, many = (middle, many) if half_width(proportion, middle, confidence) > wanted else (few, middle)
    return many
