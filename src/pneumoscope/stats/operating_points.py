"""Operating points: choosing one threshold or two, and the rates at them.

A film is called when its score is at or above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import scores_and_labels
from pneumoscope.stats.proportions import Proportion, clustered_rate
from pneumoscope.stats.roc import counts_by_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ChosenThreshold",
    "DualThreshold",
    "DualThresholdRates",
    "ThresholdRates",
    "ThresholdRule",
    "choose_dual_threshold",
    "choose_threshold",
    "rates_at_dual_threshold",
    "rates_at_threshold",
    "recall_at_least",
    "three_way_rates",
    "youden",
]


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """How a threshold is chosen.

    Attributes:
        text: In words, as the bundle states it.
        pick: From the distinct scores (falling) and the true and false positives at or above each, the first and
            the last place of the scores that are equally good.
    """

    text: str
    pick: Callable[[NDArray[np.int64], NDArray[np.int64]], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """A chosen threshold, with what it did on the films that it was chosen on.

    Attributes:
        value: At or above it is called.
        sensitivity: Of the positive films, those called.
        specificity: Of the negative films, those not called.
        rule: How it was chosen, in words.
    """

    value: float
    sensitivity: Proportion
    specificity: Proportion
    rule: str


@dataclass(frozen=True, slots=True)
class ThresholdRates:
    """What a threshold does, with 95 % intervals, clustered by patient.

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
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion
    accuracy: Proportion
    f1: Proportion


def recall_at_least(target: float) -> ThresholdRule:
    """The highest threshold whose recall is at least ``target``.

    Raises:
        ValueError: The target is not above 0 and at most 1.
    """
    if not 0 < target <= 1:
        raise ValueError(f"a recall must be above 0 and at most 1, not {target}")

    def pick(tp: NDArray[np.int64], fp: NDArray[np.int64]) -> tuple[int, int]:  # noqa: ARG001 - a rule sees both
        place = int(np.argmax(tp / tp[-1] >= target))
        return place, place

    return ThresholdRule(f"highest threshold with recall at least {target:g}", pick)


def youden(weight: int = 1, errors: float = 0.0) -> ThresholdRule:
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
            return _within_errors_of_best(tp / tp[-1], 1 - fp / fp[-1], (int(tp[-1]), int(fp[-1])), weight, errors)
        index = weight * tp * fp[-1] - fp * tp[-1]  # whole numbers: ties are exact
        best = np.flatnonzero(index == index.max())
        runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
        longest = max(reversed(runs), key=len)  # of equally long ones the most sensitive
        return int(longest[0]), int(longest[-1])

    text = "largest " + (f"{weight} x " if weight != 1 else "") + "sensitivity + specificity - 1 (Youden)"
    return ThresholdRule(f"{text}, the middle of all within {errors:g} standard error" if errors else text, pick)


def _within_errors_of_best(
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


def choose_threshold(
    labels: ArrayLike, scores: ArrayLike, rule: ThresholdRule, groups: ArrayLike | None = None
) -> ChosenThreshold:
    """Choose a threshold by a rule.

    The threshold stands half-way between the last score that is called and the next one below, so that
    small changes of rounding move no film across; where no score is below, it is the lowest score.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        rule: ``recall_at_least(0.99)`` or ``youden()``.
        groups: The patient of each film, [N]: for the intervals of its rates.

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
    at = rates_at_threshold(truth, values, value, groups)
    return ChosenThreshold(value=value, sensitivity=at.sensitivity, specificity=at.specificity, rule=rule.text)


def rates_at_threshold(
    labels: ArrayLike, scores: ArrayLike, t: float, groups: ArrayLike | None = None
) -> ThresholdRates:
    """What the threshold ``t`` does. A rate without films is not ``known`` (see ``Interval``).

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        scores: Finite, [N].
        t: Threshold.
        groups: The patient of each film, [N]; None: every film is its own patient.

    Raises:
        ValueError: NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores, both_classes=False)
    if np.isnan(t):
        raise ValueError("the threshold is NaN")
    called = values >= t

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> Proportion:
        return clustered_rate(hits & among, groups, among)

    overlap = share(called & truth, called | truth)
    value, low, high = (2 * j / (1 + j) for j in (overlap.value, overlap.low, overlap.high))
    return ThresholdRates(
        threshold=float(t),
        sensitivity=share(called, truth),
        specificity=share(~called, ~truth),
        ppv=share(truth, called),
        npv=share(~truth, ~called),
        accuracy=share(called == truth, np.ones_like(truth)),
        f1=Proportion(value=value, low=low, high=high, k=overlap.k, n=overlap.n),
    )


@dataclass(frozen=True, slots=True)
class DualThreshold:
    """Two thresholds.

    Attributes:
        lower: Below it a film is said to be without the finding; ``-inf`` where too few films have the finding.
        upper: At or above it a film is called; ``inf`` where too few films are without it.
        rule: How they were chosen, in words.
    """

    lower: float
    upper: float
    rule: str


