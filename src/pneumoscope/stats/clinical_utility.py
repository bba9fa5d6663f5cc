"""Clinical utility: predictive values over prevalence, and net benefit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import probabilities

__all__ = ["PredictiveValues", "net_benefit", "net_benefit_band", "predictive_values"]

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.bootstrap import ConfidenceBand, Resamples
    from pneumoscope.stats.proportions import Proportion

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PredictiveValues:
    """PPV and NPV over prevalence, each float64 [P], with their intervals."""

    prevalence: Floats
    ppv: Floats
    ppv_low: Floats
    ppv_high: Floats
    npv: Floats
    npv_low: Floats
    npv_high: Floats


def predictive_values(sensitivity: Proportion, specificity: Proportion, prevalence: ArrayLike) -> PredictiveValues:
    """PPV and NPV at other prevalences than that of the films, by Bayes' rule.

    The logit of the PPV is the logit of the prevalence plus the logarithm of the likelihood ratio
    sensitivity / (1 - specificity); for the NPV it is specificity / (1 - sensitivity). The interval of such a ratio is
    made of those of its two rates by the method of variance estimates recovery on the logarithms (Zou and Donner,
    Stat. Med. 27 (2008) 1693); for the predictive values see Mercaldo, Lau and Zhou, Stat. Med. 26 (2007) 2170.
    Where a rate is exactly 0 or 1 its logarithm has no finite interval, and the ends of the rates are put together,
    which is wider. Sensitivity and specificity are taken to be what they are here: where the sick are sicker they
    are not.

    Args:
        sensitivity: On films with the finding.
        specificity: On films without it.
        prevalence: Between 0 and 1, both excluded, [P].

    Raises:
        ValueError: A prevalence is out of range, or a rate has no films.
    """
    share = np.asarray(prevalence, dtype=np.float64)
    if share.ndim != 1 or not ((share > 0) & (share < 1)).all():
        raise ValueError("prevalences must be between 0 and 1, along one axis")
    if not (sensitivity.known and specificity.known):
        raise ValueError("both rates need films")
    se = (sensitivity.value, sensitivity.low, sensitivity.high)
    sp = (specificity.value, specificity.low, specificity.high)
    odds = share / (1 - share)
    ppv = [_posterior(odds, ratio) for ratio in _ratio(se, _complement(sp))]
    npv = [_posterior(1 / odds, ratio) for ratio in _ratio(sp, _complement(se))]
    return PredictiveValues(share, *ppv, *npv)


def _complement(rate: tuple[float, float, float]) -> tuple[float, float, float]:
    value, low, high = rate
    return 1 - value, 1 - high, 1 - low


def _ratio(top: tuple[float, float, float], below: tuple[float, float, float]) -> tuple[float, float, float]:
    """A ratio of two independent rates with its interval; infinite where the lower rate is 0."""
    a, la, ua = top
    b, lb, ub = below
    value = a / b if b > 0 else (np.inf if a > 0 else 1.0)
    widest = (la / ub if ub > 0 else np.inf, ua / lb if lb > 0 else np.inf)
    if min(a, b, la, lb) <= 0:
        return value, min(widest[0], value), max(widest[1], value)
    centre, log = np.log(a / b), np.log
    low = centre - np.hypot(log(a / la), log(ub / b))
    high = centre + np.hypot(log(ua / a), log(b / lb))
    return value, float(np.exp(low)), float(np.exp(high))


def _posterior(odds: Floats, ratio: float) -> Floats:
    """The probability after a likelihood ratio, from the odds before."""
    return np.ones_like(odds) if np.isinf(ratio) else odds * ratio / (1 + odds * ratio)


def net_benefit(labels: ArrayLike, p: ArrayLike, thresholds: ArrayLike) -> Floats:
    """Net benefit of acting on films at or above each threshold probability, in true positives a film.

    TP / n - FP / n * t / (1 - t): a false positive costs what the threshold says it costs (Vickers and Elkin, Med.
    Decis. Making 26 (2006) 565).

    Args:
        labels: 0 or 1, [N].
        p: Probability of class 1, [N].
        thresholds: Between 0 and 1, both excluded, [T].

    Returns:
        float64 [T].

    Raises:
        ValueError: NaN, a probability or threshold out of range, or lengths that differ.
    """
    columns, odds = _treated_counts(labels, p, thresholds)
    found: Floats = _net_benefits(columns.sum(axis=0, keepdims=True), odds)[0]
    return found


def net_benefit_band(labels: ArrayLike, p: ArrayLike, thresholds: ArrayLike, resamples: Resamples) -> ConfidenceBand:
    """``net_benefit`` with its bootstrap interval, point by point."""
    columns, odds = _treated_counts(labels, p, thresholds)
    return resamples.band(lambda sums: _net_benefits(sums, odds), columns)


def _treated_counts(labels: ArrayLike, p: ArrayLike, thresholds: ArrayLike) -> tuple[Floats, Floats]:
    """What is summed over films, float64 [N, T + T + 1]: true and false positives at each threshold, and ones."""
    truth, values = probabilities(labels, p)
    cuts = np.asarray(thresholds, dtype=np.float64)
    if cuts.ndim != 1 or not ((cuts > 0) & (cuts < 1)).all():
        raise ValueError("threshold probabilities must be between 0 and 1, along one axis")
    called = values[:, None] >= cuts
    return (
        np.column_stack([called & truth[:, None], called & ~truth[:, None], np.ones(len(truth))]).astype(np.float64),
        cuts / (1 - cuts),
    )


def _net_benefits(sums: Floats, odds: Floats) -> Floats:
    tp, fp, n = sums[:, : len(odds)], sums[:, len(odds) : -1], sums[:, -1:]
    found: Floats = (tp - fp * odds) / n
    return found
