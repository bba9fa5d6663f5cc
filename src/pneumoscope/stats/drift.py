"""Data drift: the population stability index, and what chance alone would make of it.

From numpy and the standard library alone, because the web application counts with it and installs no scipy.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MIN_FILMS",
    "PSI_THRESHOLD",
    "QUANTILES",
    "Drift",
    "Histogram",
    "drift",
    "drift_from_quantiles",
    "histogram",
    "histogram_from_quantiles",
    "quantile_edges",
    "quantiles_of",
]

PSI_THRESHOLD = 0.2
"""Index above which a population is said to have changed (Siddiqi, "Credit Risk Scorecards" (2006), chapter 8)."""

MIN_FILMS = 20
"""Films on either side below which nothing is said."""

QUANTILES = 101
"""Quantiles that stand for a sample, from its least value to its largest in steps of a hundredth of the films."""

_DECIMALS = 6  # of quantiles that are kept, and of what is compared with them
_BINS = 10
_PER_BIN = 10  # films of the smaller side that a bin should hold
_CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True)
class Histogram:
    """How values fall into bins.

    Attributes:
        edges: Inner edges, rising, [B - 1]; the first bin reaches down and the last one up without end.
        counts: Values in each bin, [B].
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of values."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far values lie from those of the reference.

    Attributes:
        index: Population stability index, at least 0; None with too few films, or a reference of one value.
        chance: What the index stays below in 99 of 100 samples of these sizes if nothing has changed; None likewise.
        reference: The reference in its bins.
        now: The films of now, in the same bins.
    """

    index: float | None
    chance: float | None
    reference: Histogram
    now: Histogram

    @property
    def alarm(self) -> bool:
        """Above the threshold, and above what chance would do."""
        return self.index is not None and self.chance is not None and self.index > max(PSI_THRESHOLD, self.chance)

    @property
    def sharp(self) -> bool:
        """Whether there are films enough for an index at the threshold to mean something."""
        return self.chance is not None and self.chance <= PSI_THRESHOLD


def drift(reference: ArrayLike, now: ArrayLike) -> Drift:
    """The population stability index of two samples, in bins of the reference's quantiles.

    The sum over the bins of (p - q) ln(p / q): Jeffreys' divergence of the two histograms (Jeffreys, Proc. R. Soc. A
    186 (1946) 453). Half a film is added to each bin, so that an empty one does not make it infinite. Where nothing
    has changed, index / (1/n + 1/m) is near to chi-squared with B - 1 degrees (Yurdakul, "Statistical properties of
    population stability index", Western Michigan University (2018), chapter 3): with few films it passes 0.2 by chance
    alone, so that there is a second bar, which falls as the films grow in number.

    Args:
        reference: Finite values, [N].
        now: Finite values, [M].

    Raises:
        ValueError: More than one axis, or a value that is not finite.
    """
    old, new = _values(reference), _values(now)
    edges = quantile_edges(old, _bins(len(old), len(new))) if len(old) else ()
    return _population_stability(histogram(old, edges), histogram(new, edges))


def drift_from_quantiles(quantiles: ArrayLike, films: int, now: ArrayLike) -> Drift:
    """``drift`` where the reference is kept as its quantiles alone.

    The expected share of a bin is what lies between its edges by the quantiles, and the allowance for chance is that of
    the films that they were taken of: the quantiles are few, but they stand for all of them.

    Args:
        quantiles: Of ``quantiles_of``, [QUANTILES].
        films: That they were taken of.
        now: Finite values, [M]; rounded as the quantiles are, so that equal values stay equal.

    Raises:
        ValueError: More than one axis, or a value that is not finite.
    """
    old, new = _values(quantiles), np.round(_values(now), _DECIMALS)
    edges = quantile_edges(old, _bins(films, len(new)))
    return _population_stability(histogram_from_quantiles(old, films, edges), histogram(new, edges))


def quantiles_of(values: ArrayLike) -> tuple[float, ...]:
    """What stands for a sample: rising, [QUANTILES], rounded to six decimals.

    Args:
        values: Finite, [N], N at least 1.
    """
    found = np.quantile(np.round(_values(values), _DECIMALS), np.linspace(0, 1, QUANTILES))
    return tuple(float(value) for value in np.maximum.accumulate(np.round(found, _DECIMALS) + 0.0))


def histogram_from_quantiles(quantiles: ArrayLike, films: int, edges: tuple[float, ...]) -> Histogram:
    """``shares`` of the sample that quantiles were taken of, to about a hundredth; values between two lie evenly.

    Args:
        quantiles: Rising, [Q], Q at least 2.
        films: That they were taken of.
        edges: Inner edges, rising.
    """
    old, inner = _values(quantiles), np.asarray(edges, np.float64)
    # The first quantile at or above an edge, so that films at the edge itself count for the bin above it.
    after = np.clip(np.searchsorted(old, inner, side="left"), 1, len(old) - 1)
    low, high = old[after - 1], old[after]
    part = np.divide(inner - low, high - low, out=np.zeros_like(inner), where=high > low)
    below = np.round(films * (after - 1 + np.clip(part, 0, 1)) / (len(old) - 1)).astype(np.int64)
    counts = np.diff(np.concatenate([[0], below, [films]]))
    return Histogram(edges, tuple(int(count) for count in counts))


def quantile_edges(values: ArrayLike, bins: int) -> tuple[float, ...]:
    """Inner edges that part the values into bins of about one size; fewer where many values are the same.

    Args:
        values: Finite, [N], N at least 1.
        bins: At least 2.
    """
    found = np.unique(np.quantile(_values(values), np.arange(1, bins) / bins))
    # An edge at the least value would leave the first bin empty by construction.
    return tuple(float(edge) for edge in found if edge > np.min(values))


def histogram(values: ArrayLike, edges: tuple[float, ...]) -> Histogram:
    """Count the values of each bin; one at an edge belongs to the bin above it."""
    places = np.searchsorted(np.asarray(edges, np.float64), _values(values), side="right")
    return Histogram(edges, tuple(int(count) for count in np.bincount(places, minlength=len(edges) + 1)))


def _bins(old: int, new: int) -> int:
    """As many as the smaller side can fill."""
    return max(2, min(_BINS, min(old, new) // _PER_BIN))


def _population_stability(before: Histogram, after: Histogram) -> Drift:
    if min(before.n, after.n) < MIN_FILMS or not before.edges:
        return Drift(None, None, before, after)
    p, q = _smoothed(before.counts), _smoothed(after.counts)
    index = float(((p - q) * np.log(p / q)).sum())
    chance = _chi_squared(len(before.edges), _CONFIDENCE) * (1 / before.n + 1 / after.n)
    return Drift(index, chance, before, after)


def _values(values: ArrayLike) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("values must be finite, with one axis")
    return found


def _smoothed(counts: tuple[int, ...]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.asarray(counts, np.float64) + 0.5
    total: NDArray[np.float64] = found / found.sum()
    return total


def _chi_squared(degrees: int, confidence: float) -> float:
    """A quantile of the chi-squared law, to a few in a thousand: Wilson and Hilferty, PNAS 17 (1931) 684."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(confidence) * sqrt(part)) ** 3)
