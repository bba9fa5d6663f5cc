"""Proportions with Wilson's interval, clustered by patient, and the sample size that a wanted precision takes."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import group_numbers
from pneumoscope.types.proportion import Proportion

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Proportion", "clustered_rate", "films_needed", "half_width", "normal_quantile", "wilson", "wilson_ends"]


def normal_quantile(confidence: float) -> float:
    """The two-sided quantile of the normal law: 1.96 for 0.95.

    Raises:
        ValueError: The confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(k: int, n: int, confidence: float = 0.95) -> Proportion:
    """Wilson's score interval of a proportion.

    Wilson, JASA 22 (1927) 209; recommended by Brown, Cai and DasGupta, Statistical Science 16 (2001) 101,
    section 3. It never leaves [0, 1], and k = 0 and k = n give intervals of honest width.

    Args:
        k: How many.
        n: Of how many. With 0 the answer is 0.5 from 0 to 1, the formula's own limit; ``known`` is False.
        confidence: Of the interval.

    Raises:
        ValueError: k is not from 0 to n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"k must be from 0 to n, not {k} of {n}")
    low, high = wilson_ends(k / n if n else 0.5, n, confidence)
    return Proportion(value=k / n if n else 0.5, low=low, high=high, k=int(k), n=int(n))


def wilson_ends(proportion: float, n: float, confidence: float) -> tuple[float, float]:
    """The ends of Wilson's interval of a proportion seen among ``n``, which need not be whole."""
    z2 = normal_quantile(confidence) ** 2
    centre = (n * proportion + z2 / 2) / (n + z2)
    half = sqrt(z2 * (n * proportion * (1 - proportion) + z2 / 4)) / (n + z2)
    # Rounding must not put the end of a certain side beside the value.
    low = 0.0 if proportion == 0 or n == 0 else max(0.0, float(centre - half))
    high = 1.0 if proportion == 1 or n == 0 else min(1.0, float(centre + half))
    return low, high


_MAX_FILMS = 10_000_000


def clustered_rate(
    hits: ArrayLike,
    groups: ArrayLike | None = None,
    among: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    extra: float = 0.0,
) -> Proportion:
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
        return Proportion(value=0.5, low=0.0, high=1.0, k=0, n=0)
    share = float(np.clip(values.sum() / n, 0, 1))
    count = len(np.unique(numbers[here]))
    effective = min(n, float(count))
    if count == here.sum() and 0 < share < 1:  # one film a patient
        effective = n / (1 + extra * n / (share * (1 - share)))
    elif 0 < share < 1 and count > 1:
        off = np.bincount(numbers[here], weights=(values - share * counted)[here])
        variance = count / (count - 1) * float(off @ off) / n**2
        alone = share * (1 - share) / n
        effective = n / (max(1.0, variance / alone) + extra / alone)
    low, high = wilson_ends(share, effective, confidence)
    return Proportion(value=share, low=low, high=high, k=round(values.sum()), n=round(n))


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
    while half_width(proportion, many, confidence) > wanted and many < _MAX_FILMS:
        few, many = many, many * 2
    while many - few > 1:  # the width falls as the films grow in number
        middle = (few + many) // 2
        few, many = (middle, many) if half_width(proportion, middle, confidence) > wanted else (few, middle)
    return many
