"""Rows of a table of figures, each with its interval, or with the reason that it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.metrics import Metric
from pneumoscope.statistics.rates import clustered_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.statistics.intervals import Estimate
    from pneumoscope.statistics.resamples import Resamples

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["ONE_KIND", "Rows"]

ONE_KIND = "all films are of one kind"
"""Why there is no AUC, in words."""


class Rows:
    """Makes rows of the same films.

    Args:
        resamples: Of these films, for what the bootstrap must judge. Where they draw patients with several films,
            proportions are widened too (Rao and Scott), and the AUC's variance is Obuchowski's.
        films: Which films these are; stands in every row.
        confidence: Of the intervals.
    """

    def __init__(self, resamples: Resamples, *, films: str = "", confidence: float = 0.95) -> None:
        self.resamples = resamples
        self._patients = resamples.numbers
        self._films = films
        self._confidence = confidence

    def rate(self, name: str, hits: Mask, among: Mask | None = None) -> Metric:
        """A proportion: of the films ``among`` [N] (all of them without it), those that are ``hits`` [N]."""
        kept = np.ones(len(hits), dtype=bool) if among is None else among
        found = clustered_rate(hits[kept], self._patients[kept], confidence=self._confidence)
        if not found.known:
            return Metric(name, None, None, None, 0, 0, "Wilson", self._films, "there is no film that it is a share of")
        return Metric(name, found.value, found.low, found.high, found.n, found.k, "Wilson", self._films)

    def area(self, name: str, truth: Mask, scores: Floats, among: Mask | None = None) -> Metric:
        """The AUC of the films ``among`` [N]."""
        kept = np.ones(len(truth), dtype=bool) if among is None else among
        n = int(kept.sum())
        if not truth[kept].any() or truth[kept].all():
            return Metric(name, None, None, None, n, None, "DeLong", self._films, ONE_KIND)
        found = delong(truth[kept], scores[kept], self._patients[kept], self._confidence)
        method = "DeLong" if 0 < found.value < 1 else "Wilson of pairs"
        return Metric(name, found.value, found.low, found.high, n, None, method, self._films)

    def sums(self, name: str, statistic: Callable[[Floats], Floats], values: Floats, *, otherwise: str = "") -> Metric:
        """A figure of sums over films; see ``Resamples.sums``.

        Args:
            name: Of the figure.
            statistic: Takes sums, float64 [draws, K], and gives float64 [draws].
            values: [N, K].
            otherwise: What films are that it cannot be computed of, in words.
        """
        try:
            found = self.resamples.sums(statistic, values)
        except ValueError as error:
            value = float(statistic(np.asarray(values, dtype=np.float64).sum(axis=0, keepdims=True))[0])
            return self._bare(name, value, str(error), otherwise)
        return self._drawn(name, found)

    def weights(
        self,
        names: Sequence[str],
        statistic: Callable[[], Callable[[Floats], Floats]],
        *,
        least: float = 0.5,
        otherwise: str = "",
    ) -> list[Metric]:
        """Figures of the films themselves; see ``Resamples.weights_many``.

        Args:
            names: M.
            statistic: Makes the statistic, which gives [draws, M]; a ValueError of it means that these films have no
                such figure.
            least: Share of the resamples that must be computable.
            otherwise: What films are that they cannot be computed of, in words.
        """
        try:
            of_weights = statistic()
        except ValueError as error:
            return [self._bare(name, None, str(error)) for name in names]
        try:
            found = self.resamples.weights_many(of_weights, least=least)
        except ValueError as error:  # the figure stands without an interval, unless it has no value either
            values = of_weights(np.ones((1, self.resamples.n)))[0]
            return [
                self._bare(name, float(value), str(error), otherwise) for name, value in zip(names, values, strict=True)
            ]
        return [self._drawn(name, one) for name, one in zip(names, found, strict=True)]

    def _drawn(self, name: str, found: Estimate) -> Metric:
        # Where all resamples agree (no error, no call) the bootstrap sees no doubt, and there is some: no interval.
        if found.low == found.high:
            return self._bare(name, found.value, "the resamples all agree, and would call it certain")
        return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", self._films)

    def _bare(self, name: str, value: float | None, why: str, otherwise: str = "") -> Metric:
        """A row without an interval, or without a value too, and the reason."""
        known = value if value is not None and np.isfinite(value) else None
        if otherwise:
            why = otherwise if known is None else f"{why}: in the others {otherwise}"
        return Metric(name, known, None, None, self.resamples.n, None, "bootstrap", self._films, why)
