"""Operating points: where to put the threshold, and what it is then good for.

A film is called when its score is at or above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import scores_and_labels
from pneumoscope.statistics.discrimination import counts_by_threshold
from pneumoscope.statistics.proportions import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["AtThreshold", "Rule", "Threshold", "at_threshold", "choose", "recall_at_least", "youden"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a threshold is chosen.

    Attributes:
        text: In words, as the bundle states it.
        pick: From the distinct scores (falling) and the true and false positives at or above each, the first and
            the last place of the scores that are equally good.
    """

    text: str
    pick: Callable[[NDArray[np.int64], NDArray[np.int64]], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A chosen threshold, with what it did on the films that it was chosen on.

    Attributes:
        value: At or above it is called.
        sensitivity: Of the positive films, those called.
        specificity: Of the negative films, those not called.
        rule: How it was chosen, in words.
    """

    value: float
    sensitivity: Interval
    specificity: Interval
    rule: str


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold does, with 95 % intervals (Wilson).

    Attributes:
        threshold: At or above it is called.
        sensitivity: Recall: of the positive films, those called.
        specificity: Of the negative films, those not called.
        ppv: Precision: of the called films, the positive ones.
        npv: Of the films not called, the negative ones.
        accuracy: Of all films, those called as what they are.
        f1: Its ``k`` of ``n`` is k true positives of n films that are positive or called. F1 is 2 j / (1 + j)
            of that proportion j, and so is its interval.
    """

    threshold: float
    sensitivity: Interval
    specificity: Interval
    ppv: Interval
    npv: Interval
    accuracy: Interval
    f1: Interval


def recall_at_least(target: float) -> Rule:
    """The highest threshold whose recall is at least ``target``.

    Raises:
        ValueError: The target is not above 0 and at most 1.
    """
    if not 0 < target <= 1:
        raise ValueError(f"a recall must be above 0 and at most 1, not {target}")

    def pick(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> tuple[int, int]:  # noqa: ARG001 - a rule sees both
        place = int(np.argmax(tp / tp[-1] >= target))
        return place, place

    return Rule(f"highest threshold with recall at least {target:g}", pick)


def youden(weight: int = 1, errors: float = 0.0) -> Rule:
    """The threshold with the largest sensitivity + specificity - 1 (Youden, Cancer 3 (1950) 32).

    With a weight above 1 a missed case counts so many times a false call, at equal numbers of both kinds (the weighted
    index of Li et al., Stat. Med. 32 (2013) 4716).

    Where several are equally good, the middle of the longest stretch of them (in distinct scores); of equally
    long stretches the most sensitive. With ``errors`` above 0, the middle of the stretch around the best whose index is
    within so many of its standard errors: what films cannot tell apart (the rule of one standard error of Breiman et
    al., Classification and Regression Trees (1984), section 3.4.3).
    """

    def pick(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> tuple[int, int]:
        if errors:
            return _stretch(tp / tp[-1], 1 - fp / fp[-1], (int(tp[-1]), int(fp[-1])), weight, errors)
        index = weight * tp * fp[-1] - fp * tp[-1]  # whole numbers: ties are exact
        best = np.flatnonzero(index == index.max())
        runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
        longest = max(reversed(runs), key=len)  # of equally long ones the most sensitive
        return int(longest[0]), int(longest[-1])

    text = "largest " + (f"{weight} x " if weight != 1 else "") + "sensitivity + specificity - 1 (Youden)"
    return Rule(f"{text}, the middle of all within {errors:g} standard error" if errors else text, pick)


def _stretch(
    sensitivity: NDArray[np.float64],
    specificity: NDArray[np.float64],
    films: tuple[int, int],
    weight: int,
    errors: float,
) -> tuple[int, int]:
    """The first and the last place around the best one that are nearly as good."""
    index = weight * sensitivity + specificity
    best = int(index.argmax())
    s, c = float(sensitivity[best]), float(specificity[best])
    error = (weight**2 * s * (1 - s) / films[0] + c * (1 - c) / films[1]) ** 0.5
    worse = np.flatnonzero(index < index[best] - errors * error)
    before, after = worse[worse < best], worse[worse > best]
    return (int(before[-1]) + 1 if len(before) else 0, int(after[0]) - 1 if len(after) else len(index) - 1)


def choose(labels: ArrayLike, scores: ArrayLike, rule: Rule) -> Threshold:
    """Choose a threshold by a rule.

    The threshold stands half-way between the last score that is called and the next one below, so that
    small changes of rounding move no film across; where no score is below, it is the lowest score.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        rule: ``recall_at_least(0.99)`` or ``youden()``.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores)
    distinct, tp, fp = counts_by_threshold(truth, values)
    first, last = rule.pick(tp, fp)
    above, called = distinct[first], distinct[last]
    value = float(called)
    if last + 1 < len(distinct):
        below = distinct[last + 1]
        middle = above / 2 + below / 2
        value = float(middle if below < middle <= above else called)  # neighbouring floats have no middle
    at = at_threshold(truth, values, value)
    return Threshold(value=value, sensitivity=at.sensitivity, specificity=at.specificity, rule=rule.text)


def at_threshold(labels: ArrayLike, scores: ArrayLike, t: float) -> AtThreshold:
    """What the threshold ``t`` does. A rate without films is not ``known`` (see ``Interval``).

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        scores: Finite, [N].
        t: Threshold.

    Raises:
        ValueError: NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores, both_classes=False)
    if np.isnan(t):
        raise ValueError("the threshold is NaN")
    called = values >= t
    tp, fp = int((called & truth).sum()), int((called & ~truth).sum())
    fn, tn = int((~called & truth).sum()), int((~called & ~truth).sum())
    overlap = wilson(tp, tp + fp + fn)
    value, low, high = (2 * j / (1 + j) for j in (overlap.value, overlap.low, overlap.high))
    f1 = Interval(value=value, low=low, high=high, k=overlap.k, n=overlap.n)
    return AtThreshold(
        threshold=float(t),
        sensitivity=wilson(tp, tp + fn),
        specificity=wilson(tn, tn + fp),
        ppv=wilson(tp, tp + fp),
        npv=wilson(tn, tn + fn),
        accuracy=wilson(tp + tn, len(truth)),
        f1=f1,
    )
