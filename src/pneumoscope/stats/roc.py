"""Discrimination: ROC and precision-recall curves, AUC with DeLong's variance, one rate at a fixed other.

A film is called positive when its score is at or above the threshold, here as everywhere.

Each takes how often every film was drawn, float64 [D, N], and gives float64 [D], or [D, K] for K targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from pneumoscope.stats.checks import group_numbers, scores_and_labels
from pneumoscope.stats.proportions import normal_quantile, wilson_ends

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Auc",
    "FixedRate",
    "RankedScores",
    "RocCurve",
    "average_precision",
    "delong",
    "rate_at_fixed",
    "recall_at_specificity",
    "roc_auc",
    "roc_curve",
]


@dataclass(frozen=True, slots=True)
class Auc:
    """The area under the ROC curve with DeLong's interval.

    Attributes:
        value: The chance that a positive film scores above a negative one; ties count half.
        low: Lower end of the interval.
        high: Upper end.
        variance: Of the value.
        positives: Number of positive films.
        negatives: Number of negative films.
    """

    value: float
    low: float
    high: float
    variance: float
    positives: int
    negatives: int

    @property
    def n(self) -> int:
        """Films."""
        return self.positives + self.negatives

    def __str__(self) -> str:
        """As printed in tables."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """All that a threshold can do: the points of the ROC and of the precision-recall curve.

    Attributes:
        thresholds: float64 [T], falling; the first is infinity (nothing is called), the others the distinct scores.
        sensitivity: float64 [T], rising from 0 to 1.
        specificity: float64 [T], falling from 1 to 0.
        precision: float64 [T]; 1 where nothing is called.
    """

    thresholds: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    precision: NDArray[np.float64]


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """The area under the ROC curve: the Mann-Whitney statistic, ties half, in O(n log n).

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores)
    positives = int(truth.sum())
    ranks = _midranks(values)
    above = ranks[truth].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(truth) - positives)))


def delong(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95) -> Auc:
    """The area under the ROC curve with DeLong's variance.

    DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837, by the mid-ranks of Sun and Xu, IEEE Signal
    Processing Letters 21 (2014) 1389: O(n log n) instead of a table of all pairs. With ``groups`` the
    variance is Obuchowski's for clustered films (Biometrics 53 (1997) 567); groups of one give DeLong's.

    The interval is symmetric on the logit scale (Pepe, "The Statistical Evaluation of Medical Tests" (2003),
    section 5.2.4): it stays within (0, 1) and covers better near 1 than the plain one. Where no variance can
    be estimated (an AUC of exactly 0 or 1, or one film or patient in a class) the interval is Wilson's for
    min(positives, negatives) disjoint pairs: these are independent, each in order with chance AUC. With
    groups the smaller number of patients counts.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        groups: The patient of each film, [N]; None: every film is its own patient.
        confidence: Of the interval.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores)
    v10, v01 = structural_components(truth, values)
    area = float(v10.mean())
    variance, pairs = clustered_variance(truth, v10 - area, v01 - area, groups)
    if variance is None:
        # Never more than this (Birnbaum and Klose, Ann. Math. Stat. 28 (1957) 933).
        variance = area * (1 - area) / pairs
    if pairs > 1 and variance > 0 and 0 < area < 1:
        half = normal_quantile(confidence) * np.sqrt(variance) / (area * (1 - area))
        low, high = (float(expit(logit(area) + side)) for side in (-half, half))
    else:
        low, high = wilson_ends(area, pairs, confidence)
    return Auc(value=area, low=low, high=high, variance=variance, positives=len(v10), negatives=len(v01))


def structural_components(
    truth: NDArray[np.bool_], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each film's share of the other class on its right side (DeLong 1988, equation 5).

    Args:
        truth: bool [N], m of them true.
        values: Scores, [N].

    Returns:
        Of the positive films float64 [m], of the negative ones float64 [N - m]; both have the AUC as their mean.
    """
    m = int(truth.sum())
    ranks = _midranks(values)
    v10 = (ranks[truth] - _midranks(values[truth])) / (len(truth) - m)
    v01 = 1 - (ranks[~truth] - _midranks(values[~truth])) / m
    return v10, v01


