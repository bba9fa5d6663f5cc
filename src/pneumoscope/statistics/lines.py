"""Calibration slope and intercept of many resamples at once, by Newton's method on all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from pneumoscope.statistics.checks import probabilities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["Calibrations"]

_TINY = 1e-12
_STEPS = 50
_REST = 1e-5  # Newton's error after such a step is about its square
_LARGE = 0.3  # a shorter step from near the answer does not overshoot


class Calibrations:
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
        self._x = logit(np.clip(values, _TINY, 1 - _TINY))
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
        for _ in range(_STEPS):
            if not len(rows):
                break
            step = self._newton(w, line)
            large = np.flatnonzero(np.abs(step).max(axis=1) > _LARGE)
            step[large] = self._shortened(w[large], line[large], step[large])
            line = line + step
            rest = np.abs(step).max(axis=1) < _REST
            found[rows[rest]] = line[rest]
            rows, w, line = rows[~rest], w[~rest], line[~rest]
        return found

    def _shortened(self, w: Floats, line: Floats, step: Floats) -> Floats:
        """Steps halved until none overshoots."""
        loss, step = self._losses(w, line), step.copy()
        worse = np.arange(len(w))
        for _ in range(_STEPS):
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
        for _ in range(_STEPS):
            p = expit(self._x + shift[:, None])
            weighted = w * p
            gap, curve = cases - weighted.sum(axis=1), (weighted * (1 - p)).sum(axis=1)
            step = np.where(undefined, 0.0, np.clip(gap / np.maximum(curve, 1e-300), -2, 2))
            shift += step
            if np.abs(step).max(initial=0) < _REST:
                break
        return np.where(undefined, np.nan, shift)


def _separate(x: Floats, truth: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a threshold on x [N] separates the films of two masks [D, N] wholly: bool [D]."""
    low_1, high_1 = np.where(truth, x, np.inf).min(axis=1), np.where(truth, x, -np.inf).max(axis=1)
    low_0, high_0 = np.where(others, x, np.inf).min(axis=1), np.where(others, x, -np.inf).max(axis=1)
    return np.asarray((low_1 >= high_0) | (high_1 <= low_0))
