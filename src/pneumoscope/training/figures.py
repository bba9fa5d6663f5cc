"""The headline figures that stand in the bundle, each with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.bundle import ClassSpec, Figure, OperatingPoint
from pneumoscope.statistics.calibration import brier, expected_calibration_error
from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.intervals import bootstrap, wilson
from pneumoscope.statistics.operating import at_threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.statistics.discrimination import Auc
    from pneumoscope.statistics.intervals import Estimate, Interval

__all__ = ["headline"]


def headline(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: tuple[ClassSpec, ...],
    operating_points: tuple[OperatingPoint, ...],
    *,
    groups: NDArray[np.str_],
    generator: np.random.Generator,
) -> dict[str, Figure]:
    """Figures of one set of films.

    Args:
        probabilities: Calibrated, float64 [N, C].
        labels: int64 [N].
        classes: C, in the order of the probabilities.
        operating_points: Frozen before these films were looked at.
        groups: Patient of each film, [N]; intervals are clustered by it where that can be done.
        generator: Of the bootstrap.

    Returns:
        By name: auc, recall, specificity, precision, accuracy and f1 at each preset, accuracy over all
        classes, auc of each pair of positive classes among their films, brier, ece. What cannot be computed
        on these films is left out.
    """
    positive = np.array([c.positive for c in classes])
    score = probabilities[:, positive].sum(axis=1)
    truth = positive[labels]
    figures: dict[str, Figure] = {}
    if truth.any() and not truth.all():
        figures["auc"] = _figure(delong(truth, score, groups), len(truth))
    for point in operating_points:
        seen = at_threshold(truth, score, point.threshold)
        rates = {
            "recall": seen.sensitivity,
            "specificity": seen.specificity,
            "precision": seen.ppv,
            "accuracy": seen.accuracy,
            "f1": seen.f1,
        }
        figures |= {f"{name} ({point.preset})": _figure(rate, rate.n) for name, rate in rates.items() if rate.n}
    right = int((probabilities.argmax(axis=1) == labels).sum())
    if len(classes) > 2:
        figures[f"accuracy over {len(classes)} classes"] = _figure(wilson(right, len(labels)), len(labels))
    kinds = np.flatnonzero(positive)
    for i, first in enumerate(kinds):
        for second in kinds[i + 1 :]:
            of_both = (labels == first) | (labels == second)
            is_second = labels[of_both] == second
            if is_second.any() and not is_second.all():
                share = probabilities[of_both][:, second] / probabilities[of_both][:, [first, second]].sum(axis=1)
                figures[f"auc {classes[second].name} against {classes[first].name}"] = _figure(
                    delong(is_second, share, groups[of_both]), int(of_both.sum())
                )
    for name, statistic in (("brier", brier), ("ece", expected_calibration_error)):
        estimate = bootstrap(statistic, (truth, score), groups, generator=generator)
        figures[name] = _figure(estimate, len(truth))
    return figures


def _figure(interval: Interval | Estimate | Auc, n: int) -> Figure:
    return Figure(value=float(interval.value), low=float(interval.low), high=float(interval.high), n=n)
