"""Several sites as a sample of all sites: the mean over sites, and what a further site is to be expected to show.

A random-effects meta-analysis: the sites' own figures differ by more than their films' numbers explain, and what
interests a new hospital is where *its* figure will lie (the prediction interval), not where the mean lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.proportions import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.proportions import Proportion

__all__ = ["PooledProportion", "RandomEffects", "pool_proportions", "random_effects"]

_STEPS = 200


@dataclass(frozen=True, slots=True)
class RandomEffects:
    """A mean over sites.

    Attributes:
        value: The mean.
        low: Lower end of its interval.
        high: Upper end.
        predicted_low: Lower end of the interval in which a further site's true figure lies; minus infinity with one.
        predicted_high: Upper end.
        tau2: Variance of the sites' true figures.
        sites: Their number.
    """

    value: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    tau2: float
    sites: int


def random_effects(effects: ArrayLike, variances: ArrayLike, confidence: float = 0.95) -> RandomEffects:
    """Pool the figures of sites.

    The variance between sites is Paule and Mandel's (J. Res. Natl. Bur. Stand. 87 (1982) 377), recommended by Veroniki
    et al., Res. Synth. Methods 7 (2016) 55. The interval of the mean is Hartung and Knapp's and Sidik and Jonkman's
    (IntHout, Ioannidis, Borm, BMC Med. Res. Methodol. 14 (2014) 25), never narrower than with their factor at 1. The
    prediction interval has sites - 1 degrees of freedom (Partlett and Riley, Stat. Med. 36 (2017) 301; Cochrane
    Handbook 6.5, 10.10.4.3).

    Args:
        effects: One a site, on a scale where they are about normal, [K].
        variances: Of each, by its own films alone, above 0, [K].
        confidence: Of both intervals.

    Raises:
        ValueError: Lengths that differ, no site, or a variance that is not above 0.
    """
    from scipy.stats import t as student  # noqa: PLC0415 - scipy.stats takes half a second

    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape or not len(y) or not (np.isfinite(y) & np.isfinite(v) & (v > 0)).all():
        raise ValueError("effects and variances must be finite and of one length, and variances above 0")
    count = len(y)
    if count == 1:
        half = normal_quantile(confidence) * float(np.sqrt(v[0]))
        only = float(y[0])
        return RandomEffects(only, only - half, only + half, -np.inf, np.inf, 0.0, 1)
    tau2 = _paule_mandel(y, v)
    weights = 1 / (v + tau2)
    mean = float(weights @ y / weights.sum())
    scale = max(1.0, float(weights @ (y - mean) ** 2) / (count - 1))
    variance = scale / float(weights.sum())
    quantile = float(student.ppf(0.5 + confidence / 2, count - 1))
    half, further = quantile * np.sqrt(variance), quantile * np.sqrt(tau2 + variance)
    return RandomEffects(mean, mean - half, mean + half, mean - further, mean + further, tau2, count)


def _paule_mandel(y: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """The variance between sites at which the weighted squares about the mean are their degrees of freedom."""

    def excess(tau2: float) -> float:
        weights = 1 / (v + tau2)
        mean = weights @ y / weights.sum()
        return float(weights @ (y - mean) ** 2) - (len(y) - 1)

    if excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, 1.0
    while excess(high) > 0:
        low, high = high, 2 * high
    for _ in range(_STEPS):  # falls with tau2, so that halving finds it
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class PooledProportion:
    """A proportion over sites; attributes as in ``RandomEffects``, but from 0 to 1, and ``tau2`` of its log-odds."""

    value: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    tau2: float
    sites: int


def pool_proportions(rates: Sequence[Proportion], confidence: float = 0.95) -> PooledProportion:
    """Pool proportions of sites on the scale of log-odds.

    A site's variance is that of its own interval, so that films of one patient count as they should: the interval of a
    ``clustered_rate`` gives the number of independent films that it is worth. Half a film is added to both counts, so
    that none and all have log-odds.

    Args:
        rates: One a site, each of at least one film.
        confidence: Of both intervals.

    Raises:
        ValueError: A site has no film.
    """
    if any(not rate.known for rate in rates):
        raise ValueError("a site without films has no rate")
    worth = np.array([_worth(rate) for rate in rates])
    hits = np.array([rate.value for rate in rates]) * worth + 0.5
    misses = worth + 1 - hits
    found = random_effects(np.log(hits / misses), 1 / hits + 1 / misses, confidence)
    ends = [found.value, found.low, found.high, found.predicted_low, found.predicted_high]
    with np.errstate(over="ignore"):
        value, low, high, predicted_low, predicted_high = (float(1 / (1 + np.exp(-end))) for end in ends)
    return PooledProportion(value, low, high, predicted_low, predicted_high, found.tau2, found.sites)


def _worth(rate: Proportion) -> float:
    """The number of independent films whose Wilson interval is as wide as this one."""
    z2 = normal_quantile(0.95) ** 2
    half = (rate.high - rate.low) / 2
    p = rate.value
    low, high = 1e-3, float(rate.n)
    for _ in range(_STEPS):
        n = (low + high) / 2
        wide = np.sqrt(z2 * (n * p * (1 - p) + z2 / 4)) / (n + z2)
        if p in {0.0, 1.0}:  # one end is clipped there
            wide = z2 / (n + z2) / 2
        low, high = (n, high) if wide > half else (low, n)
    return (low + high) / 2
