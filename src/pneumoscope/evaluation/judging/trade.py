"""What one rate costs of another: the curves, one rate where the other is held, prevalence, net benefit."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.judgement import AtFixedRate, DecisionCurve, PrevalenceCurve, RocPoints
from pneumoscope.statistics.discrimination import roc_curve
from pneumoscope.statistics.metrics import Metric
from pneumoscope.statistics.proportions import wilson_ends
from pneumoscope.statistics.ranked import Ranking
from pneumoscope.statistics.rates import clustered_rate
from pneumoscope.statistics.utility import net_benefit, net_benefit_band, predictive_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.statistics.ranked import HeldRate
    from pneumoscope.statistics.resamples import Resamples

    Floats = NDArray[np.float64]

__all__ = ["decision_curve", "fixed_rates", "prevalence_curves", "roc_points"]

_MOST = 1000
_HELD = {"specificity": (0.8, 0.9, 0.95, 0.99), "recall": (0.8, 0.9, 0.95, 0.99)}
_THRESHOLDS = np.arange(1, 100) / 100
# Where a consulting room, an emergency ward and a study set lie: denser at the rare end.
_PREVALENCES = np.unique(np.concatenate([np.geomspace(0.001, 0.05, 18), np.arange(6, 100, 2) / 100]).round(4))


def roc_points(table: PredictionTable) -> RocPoints | None:
    """The curves, thinned evenly along the ROC; None with films of one kind."""
    if not _both(table):
        return None
    curve = roc_curve(table.truth, table.score)
    kept = np.arange(len(curve.thresholds))
    if len(kept) > _MOST:
        # Even steps along the curve, so that its steep part keeps its shape.
        along = np.cumsum(np.abs(np.diff(curve.sensitivity, prepend=0)) + np.abs(np.diff(curve.specificity, prepend=1)))
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], _MOST)).clip(0, len(kept) - 1))
    return RocPoints(
        threshold=tuple(float(t) if np.isfinite(t) else None for t in curve.thresholds[kept]),
        sensitivity=tuple(curve.sensitivity[kept].tolist()),
        specificity=tuple(curve.specificity[kept].tolist()),
        precision=tuple(curve.precision[kept].tolist()),
    )


def fixed_rates(table: PredictionTable, resamples: Resamples) -> tuple[AtFixedRate, ...]:
    """Recall at fixed specificities, then specificity at fixed recalls."""
    if not _both(table):
        return ()
    ranking = Ranking(table.truth, table.score)

    def drawn(weights: Floats) -> Floats:
        recalls = ranking.recalls(weights, _HELD["specificity"])
        return np.concatenate([recalls, ranking.specificities(weights, _HELD["recall"])], axis=1)

    wanted = [(fixed, target) for fixed, targets in _HELD.items() for target in targets]
    ends: list[tuple[float, float] | None] = [None] * len(wanted)
    with suppress(ValueError):  # too few films: the figures stand without an interval
        ends = [(one.low, one.high) for one in resamples.weights_many(drawn)]
    return tuple(
        _fixed_rate(ranking.held(fixed, target), fixed, target, found, resamples.confidence)
        for (fixed, target), found in zip(wanted, ends, strict=True)
    )


def _fixed_rate(
    held: HeldRate, fixed: str, target: float, ends: tuple[float, float] | None, confidence: float
) -> AtFixedRate:
    low, high, method = (*ends, "bootstrap") if ends is not None else (None, None, "bootstrap")
    if held.value in {0.0, 1.0}:  # the bootstrap sees no doubt where no film is on the other side
        plain = wilson_ends(held.value, held.n, confidence)
        low, high = (
            (plain[0] if low is None else min(low, plain[0])),
            (plain[1] if high is None else max(high, plain[1])),
        )
        method = "Wilson"
    name = "recall" if fixed == "specificity" else "specificity"
    return AtFixedRate(fixed, target, held.threshold, Metric(name, held.value, low, high, held.n, held.k, method))


def prevalence_curves(table: PredictionTable) -> tuple[PrevalenceCurve, ...]:
    """PPV and NPV over prevalence at each frozen operating point; none with films of one kind."""
    if not _both(table):
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
    if not _both(table):
        return None
    band = net_benefit_band(table.truth, table.score, _THRESHOLDS, resamples)
    on_all = net_benefit(table.truth, np.ones(len(table)), _THRESHOLDS)
    return DecisionCurve(*(tuple(x.tolist()) for x in (_THRESHOLDS, band.value, band.low, band.high, on_all)))


def _both(table: PredictionTable) -> bool:
    return bool(table.truth.any() and not table.truth.all())