@dataclass(frozen=True, slots=True)
class DualThresholdRates:
    """What two thresholds do, with 95 % intervals.

    Attributes:
        missed: Of the films with the finding, those below the lower one.
        false_calls: Of the films without it, those at or above the upper one.
        sensitivity: Of the films with the finding that get a call, those called.
        specificity: Of the films without it that get a call, those said to be without.
        between: Of all films, those left open.
        between_with: Of the films with the finding, those left open.
        between_without: Of the films without it, those left open.
    """

    missed: Proportion
    false_calls: Proportion
    sensitivity: Proportion
    specificity: Proportion
    between: Proportion
    between_with: Proportion
    between_without: Proportion


def choose_dual_threshold(labels: ArrayLike, scores: ArrayLike, *, missed: float, false_calls: float) -> DualThreshold:
    """Choose the two thresholds for two stated errors.

    ``lower`` is the floor((n + 1) missed)-th smallest score of the n films with the finding, so that a new such film
    lies below it with a chance of at most ``missed``; ``upper`` likewise from above. This is the argument of split
    conformal prediction (Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005), section 4.5): it
    holds for any scores, for films that come from where these came from. With fewer than 1 / missed - 1 films
    nothing can be promised, and the threshold is infinite: everything on that side is left open.

    Where the classes are further apart than the errors ask, one threshold keeps both: it stands in the middle of
    those that do, and no film is left open.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        missed: Largest share of the films with the finding below ``lower``, in (0, 1).
        false_calls: Largest share of the films without it at or above ``upper``, in (0, 1).

    Raises:
        ValueError: An error out of range, one class only, NaN, or lengths that differ.
    """
    if not (0 < missed < 1 and 0 < false_calls < 1):
        raise ValueError(f"errors must be between 0 and 1, not {missed} and {false_calls}")
    truth, values = scores_and_labels(labels, scores)
    lower = _rank_threshold(values[truth], missed)
    # Above the float itself, so that the film at the rank is not called.
    upper = -_rank_threshold(-values[~truth], false_calls)
    upper = float(np.nextafter(upper, np.inf)) if np.isfinite(upper) else np.inf
    if lower > upper:
        lower = upper = lower / 2 + upper / 2
    errors = f"{100 * missed:.3g} % of films with the finding below, {100 * false_calls:.3g} % of those without above"
    return DualThreshold(lower=lower, upper=upper, rule=f"at most {errors}")


def rates_at_dual_threshold(
    labels: ArrayLike, scores: ArrayLike, lower: float, upper: float, groups: ArrayLike | None = None
) -> DualThresholdRates:
    """What two thresholds do.

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        scores: Finite, [N].
        lower: Below it a film is said to be without the finding.
        upper: At or above it a film is called.
        groups: The patient of each film, [N].

    Raises:
        ValueError: The lower one is above the upper one, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores, both_classes=False)
    if not lower <= upper:
        raise ValueError(f"the lower threshold must not be above the upper one: {lower} and {upper}")
    return three_way_rates(truth, values >= upper, values < lower, groups)


def three_way_rates(
    labels: ArrayLike,
    called: ArrayLike,
    cleared: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    extra: tuple[float, float] = (0.0, 0.0),
) -> DualThresholdRates:
    """The rates of three-way calls, also of repeated ones.

    Args:
        labels: 0 or 1, [N]; one class may be missing.
        called: From 0 to 1, [N]: whether each film is called, or the share of its repetitions in which it is.
        cleared: Likewise, whether it is said to be without the finding; together at most 1.
        groups: The patient of each film, [N].
        extra: Variance of the missed and of the false calls that the choice of the thresholds adds.

    Raises:
        ValueError: Values out of range, or lengths that differ.
    """
    truth, yes = scores_and_labels(labels, called, both_classes=False)
    _, no = scores_and_labels(labels, cleared, both_classes=False)

    def share(hits: NDArray[np.float64], among: NDArray[np.float64], more: float = 0.0) -> Proportion:
        return clustered_rate(np.minimum(hits, among), groups, among, extra=more)

    with_it, without = truth.astype(np.float64), (~truth).astype(np.float64)
    decided = np.clip(yes + no, 0, 1)
    return DualThresholdRates(
        missed=share(no, with_it, extra[0]),
        false_calls=share(yes, without, extra[1]),
        sensitivity=share(yes, with_it * decided),
        specificity=share(no, without * decided),
        between=share(1 - decided, np.ones_like(decided)),
        between_with=share(1 - decided, with_it),
        between_without=share(1 - decided, without),
    )


def _rank_threshold(values: NDArray[np.float64], error: float) -> float:
    """The floor((n + 1) error)-th smallest value, -inf if that is the 0th."""
    rank = int(np.floor((len(values) + 1) * error + 1e-9))
    return float(np.sort(values)[rank - 1]) if rank else -np.inf