def clustered_variance(
    truth: NDArray[np.bool_], d10: NDArray[np.float64], d01: NDArray[np.float64], groups: ArrayLike | None
) -> tuple[float | None, int]:
    """Variance of the mean of centred structural components, of one AUC or of a difference (Obuchowski 1997).

    Returns:
        The variance, None with one film or patient in a class; and the smaller number of patients in a class.
    """
    numbers, count = group_numbers(groups, len(truth))
    m, n = len(d10), len(d01)
    i10, i01 = len(np.unique(numbers[truth])), len(np.unique(numbers[~truth]))
    pairs = min(i10, i01)
    if pairs < 2:
        return None, pairs
    sum10 = np.bincount(numbers[truth], weights=d10, minlength=count)
    sum01 = np.bincount(numbers[~truth], weights=d01, minlength=count)
    s10 = i10 / (i10 - 1) * (sum10 @ sum10) / m**2
    s01 = i01 / (i01 - 1) * (sum01 @ sum01) / n**2
    s11 = count / (count - 1) * (sum10 @ sum01) / (m * n)  # only patients with films of both classes add to it
    return max(0.0, float(s10 + s01 + 2 * s11)), pairs


def roc_curve(labels: ArrayLike, scores: ArrayLike) -> RocCurve:
    """Sensitivity, specificity and precision at every distinct score.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores)
    thresholds, tp, fp = counts_by_threshold(truth, values)
    return RocCurve(
        thresholds=np.concatenate([[np.inf], thresholds]),
        sensitivity=np.concatenate([[0.0], tp / tp[-1]]),
        specificity=np.concatenate([[1.0], 1 - fp / fp[-1]]),
        precision=np.concatenate([[1.0], tp / (tp + fp)]),
    )


def counts_by_threshold(
    truth: NDArray[np.bool_], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct scores, falling, with the true and false positives at or above each."""
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # the last film of each run of equal scores
    tp = np.cumsum(truth[order], dtype=np.int64)[last]
    return falling[last], tp, last + 1 - tp


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the middle of theirs."""
    order = np.argsort(values, kind="stable")
    rising = values[order]
    first = np.flatnonzero(np.append(True, np.diff(rising) != 0))
    ends = np.append(first[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((first + ends + 1) / 2, ends - first)
    return ranks


if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FixedRate:
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


class RankedScores:
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

    def __len__(self) -> int:
        return len(self._truth)

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
        return _rates(np.stack(best, axis=1), tp[-1], fp[-1])

    def specificities(self, weights: Floats, recalls: Sequence[float]) -> Floats:
        """The highest specificity of any threshold with at least each recall, [D, K]; NaN with one class only."""
        tp, called = self._counts(weights)
        fp = called - tp
        needed = [np.ceil(target * tp[-1] - 1e-9) for target in recalls]
        fewest = [np.where(tp >= least, fp, np.inf).min(axis=0) for least in needed]
        return _rates(fp[-1][:, None] - np.stack(fewest, axis=1), fp[-1], tp[-1])

    def held(self, fixed: str, target: float) -> FixedRate:
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
                return FixedRate(0.0, None, 0, int(tp[-1]))
            best = allowed[np.argmax(tp[allowed])]  # the highest threshold of those with the best recall
            return FixedRate(float(tp[best] / tp[-1]), float(self._thresholds[best]), int(tp[best]), int(tp[-1]))
        best = int(np.argmax(tp >= np.ceil(target * tp[-1] - 1e-9)))
        right = int(fp[-1] - fp[best])
        return FixedRate(right / float(fp[-1]), float(self._thresholds[best]), right, int(fp[-1]))

    def _counts(self, weights: Floats) -> tuple[Floats, Floats]:
        """True positives, and all that are called, at or above each distinct score: float64 [T, D]."""
        falling = weights.T[self._order]  # [N, D]
        called = np.cumsum(falling, axis=0)[self._last]
        falling *= self._truth[:, None]
        return np.cumsum(falling, axis=0, out=falling)[self._last], called


def rate_at_fixed(labels: ArrayLike, scores: ArrayLike, fixed: str, target: float) -> FixedRate:
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
    return RankedScores(labels, scores).held(fixed, target)


def _rates(top: Floats, below: Floats, other: Floats) -> Floats:
    """``top`` [D, K] over ``below`` [D]; NaN where there are no films of it or of the ``other`` class."""
    good = (below > 0) & (other > 0)
    return np.where(good[:, None], top / np.where(good, below, 1.0)[:, None], np.nan)


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """The area under the precision-recall curve as a sum of steps, without interpolation.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    ranking = RankedScores(labels, scores)
    return float(ranking.average_precisions(np.ones((1, len(ranking))))[0])


def recall_at_specificity(labels: ArrayLike, scores: ArrayLike, specificity: float) -> float:
    """The highest recall of any threshold whose specificity is at least ``specificity``.

    A step of the ROC curve and not a point between two: some threshold has just these rates. The threshold is one
    of these films' own, so that the figure ranks models, and is no promise for other films.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        specificity: 0 to 1.

    Raises:
        ValueError: One class only, NaN, lengths that differ, or a specificity outside 0 to 1.
    """
    if not 0 <= specificity <= 1:
        raise ValueError(f"a specificity must be 0 to 1, not {specificity}")
    return RankedScores(labels, scores).held("specificity", specificity).value
