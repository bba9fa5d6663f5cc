"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit, logit

from pneumoscope.statistics.checks import probabilities, table
from pneumoscope.statistics.proportions import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CalibrationLine",
    "Reliability",
    "brier",
    "calibration_line",
    "expected_calibration_error",
    "log_loss",
    "multiclass_brier",
    "reliability",
]

_TINY = 1e-12  # a certain probability that was wrong costs 27.6 nats, not infinity


class CalibrationLine(NamedTuple):
    """The logit of the truth against the logit of the probability; slope 1 and intercept 0 are perfect.

    A slope below 1 means overconfidence; an intercept above 0, probabilities that are too low.
    """

    slope: float
    intercept: float


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """The reliability diagram: bins of films by probability; empty ones are left out.

    Attributes:
        mean_probability: float64 [B], what was said.
        observed: B proportions, what was so, with Wilson's interval.
        error: The expected calibration error over the same bins.
    """

    mean_probability: NDArray[np.float64]
    observed: tuple[Interval, ...]
    error: float


def brier(labels: ArrayLike, p: ArrayLike) -> float:
    """Mean of (p - label) squared (Brier, Monthly Weather Review 78 (1950) 1); 0 is perfect.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N].

    Raises:
        ValueError: NaN, a probability outside [0, 1], or lengths that differ.
    """
    truth, values = probabilities(labels, p)
    return float(((values - truth) ** 2).mean())


def multiclass_brier(labels: ArrayLike, p: ArrayLike) -> float:
    """Brier's original score: squared errors summed over the classes, from 0 to 2.

    Args:
        labels: Class numbers, [N].
        p: Probabilities, [N, C].

    Raises:
        ValueError: Rows that are no probabilities, or lengths that differ.
    """
    rows, truth = table(p, labels, simplex=True)
    return float(((rows - np.eye(rows.shape[1])[truth]) ** 2).sum(axis=1).mean())


def log_loss(labels: ArrayLike, p: ArrayLike) -> float:
    """Mean negative log-likelihood in nats, of two classes (p [N]) or more (p [N, C]).

    Raises:
        ValueError: NaN, rows that are no probabilities, or lengths that differ.
    """
    if np.ndim(p) == 2:
        rows, numbers = table(p, labels, simplex=True)
        right = rows[np.arange(len(rows)), numbers]
    else:
        truth, values = probabilities(labels, p)
        right = np.where(truth, values, 1 - values)
    return float(-np.log(np.maximum(right, _TINY)).mean())


def expected_calibration_error(labels: ArrayLike, p: ArrayLike, bins: int = 15, *, equal_mass: bool = False) -> float:
    """Mean distance of what was said from what was so, over bins weighted by their films.

    Naeini, Cooper, Hauskrecht, AAAI 2015; Guo et al., ICML 2017, section 2. For more classes than two
    give the top probability, and whether the call was right as the label.

    It is biased upwards: a perfect model on few films has an error above 0.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N].
        bins: Number of bins.
        equal_mass: Bins with equally many films (equal probabilities stay together) instead of equal width.

    Raises:
        ValueError: NaN, a probability outside [0, 1], or lengths that differ.
    """
    truth, values = probabilities(labels, p)
    numbers = bin_numbers(values, bins, equal_mass=equal_mass)
    return float(np.abs(np.bincount(numbers, weights=values - truth)).sum() / len(values))


def bin_numbers(values: NDArray[np.float64], bins: int, *, equal_mass: bool = False) -> NDArray[np.int64]:
    """The bin of each probability, from 0 to ``bins`` - 1: int64 [N]. A bin holds its lower edge; the last, 1 too.

    Raises:
        ValueError: There is no bin.
    """
    if bins < 1:
        raise ValueError(f"at least one bin is needed, not {bins}")
    edges = np.quantile(values, np.arange(1, bins) / bins) if equal_mass else np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def reliability(labels: ArrayLike, p: ArrayLike, bins: int = 10, *, equal_mass: bool = False) -> Reliability:
    """The points of the reliability diagram.

    Raises:
        ValueError: NaN, a probability outside [0, 1], or lengths that differ.
    """
    truth, values = probabilities(labels, p)
    numbers = bin_numbers(values, bins, equal_mass=equal_mass)
    n = np.bincount(numbers, minlength=bins)
    k = np.bincount(numbers, weights=truth, minlength=bins)
    total = np.bincount(numbers, weights=values, minlength=bins)
    filled = n > 0
    return Reliability(
        mean_probability=total[filled] / n[filled],
        observed=tuple(wilson(int(a), int(b)) for a, b in zip(k[filled], n[filled], strict=True)),
        error=float(np.abs(total - k).sum() / len(values)),
    )


def calibration_line(labels: ArrayLike, p: ArrayLike) -> CalibrationLine:
    """Slope and intercept of the logistic regression of the label on logit p (Cox, Biometrika 45 (1958) 562).

    By Newton's method (iteratively reweighted least squares), with steps halved where they would overshoot.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N]; clipped to 1e-12 from 0 and 1.

    Raises:
        ValueError: One class only, probabilities all alike, classes that p separates wholly (the slope
            is infinite), NaN, or lengths that differ.
    """
    truth, values = probabilities(labels, p, both_classes=True)
    x = logit(np.clip(values, _TINY, 1 - _TINY))
    if np.ptp(x) == 0:
        raise ValueError("all probabilities are alike: there is no line through one point")
    if x[truth].min() >= x[~truth].max() or x[truth].max() <= x[~truth].min():
        raise ValueError("the probabilities separate the classes wholly: the slope is infinite")
    design = np.stack([x, np.ones_like(x)], axis=1)  # [N, 2]
    line = np.array([1.0, 0.0])
    loss = _logistic_loss(design, truth, line)
    for _ in range(100):
        fitted = expit(design @ line)
        weight = np.maximum(fitted * (1 - fitted), 1e-300)
        gradient = design.T @ (truth - fitted)
        step = np.linalg.lstsq((design * weight[:, None]).T @ design, gradient, rcond=None)[0]
        while (tried := _logistic_loss(design, truth, line + step)) > loss and np.abs(step).max() > 1e-12:
            step = step / 2
        line, loss = line + step, tried
        if np.abs(step).max() < 1e-10:
            break
    return CalibrationLine(slope=float(line[0]), intercept=float(line[1]))


def _logistic_loss(design: NDArray[np.float64], truth: NDArray[np.bool_], line: NDArray[np.float64]) -> float:
    margin = np.where(truth, 1.0, -1.0) * (design @ line)
    return float(np.logaddexp(0.0, -margin).sum())
