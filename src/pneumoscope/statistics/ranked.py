"""Figures of the order of the films, of many resamples at once: AUC, average precision, one rate where another is held.

Each takes how often every film was drawn, float64 [D, N], and gives float64 [D], or [D, K] for K targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import scores_and_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["HeldRate", "Ranking", "held_rate"]


@dataclass(frozen=True, slots=True)
class HeldRate:
    """The best that one rate can be where the other is held.

    Attributes:
        value: Of the free rate.
        threshold: That gives it; at or above it is called. None where nothing need be called.
        k: Films that are right, of the free rate.
        n: Of how many.
    """

    value: float
    threshold: float | None
    k: int
    n: int


class Ranking:
    """Films in the order of their scores, ready for resamples.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        truth, values = scores_and_labels(labels, scores)
        self._order = np.argsort(-values, kind="stable")
        falling = values[self._order]
        self._last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # the last of each run of equal scores
        self._thresholds = falling[self._last]
        self._truth = truth[self._order].astype(np.float64)

    def average_precisions(self, weights: Floats) -> Floats:
        """Area under the precision-recall curve in steps; NaN without a positive film."""
        tp, called = self._counts(weights)
        precision = tp / np.maximum(called, 1e-300)  # nothing called, nothing gained
        gained = np.diff(tp, axis=0, prepend=0.0)
        total = tp[-1]
        return np.where(total > 0, (gained * precision).sum(axis=0) / np.where(total > 0, total, 1.0), np.nan)

    def areas(self, weights: Floats) -> Floats:
        """Area under the ROC curve, tied films on half; NaN with one class only."""
        tp, called = self._counts(weights)
        fp = called - tp
        steps = np.diff(fp, axis=0, prepend=0.0)
        before = np.concatenate([np.zeros_like(tp[:1]), tp[:-1]])
        below = tp[-1] * fp[-1]
        area = (steps * (tp + before)).sum(axis=0) / 2
        return np.where(below > 0, area / np.where(below > 0, below, 1.0), np.nan)

    def recalls(self, weights: Floats, specificities: Sequence[float]) -> Floats:
        """The highest recall of any threshold with at least each specificity, [D, K]; NaN with one class only."""
        tp, called = self._counts(weights)
        fp = called - tp
        allowed = [np.floor((1 - target) * fp[-1] + 1e-9) for target in specificities]
        # Recall rises as the threshold falls: the last threshold that is allowed is the best.
        best = [np.where(fp <= most, tp, 0.0).max(axis=0) for most in allowed]
        return _share(np.stack(best, axis=1), tp[-1], fp[-1])

    def specificities(self, weights: Floats, recalls: Sequence[float]) -> Floats:
        """The highest specificity of any threshold with at least each recall, [D, K]; NaN with one class only."""
        tp, called = self._counts(weights)
        fp = called - tp
        needed = [np.ceil(target * tp[-1] - 1e-9) for target in recalls]
        fewest = [np.where(tp >= least, fp, np.inf).min(axis=0) for least in needed]
        return _share(fp[-1][:, None] - np.stack(fewest, axis=1), fp[-1], tp[-1])

    def held(self, fixed: str, target: float) -> HeldRate:
        """The free rate on the films as they are, with its threshold and counts.

        Args:
            fixed: "specificity" or "recall".
            target: It is at least this.
        """
        tp, called = (counts[:, 0] for counts in self._counts(np.ones((1, len(self._truth)))))
        fp = called - tp
        if fixed == "specificity":
            allowed = np.flatnonzero(fp <= np.floor((1 - target) * fp[-1] + 1e-9))
            if not len(allowed) or tp[allowed[-1]] == 0:
                return HeldRate(0.0, None, 0, int(tp[-1]))
            best = allowed[np.argmax(tp[allowed])]  # the highest threshold of those with the best recall
            return HeldRate(float(tp[best] / tp[-1]), float(self._thresholds[best]), int(tp[best]), int(tp[-1]))
        best = int(np.argmax(tp >= np.ceil(target * tp[-1] - 1e-9)))
        right = int(fp[-1] - fp[best])
        return HeldRate(right / float(fp[-1]), float(self._thresholds[best]), right, int(fp[-1]))

    def _counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """True positives, and all that are called, at or above each distinct score: float64 [T, D]."""
        falling = weights.T[self._order]  # [N, D]
        called = np.cumsum(falling, axis=0)[self._last]
        falling *= self._truth[:, None]
        return np.cumsum(falling, axis=0, out=falling)[self._last], called


def held_rate(labels: ArrayLike, scores: ArrayLike, fixed: str, target: float) -> HeldRate:
    """Recall at a fixed specificity, or specificity at a fixed recall.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N].
        fixed: "specificity" or "recall".
        target: In (0, 1].

    Raises:
        ValueError: One class only, NaN, lengths that differ, or a target out of range.
    """
    if fixed not in {"specificity", "recall"} or not 0 < target <= 1:
        raise ValueError(f"a specificity or a recall above 0 and at most 1 can be held, not {fixed} {target}")
    return Ranking(labels, scores).held(fixed, target)


def _share(top: Floats, below: Floats, other: Floats) -> Floats:
    """``top`` [D, K] over ``below`` [D]; NaN where there are no films of it or of the ``other`` class."""
    good = (below > 0) & (other > 0)
    return np.where(good[:, None], top / np.where(good, below, 1.0)[:, None], np.nan)
