"""How sure a figure is: the patient-clustered bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import group_numbers
from pneumoscope.statistics.proportions import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Estimate", "bootstrap", "bootstrap_sums"]

_CELLS = 100_000  # group picks held at once: they stay in the cache, and memory stays small


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its bootstrap interval.

    Attributes:
        value: On the films as they are.
        low: Lower end of the interval.
        high: Upper end.
        n: Films.
        groups: Patients, the units that were drawn.
        draws: Resamples that could be computed.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int
    draws: int

    def __str__(self) -> str:
        """As printed in tables."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap(
    statistic: Callable[..., float],
    arrays: Sequence[ArrayLike],
    groups: ArrayLike | None = None,
    draws: int = 2000,
    *,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Estimate:
    """The percentile bootstrap of any statistic, drawing whole patients.

    Films of one patient are alike, so that drawing films one by one would give intervals that are too
    narrow; all films of a drawn patient come along (cluster bootstrap: Davison and Hinkley, "Bootstrap
    Methods and their Application" (1997), section 3.8; percentile interval: Efron and Tibshirani, "An
    Introduction to the Bootstrap" (1993), section 13.3).

    Use ``bootstrap_sums`` where the statistic is a function of sums over films: it is several times faster.

    Args:
        statistic: Takes the resampled arrays, in order, and gives a number. A resample for which it raises
            ValueError (one class only) is left out.
        arrays: Each with N rows.
        groups: [N], the patient of each film; None: every film is its own patient.
        draws: Resamples.
        generator: Source of chance; the same state gives the same interval.
        confidence: Of the interval.

    Returns:
        The estimate. The interval always holds the value: a statistic that is biased upwards under
        resampling, like the calibration error, could otherwise fall below its own interval.

    Raises:
        ValueError: The lengths differ, there are no films, or fewer than half of the resamples can be computed.
    """
    columns = [np.asarray(array) for array in arrays]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"arrays must be of one length and hold at least one film, not {sorted(lengths)}")
    n = lengths.pop()
    numbers, count = group_numbers(groups, n)
    value = float(statistic(*columns))
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers, minlength=count)
    starts = np.cumsum(sizes) - sizes
    found = []
    for picks in drawn_groups(count, draws, generator):
        for picked in picks:
            rows = order[_spread(starts[picked], sizes[picked])]
            try:
                found.append(float(statistic(*(column[rows] for column in columns))))
            except ValueError:
                continue
    return percentile_estimate(value, np.asarray(found), draws=draws, n=n, groups=count, confidence=confidence)


def bootstrap_sums(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    values: ArrayLike,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    *,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Estimate:
    """``bootstrap`` for a statistic that needs only sums over films: means, F1, calibration error with fixed bins.

    The sums are taken once for each patient; a resample is then a weighted sum, and all of them are one
    matrix product. The same generator state draws the same patients as in ``bootstrap``.

    Args:
        statistic: Takes sums, float64 [draws, K], and gives float64 [draws]; NaN where it cannot be computed.
        values: [N, K] (or [N]), what is summed. The number of films is no extra column: append one of ones.
        groups: As in ``bootstrap``.
        draws: As in ``bootstrap``.
        generator: As in ``bootstrap``.
        confidence: As in ``bootstrap``.

    Raises:
        ValueError: As in ``bootstrap``.
    """
    rows, totals = group_totals(values, groups)
    value = float(statistic(totals.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        raise ValueError("the statistic cannot be computed on these films")
    count = len(totals)
    computed = np.concatenate([statistic(times @ totals) for times in drawn_times(count, draws, generator)])
    return percentile_estimate(
        value, computed[np.isfinite(computed)], draws=draws, n=rows, groups=count, confidence=confidence
    )


def group_totals(values: ArrayLike, groups: ArrayLike | None) -> tuple[int, NDArray[np.float64]]:
    """The number of films, and the sums of ``values`` [N, K] or [N] over each group: float64 [G, K].

    Raises:
        ValueError: A value is not finite, there are no films, or the lengths differ.
    """
    rows = np.asarray(values, dtype=np.float64)
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError(f"values must be finite, with one row a film, not of the shape {rows.shape}")
    numbers, count = group_numbers(groups, len(rows))
    return len(rows), np.stack([np.bincount(numbers, weights=column, minlength=count) for column in rows.T], axis=1)


def drawn_times(count: int, draws: int, generator: np.random.Generator) -> Iterator[NDArray[np.float64]]:
    """How often each group was drawn: float64 [some draws, count], a bounded number at a time."""
    for picks in drawn_groups(count, draws, generator):
        cells = picks + (np.arange(len(picks)) * count)[:, None]
        yield np.bincount(cells.ravel(), minlength=picks.size).reshape(len(picks), count).astype(np.float64)


def drawn_groups(count: int, draws: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Drawn groups, int64 [some draws, count], a bounded number at a time."""
    left, most = draws, max(1, _CELLS // count)
    while left > 0:
        yield generator.integers(count, size=(min(left, most), count))
        left -= most


def _spread(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """start, start + 1, ... for each group, one behind the other, without a loop."""
    ends = np.cumsum(sizes)
    spread: NDArray[np.int64] = np.arange(ends[-1]) + np.repeat(starts - (ends - sizes), sizes)
    return spread


def percentile_estimate(
    value: float, found: NDArray[np.float64], *, draws: int, n: int, groups: int, confidence: float
) -> Estimate:
    """The percentile interval of the resamples that could be computed, which always holds the value.

    Raises:
        ValueError: Fewer than half of them could be.
    """
    normal_quantile(confidence)  # says no to an impossible confidence
    if len(found) * 2 < draws or len(found) == 0:
        raise ValueError(f"only {len(found):,} of {draws:,} resamples can be computed")
    low, high = np.quantile(found, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Estimate(
        value=value, low=min(float(low), value), high=max(float(high), value), n=n, groups=groups, draws=len(found)
    )
