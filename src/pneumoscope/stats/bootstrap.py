"""The patient-clustered bootstrap, of one figure or of many from the same resamples."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import group_numbers
from pneumoscope.stats.proportions import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["ConfidenceBand", "Estimate", "Resamples", "bootstrap", "bootstrap_sums"]

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
            rows = order[_group_rows(starts[picked], sizes[picked])]
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


def _group_rows(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
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


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


_KEPT = 64_000_000  # bytes of draws that are kept; more are drawn again each time


@dataclass(frozen=True, slots=True, eq=False)
class ConfidenceBand:
    """A curve with its bootstrap interval, point by point.

    Attributes:
        value: float64 [M], on the films as they are.
        low: float64 [M], lower ends.
        high: float64 [M], upper ends.
    """

    value: Floats
    low: Floats
    high: Floats


class Resamples:
    """Resamples of whole patients, as in ``bootstrap``: the same generator state draws the same patients.

    Args:
        n: Films.
        groups: The patient of each film, [N]; None: every film is its own patient.
        draws: Resamples.
        generator: Source of chance.
        confidence: Of the intervals.

    Raises:
        ValueError: The lengths differ, or there are no films.
    """

    def __init__(
        self,
        n: int,
        groups: ArrayLike | None = None,
        draws: int = 2000,
        *,
        generator: np.random.Generator,
        confidence: float = 0.95,
    ) -> None:
        if n < 1:
            raise ValueError("at least one film is needed")
        self.n, self.draws, self.confidence = n, draws, confidence
        self.numbers, self.count = group_numbers(groups, n)
        self._generator = deepcopy(generator)
        self._kept: list[NDArray[np.uint8]] | None = None

    def sums(self, statistic: Callable[[Floats], Floats], values: ArrayLike) -> Estimate:
        """A figure that needs only sums over films, as ``bootstrap_sums``.

        Args:
            statistic: Takes sums, float64 [draws, K], and gives float64 [draws]; NaN where it cannot be computed.
            values: [N, K] (or [N]), what is summed.

        Raises:
            ValueError: It cannot be computed on these films, or on fewer than half of the resamples.
        """
        totals = self._totals(values)
        value = float(statistic(totals.sum(axis=0, keepdims=True))[0])
        return self._estimate(value, np.concatenate([statistic(times @ totals) for times in self._times()]))

    def band(self, statistic: Callable[[Floats], Floats], values: ArrayLike) -> ConfidenceBand:
        """Many figures at once that need only sums over films.

        Args:
            statistic: Takes sums, float64 [draws, K], and gives finite float64 [draws, M].
            values: [N, K], what is summed.
        """
        totals = self._totals(values)
        value = statistic(totals.sum(axis=0, keepdims=True))[0]
        drawn = np.concatenate([statistic(times @ totals) for times in self._times()])
        low, high = np.quantile(drawn, [0.5 - self.confidence / 2, 0.5 + self.confidence / 2], axis=0)
        return ConfidenceBand(value, np.minimum(low, value), np.maximum(high, value))

    def weights(self, statistic: Callable[[Floats], Floats], *, least: float = 0.5) -> Estimate:
        """A figure that needs the films themselves: it is told how often each was drawn.

        Args:
            statistic: Takes float64 [draws, N], 0 or more, the films of a draw far apart in memory (Fortran's order),
                and gives float64 [draws]; NaN where it cannot be computed.
            least: Share of the resamples that must be computable. Where those that are not would lie at one end of
                the interval, ask for nearly all.

        Raises:
            ValueError: It cannot be computed on these films, or on too few of the resamples.
        """
        return self.weights_many(lambda weights: statistic(weights)[:, None], least=least)[0]

    def weights_many(self, statistic: Callable[[Floats], Floats], *, least: float = 0.5) -> list[Estimate]:
        """``weights`` for several figures that are computed together: the statistic gives float64 [draws, M]."""
        values = statistic(np.ones((1, self.n)))[0]
        # A row a film, so that putting films in order moves whole rows.
        drawn = np.concatenate([statistic(np.ascontiguousarray(times.T)[self.numbers].T) for times in self._times()])
        for computed in np.isfinite(drawn).sum(axis=0):
            if computed < least * self.draws:
                raise ValueError(f"only {computed:,} of {self.draws:,} resamples can be computed")
        return [self._estimate(float(value), column) for value, column in zip(values, drawn.T, strict=True)]

    def _estimate(self, value: float, drawn: Floats) -> Estimate:
        if not np.isfinite(value):
            raise ValueError("the statistic cannot be computed on these films")
        found = drawn[np.isfinite(drawn)]
        return percentile_estimate(
            value, found, draws=self.draws, n=self.n, groups=self.count, confidence=self.confidence
        )

    def _totals(self, values: ArrayLike) -> Floats:
        if len(np.atleast_1d(values)) != self.n:
            raise ValueError(f"values must have a row for each of the {self.n} films, not {np.shape(values)}")
        return group_totals(values, self.numbers)[1]

    def _times(self) -> Iterator[Floats]:
        """How often each patient was drawn: float64 [some draws, count]. Small sets are drawn once and kept."""
        if self._kept is not None:
            yield from (times.astype(np.float64) for times in self._kept)
            return
        keep = self.draws * self.count <= _KEPT
        kept = []
        for times in drawn_times(self.count, self.draws, deepcopy(self._generator)):
            if keep and times.max() < 256:
                kept.append(times.astype(np.uint8))
            else:
                keep = False
            yield times
        self._kept = kept if keep else None
