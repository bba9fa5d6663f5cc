"""One set of resamples for many figures: the patients are drawn once, and every figure is taken of the same draws."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import group_numbers
from pneumoscope.statistics.intervals import Estimate, drawn_times, group_totals, percentile_estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Band", "Resamples"]

_KEPT = 64_000_000  # bytes of draws that are kept; more are drawn again each time


@dataclass(frozen=True, slots=True, eq=False)
class Band:
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

    def band(self, statistic: Callable[[Floats], Floats], values: ArrayLike) -> Band:
        """Many figures at once that need only sums over films.

        Args:
            statistic: Takes sums, float64 [draws, K], and gives finite float64 [draws, M].
            values: [N, K], what is summed.
        """
        totals = self._totals(values)
        value = statistic(totals.sum(axis=0, keepdims=True))[0]
        drawn = np.concatenate([statistic(times @ totals) for times in self._times()])
        low, high = np.quantile(drawn, [0.5 - self.confidence / 2, 0.5 + self.confidence / 2], axis=0)
        return Band(value, np.minimum(low, value), np.maximum(high, value))

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
