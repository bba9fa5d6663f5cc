"""Calibration: Brier score, calibration error, reliability, slope and intercept, temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit, logit

from pneumoscope.stats.checks import group_numbers, probabilities, table
from pneumoscope.stats.proportions import Proportion, clustered_rate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ECE_BINS",
    "CalibrationLine",
    "CalibrationResamples",
    "Reliability",
    "bin_numbers",
    "brier",
    "calibration_gaps",
    "calibration_line",
    "expected_calibration_error",
    "fit_temperature_and_bias",
    "log_loss",
    "multiclass_brier",
    "reliability",
]

ECE_BINS = 15
"""Bins of equal width of the expected calibration error: the same wherever one is stated."""

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
        mean_probability: float64 [B], mean predicted probability.
        observed: B proportions of class 1, with their intervals.
        error: The expected calibration error, in ``ECE_BINS`` bins whatever those of the diagram are.
    """

    mean_probability: NDArray[np.float64]
    observed: tuple[Proportion, ...]
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


def bin_numbers(values: NDArray[np.float64], bins: int, *, equal_mass: bool = False) -> NDArray[np.int64]:
    """The bin of each probability, from 0 to ``bins`` - 1: int64 [N]. A bin holds its lower edge; the last, 1 too.

    Raises:
        ValueError: There is no bin.
    """
    if bins < 1:
        raise ValueError(f"at least one bin is needed, not {bins}")
    edges = np.quantile(values, np.arange(1, bins) / bins) if equal_mass else np.arange(1, bins) / bins
    return np.searchsorted(edges, values, side="right").astype(np.int64)


if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


_CLIP = 1e-12
_NEWTON_STEPS = 50
_CONVERGED = 1e-5  # Newton's error after such a step is about its square
_LARGE_STEP = 0.3  # a shorter step from near the answer does not overshoot


class CalibrationResamples:
    """Labels and logits, ready for resamples. See ``calibration_line`` for what slope and intercept mean.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N]; clipped to 1e-12 from 0 and 1.
        line: Whether slope and intercept are asked for, which not all films have.

    Raises:
        ValueError: One class only, NaN, or lengths that differ; and for the line, probabilities that are all alike or
            separate the classes wholly.
    """

    def __init__(self, labels: ArrayLike, p: ArrayLike, *, line: bool = True) -> None:
        truth, values = probabilities(labels, p, both_classes=True)
        self._x = logit(np.clip(values, _CLIP, 1 - _CLIP))
        self._y = truth.astype(np.float64)
        self._start, self._shift = (1.0, 0.0), 0.0
        once = np.ones((1, len(truth)))
        if not line:
            self._shift = float(self.in_the_large(once)[0])
            return
        if np.ptp(self._x) == 0:
            raise ValueError("all probabilities are alike: there is no line through one point")
        if _separate(self._x, truth[None], ~truth[None]).item():
            raise ValueError("the probabilities separate the classes wholly: the slope is infinite")
        found = self.lines(once)[0]
        if np.isfinite(found).all():
            self._start = (float(found[0]), float(found[1]))  # resamples lie near, and come to rest sooner

    def lines(self, weights: Floats) -> Floats:
        """Slope and intercept of the regression of the label on the logit, float64 [D, 2].

        Args:
            weights: How often each film was drawn, float64 [D, N].

        Returns:
            NaN where a resample separates the classes: its slope is infinite.
        """
        w = np.ascontiguousarray(weights)
        held, y = w > 0, self._y > 0
        undefined = _separate(self._x, held & y, held & ~y)
        found = np.full((len(w), 2), np.nan)
        rows = np.flatnonzero(~undefined)  # those still under way
        w, line = w[rows], np.tile(self._start, (len(rows), 1))
        for _ in range(_NEWTON_STEPS):
            if not len(rows):
                break
            step = self._newton(w, line)
            large = np.flatnonzero(np.abs(step).max(axis=1) > _LARGE_STEP)
            step[large] = self._shortened(w[large], line[large], step[large])
            line = line + step
            rest = np.abs(step).max(axis=1) < _CONVERGED
            found[rows[rest]] = line[rest]
            rows, w, line = rows[~rest], w[~rest], line[~rest]
        return found

    def _shortened(self, w: Floats, line: Floats, step: Floats) -> Floats:
        """Steps halved until none overshoots."""
        loss, step = self._losses(w, line), step.copy()
        worse = np.arange(len(w))
        for _ in range(_NEWTON_STEPS):
            tried = self._losses(w[worse], line[worse] + step[worse])
            worse = worse[tried > loss[worse] * (1 + 1e-12)]
            if not len(worse):
                break
            step[worse] /= 2
        return step

    def _newton(self, w: Floats, line: Floats) -> Floats:
        """The full steps, float64 [D, 2]."""
        x, y = self._x, self._y
        p = expit(line[:, :1] * x + line[:, 1:])
        off, curve = w * (y - p), w * np.maximum(p * (1 - p), 1e-300)
        g0, g1 = off.sum(axis=1), off @ x
        h00, h01, h11 = curve.sum(axis=1), curve @ x, curve @ (x * x)
        below = np.maximum(h00 * h11 - h01**2, 1e-300)
        return np.stack([(h00 * g1 - h01 * g0) / below, (h11 * g0 - h01 * g1) / below], axis=1)

    def _losses(self, w: Floats, line: Floats) -> Floats:
        """Negative log-likelihoods, float64 [D]."""
        margin = (line[:, :1] * self._x + line[:, 1:]) * np.where(self._y > 0, 1.0, -1.0)
        total: Floats = (w * np.logaddexp(0.0, -margin)).sum(axis=1)
        return total

    def in_the_large(self, weights: Floats) -> Floats:
        """Calibration in the large: the intercept where the slope is held at 1; NaN with one class only.

        Above 0 the probabilities are too low on the whole (Van Calster et al., BMC Medicine 17 (2019) 230).
        """
        w = np.ascontiguousarray(weights)
        cases, all_ = w @ self._y, w.sum(axis=1)
        undefined = (cases <= 0) | (cases >= all_)
        shift = np.full(len(w), self._shift)
        for _ in range(_NEWTON_STEPS):
            p = expit(self._x + shift[:, None])
            weighted = w * p
            gap, curve = cases - weighted.sum(axis=1), (weighted * (1 - p)).sum(axis=1)
            step = np.where(undefined, 0.0, np.clip(gap / np.maximum(curve, 1e-300), -2, 2))
            shift += step
            if np.abs(step).max(initial=0) < _CONVERGED:
                break
        return np.where(undefined, np.nan, shift)


