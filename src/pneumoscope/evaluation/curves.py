"""ROC, fixed-rate, prevalence and decision curves of a predictions table."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.result import DecisionCurve, FixedRateMetric, PrevalenceCurve, RocPoints
from pneumoscope.stats.clinical_utility import net_benefit, net_benefit_band, predictive_values
from pneumoscope.stats.metrics import Metric
from pneumoscope.stats.proportions import clustered_rate, wilson_ends
from pneumoscope.stats.roc import RankedScores, roc_curve

__all__ = ["decision_curve", "fixed_rate_metrics", "prevalence_curves", "roc_points"]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.stats.bootstrap import Resamples
    from pneumoscope.stats.roc import FixedRate

    Floats = NDArray[np.float64]


_MAX_POINTS = 1000
_FIXED_RATES = {"specificity": (0.8, 0.9, 0.95, 0.99), "recall": (0.8, 0.9, 0.95, 0.99)}
_THRESHOLDS = np.arange(1, 100) / 100
# Where a consulting room, an emergency ward and a study set lie: denser at the rare end.
_PREVALENCES = np.unique(np.concatenate([np.geomspace(0.001, 0.05, 18), np.arange(6, 100, 2) / 100]).round(4))


def roc_points(table: PredictionTable) -> RocPoints | None:
    """The curves, thinned evenly along the ROC; None with films of one kind."""
    if not _both_classes(table):
        return None
    curve = roc_curve(table.truth, table.score)
    kept = np.arange(len(curve.thresholds))
    if len(kept) > _MAX_POINTS:
        # Even steps along the curve, so that its steep part keeps its shape.
        along = np.cumsum(np.abs(np.diff(curve.sensitivity, prepend=0)) + np.abs(np.diff(curve.specificity, prepend=1)))
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _MAX_POINTS)).clip(0, len(kept) - 1))
    return RocPoints(
        threshold=tuple(float(t) if np.isfinite(t) else None for t in curve.thresholds[kept]),
        sensitivity=tuple(curve.sensitivity[kept].tolist()),
        specificity=tuple(curve.specificity[kept].tolist()),
        precision=tuple(curve.precision[kept].tolist()),
    )


def fixed_rate_metrics(table: PredictionTable, resamples: Resamples) -> tuple[FixedRateMetric, ...]:
    """Recall at fixed specificities, then specificity at fixed recalls."""
    if not _both_classes(table):
        return ()
    ranking = RankedScores(table.truth, table.score)

    def drawn(weights: Floats) -> Floats:
        recalls = ranking.recalls(weights, _FIXED_RATES["specificity"])
        return np.concatenate([recalls, ranking.specificities(weights, _FIXED_RATES["recall"])], axis=1)

    wanted = [(fixed, target) for fixed, targets in _FIXED_RATES.items() for target in targets]
    ends: list[tuple[float, float] | None] = [None] * len(wanted)
    with suppress(ValueError):  # too few films: the figures stand without an interval
        ends = [(one.low, one.high) for one in resamples.weights_many(drawn)]
    return tuple(
        _fixed_rate_metric(ranking.held(fixed, target), fixed, target, found, resamples.confidence)
        for (fixed, target), found in zip(wanted, ends, strict=True)
    )


def _fixed_rate_metric(
    held: FixedRate, fixed: str, target: float, ends: tuple[float, float] | None, confidence: float
) -> FixedRateMetric:
    low, high, method = (*ends, "bootstrap") if ends is not None else (None, None, "bootstrap")
    if held.value in {0.0, 1.0}:  # the bootstrap sees no doubt where no film is on the other side
        plain = wilson_ends(held.value, held.n, confidence)
        low, high = (
            (plain[0] if low is None else min(low, plain[0])),
            (plain[1] if high is None else max(high, plain[1])),
        )
        method = "Wilson"
    name = "recall" if fixed == "specificity" else "specificity"
    return FixedRateMetric(fixed, target, held.threshold, Metric(name, held.value, low, high, held.n, held.k, method))


def prevalence_curves(table: PredictionTable) -> tuple[PrevalenceCurve, ...]:
    """PPV and NPV over prevalence at each frozen operating point; none with films of one kind."""
    if not _both_classes(table):
        return ()
    truth = table.truth
    people = np.arange(len(table)) if table.patients is None else table.patients
    found = []
    for preset in table.thresholds:
        called = table.called(preset)
        at = predictive_values(
            clustered_rate(called[truth], people[truth]), clustered_rate(~called[~truth], people[~truth]), _PREVALENCES
        )
        found.append(
            PrevalenceCurve(
                preset=preset,
                prevalence=tuple(at.prevalence.tolist()),
                ppv=tuple(at.ppv.tolist()),
                ppv_low=tuple(at.ppv_low.tolist()),
                ppv_high=tuple(at.ppv_high.tolist()),
                npv=tuple(at.npv.tolist()),
                npv_low=tuple(at.npv_low.tolist()),
                npv_high=tuple(at.npv_high.tolist()),
                here=float(truth.mean()),
            )
        )
    return tuple(found)


def decision_curve(table: PredictionTable, resamples: Resamples) -> DecisionCurve | None:
    """Net benefit over threshold probabilities from 1 % to 99 %; None with films of one kind."""
    if not _both_classes(table):
        return None
    band = net_benefit_band(table.truth, table.score, _THRESHOLDS, resamples)
    on_all = net_benefit(table.truth, np.ones(len(table)), _THRESHOLDS)
    return DecisionCurve(*(tuple(x.tolist()) for x in (_THRESHOLDS, band.value, band.low, band.high, on_all)))


def _both_classes(table: PredictionTable) -> bool:
    return bool(table.truth.any() and not table.truth.all())
