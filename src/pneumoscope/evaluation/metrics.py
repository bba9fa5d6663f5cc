"""compute_metrics: all figures of a predictions table, as an EvaluationResult."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.curves import decision_curve, fixed_rate_metrics, prevalence_curves, roc_points
from pneumoscope.evaluation.result import (
    ClassMetrics,
    ConfusionMatrix,
    EvaluationResult,
    FilmCounts,
    MulticlassMetrics,
    OperatingPointMetrics,
    ReliabilityBins,
    ThreeWayMetrics,
)
from pneumoscope.evaluation.subgroups import MAX_GROUPS, subgroup_metrics
from pneumoscope.model.schema import THREE_WAY
from pneumoscope.stats import confusion as agreement
from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.calibration import CalibrationResamples, bin_numbers, reliability
from pneumoscope.stats.confusion import balanced_accuracies, class_f1s, confusion_cells, kappas, mccs
from pneumoscope.stats.metrics import ONE_CLASS_ONLY, MetricCalculator
from pneumoscope.stats.operating_points import choose_threshold, youden
from pneumoscope.stats.roc import RankedScores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.stats.metrics import Metric

__all__ = [
    "BEST_THRESHOLD",
    "best_threshold_metrics",
    "compute_metrics",
    "limitations",
    "multiclass_metrics",
    "operating_point_metrics",
    "reliability_bins",
    "three_way_metrics",
    "threshold_free_metrics",
]

_FEW = 30
_COPIES = 0.02


def limitations(table: PredictionTable, judgement: EvaluationResult) -> tuple[str, ...]:
    """The limits of these films and this system; always at least one."""
    counts = judgement.counts
    found = list(table.notes)
    if not counts.positives or not counts.negatives:
        kind = "without" if counts.negatives else "with"
        found.append(
            f"All films are {kind} {table.finding}: AUC, curves and calibration cannot be computed, and "
            f"{'recall' if kind == 'without' else 'specificity'} has no films."
        )
    else:
        few = min(counts.positives, counts.negatives)
        if few < _FEW:
            side = "with" if few == counts.positives else "without"
            found.append(
                f"Only {few} {'film is' if few == 1 else 'films are'} {side} {table.finding}: the intervals are wide, "
                "and those of the bootstrap and of DeLong too narrow still."
            )
    if table.patients is None:
        found.append(
            "Nobody said which films are of one patient: each is taken for its own, and the intervals are too narrow "
            "if patients have several."
        )
    if not table.thresholds:
        found.append("No operating point was given: there is no recall, specificity or precision.")
    if judgement.best is not None:
        found.append(
            "The best threshold was chosen on these films: its figures are optimistic, and no forecast for others. So "
            "are the rates at a fixed specificity or recall."
        )
    if counts.refused:
        share = counts.refused / (counts.refused + counts.films)
        found.append(
            f"{counts.refused} of {counts.refused + counts.films} films ({100 * share:.1f} %) got no probability and "
            "are in no figure."
        )
    distinct = len(np.unique(table.score))
    if distinct < min(len(table), 20):
        found.append(f"The system gives only {distinct} different probabilities: many films are tied.")
    every = [*judgement.overall, *(row for point in judgement.points for row in point.metrics)]
    if counts.positives and counts.negatives:
        found += _missing_figures("No value can be computed", [row for row in every if row.value is None])
    bare = [row for row in every if row.value is not None and row.low is None]
    found += _missing_figures("No interval can be computed", bare)
    if len(table.strata) and any(len(np.unique(names)) > MAX_GROUPS + 1 for names in table.strata.values()):
        found.append(f"Of each stratum the {MAX_GROUPS} largest groups are judged.")
    if table.sha256 is not None and (copies := len(table) - len(set(table.sha256))) > _COPIES * len(table):
        found.append(f"{copies} films are copies of others among them, byte for byte.")
    found.append(
        "PPV and NPV over prevalence take recall and specificity to be the same elsewhere; they are not where the "
        "sick are sicker or the films are made otherwise."
    )
    return tuple(found)


def _missing_figures(what: str, rows: Sequence[Metric]) -> list[str]:
    """The figures that lack something, those with the same reason in one sentence."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        by_reason.setdefault(row.why, {})[row.name] = None
    return [f"{what} for {', '.join(names)}{why and f': {why}'}." for why, names in by_reason.items()]


if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.stats.metrics import Metric

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


_BINS = 15
_PICTURE_BINS = 10
_TINY = 1e-12
# Where more resamples than this separate the classes, the interval's far end is infinite.
_MIN_COMPUTABLE = 0.975


def threshold_free_metrics(table: PredictionTable, rows: MetricCalculator) -> tuple[Metric, ...]:
    """How well the finding's probability tells the films apart, and whether it means what it says."""
    truth, score = table.truth, table.score
    one = np.ones(len(truth))
    likely = np.where(truth, score, 1 - score)

    def in_the_large() -> Callable[[Floats], Floats]:
        calibrations = CalibrationResamples(truth, score, line=False)
        return lambda weights: calibrations.in_the_large(weights)[:, None]

    return (
        rows.area("AUC", truth, score),
        *_average_precision("average precision", truth, score, rows),
        rows.sums("Brier", _mean, np.stack([(score - truth) ** 2, one], axis=1)),
        rows.sums("ECE", _calibration_error, _in_bins(truth, score)),
        rows.sums("log loss", _mean, np.stack([-np.log(np.maximum(likely, _TINY)), one], axis=1)),
        *_calibration_line(truth, score, rows),
        *rows.weights(("calibration in the large",), in_the_large),
        rows.sums("observed less predicted", _mean, np.stack([truth - score, one], axis=1)),
    )


