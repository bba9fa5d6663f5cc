"""What a bundle decides by: thresholds, the indeterminate band between two of them, conformal quantiles.

One way to choose them, for a training and for a site's re-calibration. Knows arrays and the bundle's own words; no
torch, so that a hospital without it can re-calibrate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.model.schema import Conformal, OperatingPoint, ThreeWayPoint
from pneumoscope.stats.operating_points import DualThreshold as Thresholds
from pneumoscope.stats.operating_points import (
    ThresholdRule,
    choose_dual_threshold,
    choose_threshold,
    rates_at_dual_threshold,
    recall_at_least,
    youden,
)
from pneumoscope.stats.uncertainty import score_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.stats.operating_points import ChosenThreshold, DualThresholdRates
    from pneumoscope.stats.proportions import Proportion

__all__ = [
    "choose_bounds",
    "choose_thresholds",
    "conformal_levels",
    "make_band",
    "operating_point_of",
    "state_band",
    "threshold_rules",
]

_NEVER = float(np.nextafter(1.0, 2.0))
"""A threshold that no probability reaches."""

_MISSED_WEIGHS = 2
"""A missed pneumonia costs most; with whole acquisition clusters left out, even odds gave up too much recall."""


def threshold_rules(screening_recall: float, *, errors: float = 0.0) -> dict[str, ThresholdRule]:
    """The rule of each preset; the first is the default.

    Args:
        screening_recall: Least recall of ``screening``.
        errors: Of ``balanced``: thresholds within so many standard errors of the best are as good, and their middle is
            taken.
    """
    return {"balanced": youden(_MISSED_WEIGHS, errors), "screening": recall_at_least(screening_recall)}


def choose_thresholds(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], by_preset: dict[str, ThresholdRule]
) -> dict[str, ChosenThreshold]:
    """The threshold of each preset.

    Args:
        truth: Whether each film has the finding, [N].
        scores: Its probability, [N].
        by_preset: How each is chosen.
    """
    return {preset: choose_threshold(truth, scores, rule) for preset, rule in by_preset.items()}


def choose_bounds(truth: NDArray[np.bool_], scores: NDArray[np.float64], stated: tuple[float, float]) -> Thresholds:
    """The two thresholds of the three-way call, as probabilities: 0, or just above 1, where films are too few.

    Args:
        truth: Whether each film has the finding, [N].
        scores: Its probability, [N].
        stated: Largest share missed, and of false calls.
    """
    found = choose_dual_threshold(truth, scores, missed=stated[0], false_calls=stated[1])
    return Thresholds(lower=max(0.0, found.lower), upper=min(_NEVER, found.upper), rule=found.rule)


def operating_point_of(
    preset: str, threshold: ChosenThreshold, sensitivity: Proportion, specificity: Proportion, chosen_on: str
) -> OperatingPoint:
    """A threshold as it stands in the bundle.

    Args:
        preset: Its name.
        threshold: As chosen.
        sensitivity: To be stated.
        specificity: Likewise.
        chosen_on: Which films, in words.
    """
    return OperatingPoint(
        preset=preset,
        threshold=threshold.value,
        sensitivity=sensitivity,
        specificity=specificity,
        rule=threshold.rule,
        chosen_on=chosen_on,
    )


def make_band(
    bounds: Thresholds, rates: DualThresholdRates, stated: tuple[float, float], chosen_on: str
) -> ThreeWayPoint:
    """Two thresholds as they stand in the bundle.

    Args:
        bounds: As chosen.
        rates: To be stated.
        stated: Largest share missed, and of false calls.
        chosen_on: Which films, in words.
    """
    return ThreeWayPoint(
        lower=bounds.lower,
        upper=bounds.upper,
        stated=stated,
        missed=rates.missed,
        false_calls=rates.false_calls,
        sensitivity=rates.sensitivity,
        specificity=rates.specificity,
        between=rates.between,
        between_with=rates.between_with,
        between_without=rates.between_without,
        rule=bounds.rule,
        chosen_on=chosen_on,
    )


def state_band(
    bounds: Thresholds,
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
    stated: tuple[float, float],
    chosen_on: str,
    *,
    patients: Sequence[str] | None = None,
) -> ThreeWayPoint:
    """``band_of`` with the rates that two thresholds have on some films."""
    return make_band(
        bounds, rates_at_dual_threshold(truth, scores, bounds.lower, bounds.upper, patients), stated, chosen_on
    )


def conformal_levels(
    probabilities: NDArray[np.float64],
    admitted: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    coverages: Sequence[float],
    *,
    interpolate: bool = False,
) -> tuple[Conformal, ...]:
    """Class-conditional quantiles at each coverage.

    A film whose label tells only the side (finding or not) counts for each class of that side with the largest of
    their scores, so that its set holds its class whichever it is. Where a side has several classes and some of its
    films say which, only these count.

    Args:
        probabilities: Calibrated, [N, C].
        admitted: bool [N, C], the classes that each film may be of.
        positive: bool [C].
        coverages: Each in (0, 1).
        interpolate: As in ``score_quantile``.
    """
    single = admitted.sum(axis=1) == 1
    scores = 1 - probabilities
    worst = np.where(admitted, scores, -np.inf).max(axis=1)
    levels = []
    for coverage in coverages:
        quantiles = []
        for c, side in enumerate(positive):
            known = single & admitted[:, c]
            named = (single[:, None] & admitted[:, positive == side]).any()
            rows = scores[known, c] if named else worst[admitted[:, c]]
            quantiles.append(score_quantile(rows, coverage, interpolate=interpolate, most=1.0))
        levels.append(Conformal(coverage=coverage, quantiles=tuple(quantiles)))
    return tuple(levels)
