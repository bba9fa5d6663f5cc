"""The metrics engine: every figure of a set of predictions with its interval, clustered by patient."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.stats.bootstrap import bootstrap_sums
from pneumoscope.stats.calibration import bin_numbers
from pneumoscope.stats.checks import table
from pneumoscope.stats.operating_points import rates_at_threshold
from pneumoscope.stats.proportions import clustered_rate, wilson
from pneumoscope.stats.roc import delong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ONE_CLASS_ONLY",
    "Metric",
    "MetricCalculator",
    "auc_metric",
    "mean_metric",
    "metrics_table",
    "proportion_metric",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.proportions import Proportion

    Sums = NDArray[np.float64]


_BINS = 15
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    Attributes:
        name: "AUC", "recall (screening)", ...
        value: None where it cannot be computed on these films (a class without films).
        low: Lower end of the 95 % interval; None with the value, or where too few resamples can be computed.
        high: Upper end.
        n: Films, or the films that a proportion is of.
        k: How many of them, for a proportion; else None.
        method: Whose interval: "Wilson", "DeLong" ("Wilson of pairs" for an AUC of 0 or 1) or "bootstrap".
        films: Which films: "val", "test".
        why: Why it has no value, or its value no interval, in words; empty where it has both.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    k: int | None
    method: str
    films: str = ""
    why: str = ""

    def __str__(self) -> str:
        """One line, as printed."""
        if self.value is None:
            return f"{self.name}: cannot be computed on these films{self.why and f' ({self.why})'}"
        counts = f"{self.k}/{self.n}" if self.k is not None else f"n = {self.n}"
        if self.low is None or self.high is None:
            return f"{self.name}: {self.value:.3f} (its interval cannot be computed; {counts})"
        return f"{self.name}: {self.value:.3f} ({self.low:.3f} to {self.high:.3f}; {counts})"


def metrics_table(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    positive: Sequence[int],
    operating_points: Mapping[str, float],
    *,
    groups: ArrayLike | None = None,
    generator: np.random.Generator,
    draws: int = 2000,
    films: str = "",
) -> list[Metric]:
    """Every figure of a set of films: two-class ones at each operating point, and those over all classes.

    Intervals: Wilson's for proportions; DeLong's for AUC, with Obuchowski's variance by patient when groups
    are given; the patient-clustered percentile bootstrap for the rest (F1, Brier, calibration error, log loss).

    Args:
        labels: Class numbers, [N]; or bool [N, C] of the classes that each film may be of. A film of several classes
            counts where the finding is asked for, and not where the class is.
        probabilities: Calibrated, [N, C].
        classes: Names, C.
        positive: Which classes count as the finding.
        operating_points: Threshold on the probability of the finding, by preset.
        groups: The patient of each film, [N]; None: every film is its own patient.
        generator: Source of chance for the bootstrap.
        draws: Of the bootstrap.
        films: Which films these are; stands in every row.

    Raises:
        ValueError: NaN, or shapes that do not fit.
    """
    found = np.asarray(labels)
    partial = found.ndim == 2
    p, truth = table(probabilities, np.zeros(len(found), dtype=np.int64) if partial else found, simplex=True)
    if len(classes) != p.shape[1]:
        raise ValueError(f"{p.shape[1]} columns of probabilities need as many class names, not {len(classes)}")
    allowed = np.eye(len(classes), dtype=np.bool_)[truth]
    if partial:
        allowed = found.astype(np.bool_)
        if allowed.shape != p.shape or not allowed.any(axis=1).all():
            raise ValueError("labels of two axes must be shaped like the probabilities, with a class for each film")
        truth = np.where(allowed.sum(axis=1) == 1, allowed.argmax(axis=1), -1)
    finding = np.asarray(allowed[:, list(positive)].any(axis=1))
    known = truth >= 0
    score = np.clip(p[:, list(positive)].sum(axis=1), 0, 1)
    people = None if groups is None else np.asarray(groups)

    def sums(
        name: str, statistic: Callable[[Sums], Sums], values: NDArray[np.float64], *, kept: Any = slice(None)
    ) -> Metric:
        try:
            whose = None if people is None else people[kept]
            found = bootstrap_sums(statistic, values, whose, draws, generator=generator)
        except ValueError:  # no film that it could be computed from
            return Metric(name, None, None, None, len(values), None, "bootstrap", films)
        return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", films)

    def rate(name: str, found: Proportion) -> Metric:
        if not found.known:
            return Metric(name, None, None, None, 0, 0, "Wilson", films)
        return Metric(name, found.value, found.low, found.high, found.n, found.k, "Wilson", films)

    def area(name: str, truly: NDArray[np.bool_], by: NDArray[np.float64], kept: NDArray[np.bool_]) -> Metric:
        if not truly[kept].any() or truly[kept].all():
            return Metric(name, None, None, None, int(kept.sum()), None, "DeLong", films)
        found = delong(truly[kept], by[kept], None if people is None else people[kept])
        method = "DeLong" if 0 < found.value < 1 else "Wilson of pairs"
        return Metric(name, found.value, found.low, found.high, found.n, None, method, films)

    everyone = np.ones(len(truth), dtype=bool)
    rows = [area("AUC", finding, score, everyone)]
    for preset, threshold in operating_points.items():
        at = rates_at_threshold(finding, score, threshold)
        called = score >= threshold
        rows += [
            rate(f"recall ({preset})", at.sensitivity),
            rate(f"specificity ({preset})", at.specificity),
            rate(f"precision ({preset})", at.ppv),
            sums(f"F1 ({preset})", _f1, np.stack([called & finding, called ^ finding], axis=1).astype(float)),
            rate(f"accuracy ({preset})", at.accuracy),
        ]
    count = len(classes)
    if count > 2 and known.any():
        called_class = p[known].argmax(axis=1)
        right = int((called_class == truth[known]).sum())
        cells = np.eye(count**2)[truth[known] * count + called_class]  # [n, C * C]
        rows.append(rate(f"{count}-class accuracy", wilson(right, int(known.sum()))))
        rows.append(sums("macro F1", lambda x: _macro_f1(x.reshape(-1, count, count)), cells, kept=known))
    for a, b in combinations(positive, 2):
        # Among the films of these two alone; the logit of one against the other.
        by = np.log(np.maximum(p[:, a], _TINY)) - np.log(np.maximum(p[:, b], _TINY))
        rows.append(area(f"{classes[a]} against {classes[b]} AUC", truth == a, by, np.isin(truth, (a, b))))
    one = np.ones(len(truth))
    in_bin = np.eye(_BINS)[bin_numbers(score, _BINS)] * (score - finding)[:, None]  # [N, bins]
    rows += [
        sums("Brier", _mean, np.stack([(score - finding) ** 2, one], axis=1)),
        sums("ECE", _calibration_error, np.column_stack([in_bin, one])),
        sums(
            "log loss", _mean, np.stack([-np.log(np.maximum(np.where(finding, score, 1 - score), _TINY)), one], axis=1)
        ),
    ]
    if count > 2 and known.any():
        own = -np.log(np.maximum(p[np.flatnonzero(known), truth[known]], _TINY))
        rows.append(sums(f"{count}-class log loss", _mean, np.stack([own, one[known]], axis=1), kept=known))
    return rows


def _mean(x: Sums) -> Sums:
    """Of sums [draws, 2]: the values, and how many."""
    mean: Sums = x[:, 0] / x[:, 1]
    return mean


def _f1(x: Sums) -> Sums:
    """Of sums [draws, 2]: true positives, and wrong calls of either kind."""
    below = 2 * x[:, 0] + x[:, 1]
    return np.where(below > 0, 2 * x[:, 0] / np.where(below > 0, below, 1), np.nan)


def _macro_f1(cells: Sums) -> Sums:
    """Of confusion matrices [draws, C, C]."""
    right = np.diagonal(cells, axis1=1, axis2=2)
    both = cells.sum(axis=1) + cells.sum(axis=2)
    f1: Sums = (2 * right / np.maximum(both, 1)).mean(axis=1)
    return f1


def _calibration_error(x: Sums) -> Sums:
    """Of sums [draws, bins + 1]: said less so in each bin, and how many films."""
    error: Sums = np.abs(x[:, :-1]).sum(axis=1) / x[:, -1]
    return error


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pneumoscope.stats.bootstrap import Estimate, Resamples

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


ONE_CLASS_ONLY = "all films are of one kind"
"""Why there is no AUC, in words."""


class MetricCalculator:
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
            return Metric(name, None, None, None, n, None, "DeLong", self._films, ONE_CLASS_ONLY)
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


def mean_metric(
    name: str,
    values: ArrayLike,
    people: Sequence[str] | NDArray[np.str_] | None,
    films: str,
    *,
    rng: np.random.Generator,
    draws: int = 1000,
) -> Metric:
    """The mean over films; patients are drawn whole. Without films it has no value."""
    rows = np.asarray(values, dtype=np.float64)
    if len(rows) == 0:
        return Metric(name, None, None, None, 0, None, "bootstrap", films)
    sums = np.stack([rows, np.ones(len(rows))], axis=1)
    groups = None if people is None else np.asarray(people)
    found = bootstrap_sums(lambda x: x[:, 0] / x[:, 1], sums, groups, draws, generator=rng)
    return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", films)


def proportion_metric(name: str, hits: ArrayLike, films: str) -> Metric:
    """A proportion of films; without films it has no value."""
    rows = np.asarray(hits, dtype=bool)
    found = wilson(int(rows.sum()), len(rows))
    if not found.known:
        return Metric(name, None, None, None, 0, 0, "Wilson", films)
    return Metric(name, found.value, found.low, found.high, found.n, found.k, "Wilson", films)


def auc_metric(name: str, truth: ArrayLike, scores: ArrayLike, people: ArrayLike | None, films: str) -> Metric:
    """An AUC; with films of one kind only it has no value."""
    labels = np.asarray(truth, dtype=bool)
    if not labels.any() or labels.all():
        return Metric(name, None, None, None, len(labels), None, "DeLong", films)
    found = delong(labels, scores, people)
    method = "DeLong" if 0 < found.value < 1 else "Wilson of pairs"
    return Metric(name, found.value, found.low, found.high, found.n, None, method, films)
