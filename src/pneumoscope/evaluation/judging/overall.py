"""Figures that need no threshold, and those over all classes."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.judgement import Confusion, OfClass, OverClasses, ReliabilityBins
from pneumoscope.statistics import agreement
from pneumoscope.statistics.calibration import bin_numbers, reliability
from pneumoscope.statistics.lines import Calibrations
from pneumoscope.statistics.ranked import Ranking

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.statistics.metrics import Metric
    from pneumoscope.statistics.rows import Rows

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["over_classes", "overall", "reliability_bins"]

_BINS = 15
_PICTURE_BINS = 10
_TINY = 1e-12
# Where more resamples than this separate the classes, the interval's far end is infinite.
_LINES = 0.975


def overall(table: PredictionTable, rows: Rows) -> tuple[Metric, ...]:
    """How well the finding's probability tells the films apart, and whether it means what it says."""
    truth, score = table.truth, table.score
    one = np.ones(len(truth))
    likely = np.where(truth, score, 1 - score)

    def in_the_large() -> Callable[[Floats], Floats]:
        calibrations = Calibrations(truth, score, line=False)
        return lambda weights: calibrations.in_the_large(weights)[:, None]

    return (
        rows.area("AUC", truth, score),
        *_precision("average precision", truth, score, rows),
        rows.sums("Brier", _mean, np.stack([(score - truth) ** 2, one], axis=1)),
        rows.sums("ECE", _calibration_error, _in_bins(truth, score)),
        rows.sums("log loss", _mean, np.stack([-np.log(np.maximum(likely, _TINY)), one], axis=1)),
        *_lines(truth, score, rows),
        *rows.weights(("calibration in the large",), in_the_large),
        rows.sums("observed less predicted", _mean, np.stack([truth - score, one], axis=1)),
    )


def over_classes(table: PredictionTable, rows: Rows) -> OverClasses | None:
    """All classes at once; None for a system with two."""
    count = len(table.classes)
    if count < 3:
        return None
    labels, p = table.labels, table.probabilities
    called = p.argmax(axis=1)
    cells = agreement.confusion_cells(labels, called, count)
    one = np.ones(len(labels))
    own, top = p[np.arange(len(p)), labels], p.max(axis=1)
    squares = ((p - np.eye(count)[labels]) ** 2).sum(axis=1)

    def of_cells(name: str, statistic: Callable[[Floats], Floats], otherwise: str = "") -> Metric:
        return rows.sums(name, lambda x: statistic(x.reshape(-1, count, count)), cells, otherwise=otherwise)

    metrics = (
        rows.rate("accuracy", called == labels),
        of_cells("macro recall", agreement.balanced_accuracies, "a class has no films"),
        of_cells("macro specificity", agreement.macro_specificities, "all films are of one class"),
        of_cells("macro precision", agreement.macro_precisions),
        of_cells("macro NPV", agreement.macro_npvs, "all films are called one class"),
        of_cells("macro F1", agreement.macro_f1s),
        of_cells("MCC", agreement.mccs, "all films, or all calls, are of one class"),
        of_cells("Cohen's kappa", agreement.kappas, "chance alone agrees wholly"),
        *_macro(table, rows),
        rows.sums("log loss", _mean, np.stack([-np.log(np.maximum(own, _TINY)), one], axis=1)),
        rows.sums("Brier", _mean, np.stack([squares, one], axis=1)),
        rows.sums("ECE", _calibration_error, _in_bins(called == labels, top)),
        *(_against(table, a, b, rows) for a, b in combinations(table.positive, 2)),
    )
    matrix = cells.sum(axis=0).astype(int).reshape(count, count)
    return OverClasses(
        metrics=metrics,
        classes=tuple(_of_class(table, c, called == c, rows) for c in range(count)),
        confusion=Confusion(table.classes, tuple(tuple(int(cell) for cell in line) for line in matrix)),
    )


