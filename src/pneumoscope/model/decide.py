"""From logits to calibrated probabilities, a call at an operating point, and a pattern with its conformal set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.model.schema import THREE_WAY, ThreeWayPoint
from pneumoscope.types.operating_point import OperatingPointSummary
from pneumoscope.types.reading import INDETERMINATE, Expected, Finding, Pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta, Calibrator, Conformal, OperatingPoint
    from pneumoscope.types.reading import Reading

__all__ = [
    "PATTERN_COVERAGE",
    "calibrated_logits",
    "calibrated_probabilities",
    "conformal_level",
    "decide_again",
    "decide_finding",
    "decide_pattern",
    "operating_point",
    "softmax",
    "summarize_operating_point",
]


def calibrated_probabilities(logits: NDArray[np.floating], calibrator: Calibrator) -> NDArray[np.float64]:
    """Calibrated probabilities, ``softmax(logits / temperature + bias)``.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2.

    Args:
        logits: [..., C].
        calibrator: Fitted on the validation films.

    Returns:
        float64 [..., C]; each row sums to 1.
    """
    return softmax(calibrated_logits(logits, calibrator))


def calibrated_logits(logits: NDArray[np.floating], calibrator: Calibrator) -> NDArray[np.float64]:
    """The argument of the softmax: float64 [..., C]."""
    scaled: NDArray[np.float64] = np.asarray(logits, dtype=np.float64) / calibrator.temperature
    return scaled + np.asarray(calibrator.bias, dtype=np.float64)


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis; logits of any size neither overflow nor give NaN."""
    # Taking the maximum off changes nothing in exact arithmetic and leaves no exponent above 0.
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


PATTERN_COVERAGE = 0.9
"""The pattern's conformal set holds the true class at least this often, where the bundle has such a level."""


def operating_point(meta: BundleMeta, preset: str | None = None) -> OperatingPoint | ThreeWayPoint:
    """What calls are made by: the operating point of a preset, or the band of two thresholds ("three-way").

    Without a preset it is the first operating point: a call that leaves films open is for those who ask for it.

    Raises:
        UsageError: The bundle has no such preset.
    """
    band = () if meta.band is None else (meta.band,)
    points: tuple[OperatingPoint | ThreeWayPoint, ...] = (*meta.operating_points, *band)
    if preset is None:
        return points[0]
    for point in points:
        if point.preset == preset:
            return point
    presets = ", ".join(point.preset for point in points)
    without = " (it was made without two thresholds)" if preset == THREE_WAY else ""
    raise UsageError(f"the bundle {meta.name} has no preset {preset!r}{without}", remedy=f"Its presets are: {presets}")


def decide_finding(probabilities: Sequence[float], meta: BundleMeta, point: OperatingPoint | ThreeWayPoint) -> Finding:
    """The call: the finding's probability is the sum over its classes, and at or above the threshold it is called.

    Args:
        probabilities: Calibrated, one a class, in the bundle's order.
        meta: Names the finding and its classes.
        point: One threshold, or two: between these the call is indeterminate.
    """
    probability = min(1.0, sum(probabilities[i] for i in meta.positive))
    lower = point.lower if isinstance(point, ThreeWayPoint) else None
    if probability >= point.threshold:
        call = meta.finding
    else:
        call = f"no {meta.finding}" if lower is None or probability < lower else INDETERMINATE
    return Finding(
        name=meta.finding,
        probability=probability,
        threshold=point.threshold,
        preset=point.preset,
        call=call,
        lower=lower,
        expected=Expected(point.sensitivity.value, point.specificity.value, point.chosen_on),
    )


def decide_again(reading: Reading, meta: BundleMeta, preset: str) -> Reading:
    """A reading as it would stand at another operating point of its bundle; the film is not read again.

    Args:
        reading: Of this bundle; a refused one stays as it is.
        meta: Of the bundle.
        preset: The operating point.

    Raises:
        UsageError: The bundle has no such preset.
    """
    point = operating_point(meta, preset)
    old, given = reading.finding, reading.probabilities
    if old is None or given is None or old.preset == point.preset:
        return reading
    probabilities = [given[name] for name in meta.class_names]
    finding = decide_finding(probabilities, meta, point)
    if old.expected is None:  # of a film that was forced, or is of an age that was not learned from
        finding = replace(finding, expected=None)
    coverage = None if reading.pattern is None else reading.pattern.coverage
    pattern = decide_pattern(probabilities, meta, called=finding.call == meta.finding, coverage=coverage)
    return replace(reading, finding=finding, pattern=pattern)


def decide_pattern(
    probabilities: Sequence[float], meta: BundleMeta, *, called: bool, coverage: float | None = None
) -> Pattern | None:
    """Which of the finding's classes the film looks like, and the conformal set over all classes.

    A class is in the set if 1 - p(class) is at most its quantile (Sadinle, Lei, Wasserman, JASA 114 (2019),
    section 2). Where the set holds several of the finding's classes, or none, the call names none.

    Args:
        probabilities: Calibrated, one a class, in the bundle's order.
        meta: Names the classes and holds the quantiles.
        called: Whether the finding was called; without it there is no pattern to name.
        coverage: Of the set; None for the level that ``conformal_level`` takes.

    Returns:
        None if the bundle has one positive class only.

    Raises:
        UsageError: The bundle has no such coverage.
    """
    if len(meta.positive) < 2:
        return None
    level = conformal_level(meta, coverage)
    admitted = (
        ()
        if level is None
        else tuple(i for i, (p, q) in enumerate(zip(probabilities, level.quantiles, strict=True)) if 1.0 - p <= q)
    )
    call = None
    if called:
        rivals = [i for i in admitted if i in meta.positive]
        likeliest = max(meta.positive, key=lambda i: probabilities[i])
        told_apart = level is None or rivals == [likeliest]
        call = meta.class_names[likeliest] if told_apart else INDETERMINATE
    return Pattern(
        call=call,
        set=tuple(meta.class_names[i] for i in admitted),
        coverage=None if level is None else level.coverage,
    )


def conformal_level(meta: BundleMeta, coverage: float | None = None) -> Conformal | None:
    """The level of a coverage; without one, the lowest of at least ``PATTERN_COVERAGE``, else the highest, else None.

    Raises:
        UsageError: The bundle has no such coverage.
    """
    levels = sorted(meta.conformal, key=lambda level: level.coverage)
    if coverage is not None:
        for level in levels:
            if abs(level.coverage - coverage) < 1e-9:
                return level
        known = ", ".join(f"{level.coverage:g}" for level in levels) or "none: it was made without them"
        raise UsageError(
            f"the bundle {meta.name} has no prediction sets of coverage {coverage:g}", remedy=f"It has {known}"
        )
    return next((level for level in levels if level.coverage >= PATTERN_COVERAGE), levels[-1] if levels else None)


def summarize_operating_point(point: OperatingPoint | ThreeWayPoint) -> OperatingPointSummary:
    """Take from an operating point, or from the band of a three-way call, what a report tells of it.

    Args:
        point: Of a bundle: ``reader.point``, or what ``decide.operating_point(meta, preset)`` finds.
    """
    return OperatingPointSummary(
        preset=point.preset,
        sensitivity=point.sensitivity,
        specificity=point.specificity,
        rule=point.rule,
        chosen_on=point.chosen_on,
        left_open=point.between if isinstance(point, ThreeWayPoint) else None,
    )
