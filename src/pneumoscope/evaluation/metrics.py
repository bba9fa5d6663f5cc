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
from pneumoscope.evaluation.site_metrics import site_metrics
from pneumoscope.evaluation.subgroups import MAX_GROUPS, subgroup_metrics
from pneumoscope.model.schema import THREE_WAY
from pneumoscope.stats import confusion
from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.calibration import reliability
from pneumoscope.stats.metrics import ONE_CLASS_ONLY, MetricCalculator, pairwise_auc
from pneumoscope.stats.operating_points import choose_threshold, youden
from pneumoscope.stats.roc import RankedScores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.stats.metrics import Metric

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

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

BEST_THRESHOLD = "best threshold"
"""The preset's name of the threshold that these films chose themselves."""

_FEW = 30
_COPIES = 0.02
_DIAGRAM_BINS = 10
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
    calculator = MetricCalculator(resamples, films=table.films)
    with timed("overall"):
        figures = threshold_free_metrics(table, calculator)
        bins = reliability_bins(table)
    with timed("operating points"):
        points, best, two = (
            operating_point_metrics(table, calculator),
            best_threshold_metrics(table, calculator),
            three_way_metrics(table, calculator),
        )
    with timed("classes"):
        classes = multiclass_metrics(table, calculator)
    with timed("curves"):
        roc, prevalence = roc_points(table), prevalence_curves(table)
    with timed("fixed rates"):
        fixed = fixed_rate_metrics(table, resamples)
    with timed("net benefit"):
        decision = decision_curve(table, resamples)
    with timed("subgroups"):
        groups = subgroup_metrics(table, calculator)
    result = EvaluationResult(
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
        across_sites=site_metrics(table),
        refused=table.refused,
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=__version__,
        seconds=seconds,
    )
    return replace(result, limits=limitations(table, result))


def threshold_free_metrics(table: PredictionTable, calculator: MetricCalculator) -> tuple[Metric, ...]:
    """Discrimination and calibration of the finding's probability."""
    truth, score = table.truth, table.score
    return (
        calculator.auc("AUC", truth, score),
        calculator.average_precision("average precision", truth, score),
        calculator.brier("Brier", truth, score),
        calculator.ece("ECE", truth, score),
        calculator.log_loss("log loss", np.where(truth, score, 1 - score)),
        *calculator.calibration_line(truth, score),
        calculator.calibration_in_the_large("calibration in the large", truth, score),
        calculator.mean("observed less predicted", truth - score),
    )


def operating_point_metrics(table: PredictionTable, calculator: MetricCalculator) -> tuple[OperatingPointMetrics, ...]:
    """The frozen operating points, in the table's order."""
    return tuple(
        _threshold_metrics(table, calculator, preset, threshold, chosen=table.chosen.get(preset, ""))
        for preset, threshold in table.thresholds.items()
    )


def best_threshold_metrics(table: PredictionTable, calculator: MetricCalculator) -> OperatingPointMetrics | None:
    """The threshold that is best on these films: what a report must not promise. None with films of one kind."""
    if not table.truth.any() or table.truth.all():
        return None
    best = choose_threshold(table.truth, table.score, youden())
    words = f"{best.rule}, on the films that are judged"
    return _threshold_metrics(table, calculator, BEST_THRESHOLD, best.value, chosen=words, optimistic=True)


def three_way_metrics(table: PredictionTable, calculator: MetricCalculator) -> ThreeWayMetrics | None:
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
            calculator.proportion("missed", cleared, truth),
            calculator.proportion("false calls", called, ~truth),
            calculator.proportion("recall of the decided", called, truth & decided),
            calculator.proportion("specificity of the decided", cleared, ~truth & decided),
            calculator.proportion("indeterminate rate", ~decided),
            calculator.proportion("indeterminate rate with", ~decided, truth),
            calculator.proportion("indeterminate rate without", ~decided, ~truth),
        ),
    )


def multiclass_metrics(table: PredictionTable, calculator: MetricCalculator) -> MulticlassMetrics | None:
    """All classes at once, of the films whose class is known; None for a system with two, or without such films."""
    count, known = len(table.classes), table.class_known
    if count < 3 or not known.any():
        return None
    labels, p = table.labels, table.probabilities
    called = p.argmax(axis=1)
    some = None if known.all() else known

    def of_confusion(name: str, statistic: Callable[[Floats], Floats], otherwise: str = "") -> Metric:
        return calculator.of_confusion(name, statistic, labels, called, count, among=some, otherwise=otherwise)

    own = p[np.arange(len(p)), np.maximum(labels, 0)]
    squares = ((p - np.eye(count)[np.maximum(labels, 0)]) ** 2).sum(axis=1)
    metrics = (
        calculator.proportion("accuracy", called == labels, some),
        of_confusion("macro recall", confusion.balanced_accuracy, "a class has no films"),
        of_confusion("macro specificity", confusion.macro_specificity, "all films are of one class"),
        of_confusion("macro precision", confusion.macro_precision),
        of_confusion("macro NPV", confusion.macro_npv, "all films are called one class"),
        of_confusion("macro F1", confusion.macro_f1),
        of_confusion("MCC", confusion.mcc, "all films, or all calls, are of one class"),
        of_confusion("Cohen's kappa", confusion.cohen_kappa, "chance alone agrees wholly"),
        *_macro_ranking_metrics(table, calculator),
        calculator.log_loss("log loss", own, some),
        calculator.mean("Brier", squares, some),
        calculator.ece("ECE", called == labels, p.max(axis=1), some),
        *(pairwise_auc(calculator, labels, p, pair, table.classes) for pair in combinations(table.positive, 2)),
    )
    matrix = confusion.confusion_matrix(labels[known], called[known], count)
    return MulticlassMetrics(
        metrics=metrics,
        classes=tuple(_class_metrics(table, c, called == c, calculator) for c in range(count)),
        confusion=ConfusionMatrix(table.classes, tuple(tuple(line) for line in matrix.tolist())),
    )


