"""The table of a run: every figure with its 95 % interval."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.calibration import bin_numbers
from pneumoscope.statistics.checks import table
from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.intervals import bootstrap_sums
from pneumoscope.statistics.operating import at_threshold
from pneumoscope.statistics.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.statistics.proportions import Interval

    Sums = NDArray[np.float64]

__all__ = ["Metric", "metrics_table"]

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
        labels: Class numbers, [N].
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
    p, truth = table(probabilities, labels, simplex=True)
    if len(classes) != p.shape[1]:
        raise ValueError(f"{p.shape[1]} columns of probabilities need as many class names, not {len(classes)}")
    finding = np.isin(truth, list(positive))
    score = np.clip(p[:, list(positive)].sum(axis=1), 0, 1)
    people = None if groups is None else np.asarray(groups)

    def sums(name: str, statistic: Callable[[Sums], Sums], values: NDArray[np.float64]) -> Metric:
        try:
            found = bootstrap_sums(statistic, values, people, draws, generator=generator)
        except ValueError:  # no film that it could be computed from
            return Metric(name, None, None, None, len(values), None, "bootstrap", films)
        return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", films)

    def rate(name: str, found: Interval) -> Metric:
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
        at = at_threshold(finding, score, threshold)
        called = score >= threshold
        rows += [
            rate(f"recall ({preset})", at.sensitivity),
            rate(f"specificity ({preset})", at.specificity),
            rate(f"precision ({preset})", at.ppv),
            sums(f"F1 ({preset})", _f1, np.stack([called & finding, called ^ finding], axis=1).astype(float)),
            rate(f"accuracy ({preset})", at.accuracy),
        ]
    count = len(classes)
    if count > 2:
        called_class = p.argmax(axis=1)
        right = int((called_class == truth).sum())
        cells = np.eye(count**2)[truth * count + called_class]  # [N, C * C]
        rows.append(rate(f"{count}-class accuracy", wilson(right, len(truth))))
        rows.append(sums("macro F1", lambda x: _macro_f1(x.reshape(-1, count, count)), cells))
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
    if count > 2:
        own = p[np.arange(len(p)), truth]
        rows.append(sums(f"{count}-class log loss", _mean, np.stack([-np.log(np.maximum(own, _TINY)), one], axis=1)))
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