def reliability_bins(table: PredictionTable) -> tuple[ReliabilityBins, ...]:
    """Of the finding, and of each class of more than two."""
    panels = {table.finding: (table.truth, table.score)}
    if len(table.classes) > 2:
        panels |= {name: (table.labels == c, table.probabilities[:, c]) for c, name in enumerate(table.classes)}
    found = []
    for name, (truth, score) in panels.items():
        bins = reliability(truth, np.clip(score, 0, 1), _PICTURE_BINS)
        found.append(
            ReliabilityBins(
                of=name,
                said=tuple(bins.mean_probability.tolist()),
                so=tuple(one.value for one in bins.observed),
                low=tuple(one.low for one in bins.observed),
                high=tuple(one.high for one in bins.observed),
                films=tuple(one.n for one in bins.observed),
            )
        )
    return tuple(found)


def _of_class(table: PredictionTable, c: int, called: Mask, rows: Rows) -> OfClass:
    truth, score = table.labels == c, table.probabilities[:, c]
    cells = np.stack([called & truth, called ^ truth], axis=1).astype(np.float64)
    return OfClass(
        name=table.classes[c],
        metrics=(
            rows.rate("recall", called, truth),
            rows.rate("specificity", ~called, ~truth),
            rows.rate("precision", truth, called),
            rows.rate("NPV", ~truth, ~called),
            rows.sums("F1", _f1, cells),
            rows.area("AUC", truth, score),
            *_precision("average precision", truth, score, rows),
            rows.sums("Brier", _mean, np.stack([(score - truth) ** 2, np.ones(len(truth))], axis=1)),
            rows.sums("ECE", _calibration_error, _in_bins(truth, score)),
            *_lines(truth, score, rows),
        ),
    )


def _macro(table: PredictionTable, rows: Rows) -> list[Metric]:
    """Means over the classes, each against all others, of what needs the order of the films."""

    def statistic() -> Callable[[Floats], Floats]:
        ranked = [Ranking(table.labels == c, table.probabilities[:, c]) for c in range(len(table.classes))]

        def means(weights: Floats) -> Floats:
            areas = np.mean([one.areas(weights) for one in ranked], axis=0)
            precisions = np.mean([one.average_precisions(weights) for one in ranked], axis=0)
            return np.stack([areas, precisions], axis=1)

        return means

    return rows.weights(("macro AUC", "macro average precision"), statistic, otherwise="a class has no films")


def _lines(truth: Mask, score: Floats, rows: Rows) -> list[Metric]:
    """Slope and intercept of the calibration line. Resamples without errors have an infinite slope: an open end."""
    return rows.weights(
        ("calibration slope", "calibration intercept"),
        lambda: Calibrations(truth, score).lines,
        least=_LINES,
        otherwise="the probabilities separate the classes wholly, and the slope is infinite",
    )


def _against(table: PredictionTable, a: int, b: int, rows: Rows) -> Metric:
    """Two classes of the finding against each other, among their own films: the logit of one against the other."""
    p = table.probabilities
    by = np.log(np.maximum(p[:, a], _TINY)) - np.log(np.maximum(p[:, b], _TINY))
    among = np.isin(table.labels, (a, b))
    return rows.area(f"{table.classes[a]} against {table.classes[b]} AUC", table.labels == a, by, among)


def _precision(name: str, truth: Mask, score: Floats, rows: Rows) -> list[Metric]:
    def statistic() -> Callable[[Floats], Floats]:
        ranking = Ranking(truth, score)
        return lambda weights: ranking.average_precisions(weights)[:, None]

    return rows.weights((name,), statistic)


def _in_bins(truth: Mask, score: Floats) -> Floats:
    """Said less so in each film's bin, and ones: float64 [N, bins + 1]."""
    gaps = np.eye(_BINS)[bin_numbers(np.clip(score, 0, 1), _BINS)] * (score - truth)[:, None]
    return np.column_stack([gaps, np.ones(len(truth))])


def _mean(x: Floats) -> Floats:
    found: Floats = x[:, 0] / x[:, 1]
    return found


def _f1(x: Floats) -> Floats:
    below = 2 * x[:, 0] + x[:, 1]
    return np.where(below > 0, 2 * x[:, 0] / np.where(below > 0, below, 1), np.nan)


def _calibration_error(x: Floats) -> Floats:
    found: Floats = np.abs(x[:, :-1]).sum(axis=1) / x[:, -1]
    return found