def multiclass_metrics(table: PredictionTable, rows: MetricCalculator) -> MulticlassMetrics | None:
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
        *_macro_ranking_metrics(table, rows),
        rows.sums("log loss", _mean, np.stack([-np.log(np.maximum(own, _TINY)), one], axis=1)),
        rows.sums("Brier", _mean, np.stack([squares, one], axis=1)),
        rows.sums("ECE", _calibration_error, _in_bins(called == labels, top)),
        *(_pairwise_auc(table, a, b, rows) for a, b in combinations(table.positive, 2)),
    )
    matrix = cells.sum(axis=0).astype(int).reshape(count, count)
    return MulticlassMetrics(
        metrics=metrics,
        classes=tuple(_class_metrics(table, c, called == c, rows) for c in range(count)),
        confusion=ConfusionMatrix(table.classes, tuple(tuple(int(cell) for cell in line) for line in matrix)),
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


def _class_metrics(table: PredictionTable, c: int, called: Mask, rows: MetricCalculator) -> ClassMetrics:
    truth, score = table.labels == c, table.probabilities[:, c]
    cells = np.stack([called & truth, called ^ truth], axis=1).astype(np.float64)
    return ClassMetrics(
        name=table.classes[c],
        metrics=(
            rows.rate("recall", called, truth),
            rows.rate("specificity", ~called, ~truth),
            rows.rate("precision", truth, called),
            rows.rate("NPV", ~truth, ~called),
            rows.sums("F1", _f1, cells),
            rows.area("AUC", truth, score),
            *_average_precision("average precision", truth, score, rows),
            rows.sums("Brier", _mean, np.stack([(score - truth) ** 2, np.ones(len(truth))], axis=1)),
            rows.sums("ECE", _calibration_error, _in_bins(truth, score)),
            *_calibration_line(truth, score, rows),
        ),
    )


def _macro_ranking_metrics(table: PredictionTable, rows: MetricCalculator) -> list[Metric]:
    """Means over the classes, each against all others, of what needs the order of the films."""

    def statistic() -> Callable[[Floats], Floats]:
        ranked = [RankedScores(table.labels == c, table.probabilities[:, c]) for c in range(len(table.classes))]

        def means(weights: Floats) -> Floats:
            areas = np.mean([one.areas(weights) for one in ranked], axis=0)
            precisions = np.mean([one.average_precisions(weights) for one in ranked], axis=0)
            return np.stack([areas, precisions], axis=1)

        return means

    return rows.weights(("macro AUC", "macro average precision"), statistic, otherwise="a class has no films")


def _calibration_line(truth: Mask, score: Floats, rows: MetricCalculator) -> list[Metric]:
    """Slope and intercept of the calibration line. Resamples without errors have an infinite slope: an open end."""
    return rows.weights(
        ("calibration slope", "calibration intercept"),
        lambda: CalibrationResamples(truth, score).lines,
        least=_MIN_COMPUTABLE,
        otherwise="the probabilities separate the classes wholly, and the slope is infinite",
    )


def _pairwise_auc(table: PredictionTable, a: int, b: int, rows: MetricCalculator) -> Metric:
    """Two classes of the finding against each other, among their own films: the logit of one against the other."""
    p = table.probabilities
    by = np.log(np.maximum(p[:, a], _TINY)) - np.log(np.maximum(p[:, b], _TINY))
    among = np.isin(table.labels, (a, b))
    return rows.area(f"{table.classes[a]} against {table.classes[b]} AUC", table.labels == a, by, among)


def _average_precision(name: str, truth: Mask, score: Floats, rows: MetricCalculator) -> list[Metric]:
    def statistic() -> Callable[[Floats], Floats]:
        ranking = RankedScores(truth, score)
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


BEST_THRESHOLD = "best threshold"
"""The preset's name of the threshold that these films chose themselves."""


def operating_point_metrics(table: PredictionTable, rows: MetricCalculator) -> tuple[OperatingPointMetrics, ...]:
    """The frozen operating points, in the table's order."""
    return tuple(
        _threshold_metrics(table, rows, preset, threshold, chosen=table.chosen.get(preset, ""), optimistic=False)
        for preset, threshold in table.thresholds.items()
    )


def best_threshold_metrics(table: PredictionTable, rows: MetricCalculator) -> OperatingPointMetrics | None:
    """The threshold that is best on these films: what a report must not promise. None with films of one kind."""
    if not table.truth.any() or table.truth.all():
        return None
    best = choose_threshold(table.truth, table.score, youden())
    words = f"{best.rule}, on the films that are judged"
    return _threshold_metrics(table, rows, BEST_THRESHOLD, best.value, chosen=words, optimistic=True)


def three_way_metrics(table: PredictionTable, rows: MetricCalculator) -> ThreeWayMetrics | None:
    """The two thresholds of the three-way call, if the system has them."""
    if table.band is None:
        return None
    lower, upper = table.band
    truth, score = table.truth, table.score
    called, cleared = score >= upper, score < lower
    decided = called | cleared
    return ThreeWayMetrics(
        lower=lower,
        upper=upper,
        chosen=table.chosen.get(THREE_WAY, ""),
        metrics=(
            rows.rate("missed", cleared, truth),
            rows.rate("false calls", called, ~truth),
            rows.rate("recall of the decided", called, truth & decided),
            rows.rate("specificity of the decided", cleared, ~truth & decided),
            rows.rate("left open", ~decided),
            rows.rate("left open with", ~decided, truth),
            rows.rate("left open without", ~decided, ~truth),
        ),
    )


def _threshold_metrics(
    table: PredictionTable, rows: MetricCalculator, preset: str, threshold: float, *, chosen: str, optimistic: bool
) -> OperatingPointMetrics:
    truth, called = table.truth, table.score >= threshold
    cells = confusion_cells(truth.astype(np.int64), called.astype(np.int64), 2)  # [N, 4]
    counts = cells.sum(axis=0).astype(int).tolist()

    def of_cells(name: str, statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], otherwise: str) -> Metric:
        return rows.sums(name, lambda x: statistic(x.reshape(-1, 2, 2)), cells, otherwise=otherwise)

    metrics = (
        rows.rate("recall", called, truth),
        rows.rate("specificity", ~called, ~truth),
        rows.rate("precision", truth, called),
        rows.rate("NPV", ~truth, ~called),
        of_cells("F1", lambda x: class_f1s(x)[:, 1], "no film has the finding, and none is called"),
        rows.rate("accuracy", called == truth),
        of_cells("balanced accuracy", balanced_accuracies, ONE_CLASS_ONLY),
        of_cells("MCC", mccs, "all films, or all calls, are of one kind"),
        of_cells("Cohen's kappa", kappas, "chance alone agrees wholly"),
    )
    return OperatingPointMetrics(
        preset=preset,
        threshold=float(threshold),
        chosen=chosen,
        optimistic=optimistic,
        metrics=metrics,
        confusion=ConfusionMatrix(
            names=(f"no {table.finding}", table.finding), cells=((counts[0], counts[1]), (counts[2], counts[3]))
        ),
    )


