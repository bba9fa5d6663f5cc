"""A proportion and its Wilson interval, from the standard library alone: serving counts with it too."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

__all__ = ["Interval", "normal_quantile", "wilson", "wilson_ends"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A proportion with its counts.

    Attributes:
        value: k / n; without any film (n = 0) it cannot be computed, and is 0.5 between 0 and 1: nothing is known.
        low: Lower end of the interval.
        high: Upper end.
        k: How many.
        n: Of how many.
    """

    value: float
    low: float
    high: float
    k: int
    n: int

    @property
    def known(self) -> bool:
        """Whether there was any film to compute it from."""
        return self.n > 0

    def __str__(self) -> str:
        """As printed in tables: ``0.990 (0.981 to 0.995; 990/1000)``."""
        if not self.known:
            return "cannot be computed (0/0)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}; {self.k}/{self.n})"


def normal_quantile(confidence: float) -> float:
    """The two-sided quantile of the normal law: 1.96 for 0.95.

    Raises:
        ValueError: The confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(k: int, n: int, confidence: float = 0.95) -> Interval:
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
    return Interval(value=k / n if n else 0.5, low=low, high=high, k=int(k), n=int(n))


def wilson_ends(proportion: float, n: float, confidence: float) -> tuple[float, float]:
    """The ends of Wilson's interval of a proportion seen among ``n``, which need not be whole."""
    z2 = normal_quantile(confidence) ** 2
    centre = (n * proportion + z2 / 2) / (n + z2)
    half = sqrt(z2 * (n * proportion * (1 - proportion) + z2 / 4)) / (n + z2)
    # Rounding must not put the end of a certain side beside the value.
    low = 0.0 if proportion == 0 or n == 0 else max(0.0, float(centre - half))
    high = 1.0 if proportion == 1 or n == 0 else min(1.0, float(centre + half))
    return low, high