def _separate(x: Floats, truth: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a threshold on x [N] separates the films of two masks [D, N] wholly: bool [D]."""
    low_1, high_1 = np.where(truth, x, np.inf).min(axis=1), np.where(truth, x, -np.inf).max(axis=1)
    low_0, high_0 = np.where(others, x, np.inf).min(axis=1), np.where(others, x, -np.inf).max(axis=1)
    return np.asarray((low_1 >= high_0) | (high_1 <= low_0))


_LOG_TEMPERATURE_RANGE = (np.log(0.02), np.log(50.0))  # of the log-temperature; separable films would send it to 0

_LEAST_LIKELIHOOD = 1e-300


def fit_temperature_and_bias(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    l2: float = 1e-4,
    tied: ArrayLike | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Fit ``softmax(logits / temperature + bias)`` by the mean negative log-likelihood.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2: temperature scaling, with
    the bias of their vector scaling. The temperature is one and above 0, so that within two classes the
    order of films never changes. L-BFGS on the log-temperature and the bias, with the analytic gradient.

    Args:
        logits: Finite, [N, C], of films that were not trained on.
        labels: Class numbers, [N]; or bool [N, C], true for each class that a film may be of, where its label says
            no more than that (the likelihood is then that of being in one of them).
        weights: Of the films, [N], 0 or more; None: all alike.
        l2: Weight of (log temperature)^2 / 2 + |bias|^2 / 2 beside the mean loss: holds the answer finite when
            the films are separable or a class has none; too small to be seen otherwise.
        tied: Group numbers from 0, [C]: classes of one group share a bias; None: each has its own.

    Returns:
        The temperature (between 0.02 and 50), and the bias, float64 [C], which sums to 0.

    Raises:
        ValueError: NaN, shapes or weights that do not fit.
    """
    rows, admitted = _logits_and_classes(logits, labels)
    n, classes = rows.shape
    group = np.arange(classes) if tied is None else np.asarray(tied, dtype=np.int64)
    if group.shape != (classes,) or group.min() < 0 or group.max() >= classes:
        raise ValueError(f"tied must give each of the {classes} classes a group from 0 to {classes - 1}")
    share = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if share.shape != (n,) or not np.isfinite(share).all() or share.min() < 0 or share.sum() <= 0:
        raise ValueError(f"weights must be {n} finite numbers, 0 or more and not all 0")
    if not l2 >= 0:
        raise ValueError(f"l2 must be 0 or more, not {l2}")
    share = share / share.sum()
    inside = admitted.astype(np.float64)

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_temperature, bias = theta[0], theta[1:][group] - theta[1:][group].mean()
        scaled = rows * np.exp(-log_temperature)  # [N, C]
        scores = scaled + bias
        # By hand: scipy's log_softmax and logsumexp take ten times as long for a hundred films.
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        right = np.maximum((powers * inside).sum(axis=1), _LEAST_LIKELIHOOD)  # of being in one of the admitted classes
        total = powers.sum(axis=1)
        nll = -(share @ np.log(right / total))
        within = powers * (inside / right[:, None])  # one-hot where one class is admitted
        d_scores = share[:, None] * (powers / total[:, None] - within)  # of the loss by each score
        d_bias = d_scores.sum(axis=0) + l2 * bias
        by_group = np.bincount(group, weights=d_bias - d_bias.mean(), minlength=classes)
        gradient = np.concatenate([[-(d_scores * scaled).sum() + l2 * log_temperature], by_group])
        return float(nll + l2 / 2 * (log_temperature**2 + bias @ bias)), gradient

    from scipy.optimize import minimize  # noqa: PLC0415 - only fitting needs it

    best = minimize(
        loss,
        np.zeros(1 + classes),
        jac=True,
        method="L-BFGS-B",
        bounds=[_LOG_TEMPERATURE_RANGE] + [(None, None)] * classes,
        options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9},
    ).x
    bias = best[1:][group]
    return float(np.exp(best[0])), bias - bias.mean()