_LEAST_DRAWS = 100


def compute_metrics(
    table: PredictionTable, *, draws: int = 2000, seed: int = 0, now: Callable[[], float] = time.perf_counter
) -> EvaluationResult:
    """All figures of a table. The same table and seed give the same figures.

    A figure that these films cannot give is a row without a value, and a limit that says why.

    Args:
        table: Films, labels, probabilities.
        draws: Of the bootstrap, 100 or more.
        seed: Of the bootstrap.
        now: What the steps are timed by.

    Raises:
        UsageError: Too few draws for an interval.
    """
    if draws < _LEAST_DRAWS:
        raise UsageError(
            f"{draws} resamples give no interval",
            where="--draws",
            remedy=f"Give {_LEAST_DRAWS} or more; 2,000 is usual",
        )
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = now()
        yield
        seconds[step] = round(now() - began, 3)

    resamples = Resamples(len(table), table.patients, draws, generator=np.random.default_rng(seed))
    rows = MetricCalculator(resamples, films=table.films)
    with timed("overall"):
        figures = threshold_free_metrics(table, rows)
        bins = reliability_bins(table)
    with timed("operating points"):
        points, best, two = (
            operating_point_metrics(table, rows),
            best_threshold_metrics(table, rows),
            three_way_metrics(table, rows),
        )
    with timed("classes"):
        classes = multiclass_metrics(table, rows)
    with timed("curves"):
        roc, prevalence = roc_points(table), prevalence_curves(table)
    with timed("fixed rates"):
        fixed = fixed_rate_metrics(table, resamples)
    with timed("net benefit"):
        decision = decision_curve(table, resamples)
    with timed("subgroups"):
        groups = subgroup_metrics(table, rows)
    judgement = EvaluationResult(
        system=table.system,
        films=table.films,
        finding=table.finding,
        classes=table.classes,
        positive=table.positive_names,
        counts=_film_counts(table),
        overall=figures,
        points=points,
        best=best,
        three_way=two,
        over_classes=classes,
        roc=roc,
        reliability=bins,
        prevalence=prevalence,
        fixed=fixed,
        decision=decision,
        subgroups=groups,
        refused=table.refused,
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=__version__,
        seconds=seconds,
    )
    return replace(judgement, limits=limitations(table, judgement))


def _film_counts(table: PredictionTable) -> FilmCounts:
    positives = int(table.truth.sum())
    return FilmCounts(
        films=len(table),
        positives=positives,
        negatives=len(table) - positives,
        patients=None if table.patients is None else len(np.unique(table.patients)),
        by_class=table.counts(),
        refused=len(table.refused),
    )