def reliability_bins(table: PredictionTable) -> tuple[ReliabilityBins, ...]:
    """Of the finding, and of each class of more than two."""
    everyone, known = np.ones(len(table), dtype=bool), table.class_known
    panels = {table.finding: (table.truth, table.score, everyone)}
    if len(table.classes) > 2 and known.any():
        panels |= {name: (table.labels == c, table.probabilities[:, c], known) for c, name in enumerate(table.classes)}
    found = []
    for name, (truth, score, among) in panels.items():
        people = None if table.patients is None else table.patients[among]
        bins = reliability(truth[among], np.clip(score[among], 0, 1), _DIAGRAM_BINS, groups=people)
        found.append(
            ReliabilityBins(
                of=name,
                mean_predicted=tuple(bins.mean_probability.tolist()),
                observed_fraction=tuple(one.value for one in bins.observed),
                low=tuple(one.low for one in bins.observed),
                high=tuple(one.high for one in bins.observed),
                films=tuple(one.n for one in bins.observed),
            )
        )
    return tuple(found)


def _threshold_metrics(
    table: PredictionTable,
    calculator: MetricCalculator,
    preset: str,
    threshold: float,
    *,
    chosen: str,
    optimistic: bool = False,
) -> OperatingPointMetrics:
    truth, called = table.truth, table.score >= threshold
    true_class, called_class = truth.astype(np.int64), called.astype(np.int64)

    def of_confusion(name: str, statistic: Callable[[Floats], Floats], otherwise: str) -> Metric:
        return calculator.of_confusion(name, statistic, true_class, called_class, 2, otherwise=otherwise)

    metrics = (
        calculator.proportion("recall", called, truth),
        calculator.proportion("specificity", ~called, ~truth),
        calculator.proportion("precision", truth, called),
        calculator.proportion("NPV", ~truth, ~called),
        calculator.f1("F1", truth, called),
        calculator.proportion("accuracy", called == truth),
        of_confusion("balanced accuracy", confusion.balanced_accuracy, ONE_CLASS_ONLY),
        of_confusion("MCC", confusion.mcc, "all films, or all calls, are of one kind"),
        of_confusion("Cohen's kappa", confusion.cohen_kappa, "chance alone agrees wholly"),
    )
    matrix = confusion.confusion_matrix(true_class, called_class, 2)
    return OperatingPointMetrics(
        preset=preset,
        threshold=float(threshold),
        chosen=chosen,
        optimistic=optimistic,
        metrics=metrics,
        confusion=ConfusionMatrix(
            names=(f"no {table.finding}", table.finding), cells=tuple(tuple(line) for line in matrix.tolist())
        ),
    )


def _class_metrics(table: PredictionTable, c: int, called: Mask, calculator: MetricCalculator) -> ClassMetrics:
    """One class against all others, among the films whose class is known."""
    known = table.class_known
    own, rest = table.labels == c, known & (table.labels != c)
    score = table.probabilities[:, c]
    some = None if known.all() else known
    return ClassMetrics(
        name=table.classes[c],
        metrics=(
            calculator.proportion("recall", called, own),
            calculator.proportion("specificity", ~called, rest),
            calculator.proportion("precision", own, called & known),
            calculator.proportion("NPV", rest, ~called & known),
            calculator.f1("F1", own, called, some),
            calculator.auc("AUC", own, score, some),
            calculator.average_precision("average precision", own, score, some),
            calculator.brier("Brier", own, score, some),
            calculator.ece("ECE", own, score, some),
            *calculator.calibration_line(own, score, some),
        ),
    )


def _macro_ranking_metrics(table: PredictionTable, calculator: MetricCalculator) -> list[Metric]:
    """Means over the classes, each against all others, of what needs the order of the films."""
    known = table.class_known

    def statistic() -> Callable[[Floats], Floats]:
        ranked = [
            RankedScores(table.labels[known] == c, table.probabilities[known, c]) for c in range(len(table.classes))
        ]

        def means(weights: Floats) -> Floats:
            kept = weights[:, known]
            areas = np.mean([one.areas(kept) for one in ranked], axis=0)
            precisions = np.mean([one.average_precisions(kept) for one in ranked], axis=0)
            return np.stack([areas, precisions], axis=1)

        return means

    return calculator.weights(
        ("macro AUC", "macro average precision"), statistic, otherwise="a class has no films", n=int(known.sum())
    )


def limitations(table: PredictionTable, result: EvaluationResult) -> tuple[str, ...]:
    """The limits of these films and this system; always at least one."""
    counts = result.counts
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
    if result.best is not None:
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
    every = [*result.overall, *(row for point in result.points for row in point.metrics)]
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