def _logits_and_classes(logits: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The logits, and which classes each film may be of: float64 and bool [N, C].

    Raises:
        ValueError: NaN, shapes that do not fit, or a film that may be of no class.
    """
    found = np.asarray(labels)
    if found.ndim != 2:
        rows, truth = table(logits, labels, simplex=False)
        return rows, np.eye(rows.shape[1], dtype=np.bool_)[truth]
    rows, _ = table(logits, np.zeros(len(found), dtype=np.int64), simplex=False)
    if found.dtype != np.bool_ or found.shape != rows.shape or not found.any(axis=1).all():
        raise ValueError("labels of two axes must be bool, shaped like the logits, with a class for each film")
    return rows, found


def expected_calibration_error(
    labels: ArrayLike, p: ArrayLike, bins: int = ECE_BINS, *, equal_mass: bool = False
) -> float:
    """Mean distance of the predicted probability from the observed fraction, over bins weighted by their films.

    Naeini, Cooper, Hauskrecht, AAAI 2015; Guo et al., ICML 2017, section 2. For more classes than two
    give the top probability, and whether the call was right as the label.

    It is biased upwards: a perfect model on few films has an error above 0. A figure that is stated anywhere has the
    default bins, so that two of them can be compared.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N].
        bins: Number of bins.
        equal_mass: Bins with equally many films (equal probabilities stay together) instead of equal width.

    Raises:
        ValueError: NaN, a probability outside [0, 1], or lengths that differ.
    """
    truth, values = probabilities(labels, p)
    gaps = calibration_gaps(truth, values, bins, equal_mass=equal_mass).sum(axis=0)
    return float(np.abs(gaps).sum() / len(values))


def calibration_gaps(
    truth: NDArray[np.bool_], p: NDArray[np.float64], bins: int = ECE_BINS, *, equal_mass: bool = False
) -> NDArray[np.float64]:
    """Predicted less observed in each film's bin, and 0 in the others: float64 [N, bins].

    The calibration error is the sum of the absolute values of its sums over the films, divided by their number.
    """
    values = np.clip(p, 0, 1)
    gaps: NDArray[np.float64] = (
        np.eye(bins)[bin_numbers(values, bins, equal_mass=equal_mass)] * (values - truth)[:, None]
    )
    return gaps


def reliability(
    labels: ArrayLike, p: ArrayLike, bins: int = 10, *, equal_mass: bool = False, groups: ArrayLike | None = None
) -> Reliability:
    """The points of the reliability diagram.

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N].
        bins: Of the diagram.
        equal_mass: As in ``expected_calibration_error``.
        groups: The patient of each film, [N]; None: every film is its own patient.

    Raises:
        ValueError: NaN, a probability outside [0, 1], or lengths that differ.
    """
    truth, values = probabilities(labels, p)
    numbers = bin_numbers(values, bins, equal_mass=equal_mass)
    people, _ = group_numbers(groups, len(values))
    filled = np.unique(numbers)
    return Reliability(
        mean_probability=np.array([values[numbers == b].mean() for b in filled]),
        observed=tuple(clustered_rate(truth[numbers == b], people[numbers == b]) for b in filled),
        error=expected_calibration_error(truth, values),
    )


def calibration_line(labels: ArrayLike, p: ArrayLike) -> CalibrationLine:
    """Slope and intercept of the logistic regression of the label on logit p (Cox, Biometrika 45 (1958) 562).

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N]; clipped to 1e-12 from 0 and 1.

    Raises:
        ValueError: One class only, probabilities all alike, classes that p separates wholly (the slope
            is infinite), NaN, or lengths that differ.
    """
    slope, intercept = CalibrationResamples(labels, p).lines(np.ones((1, len(np.asarray(labels)))))[0]
    return CalibrationLine(slope=float(slope), intercept=float(intercept))
