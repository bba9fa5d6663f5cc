"""Two systems on the same films: whether the difference is real."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr, ndtr

from pneumoscope.statistics.checks import binary_labels, scores_and_labels
from pneumoscope.statistics.discrimination import clustered_variance, structural_components
from pneumoscope.statistics.intervals import bootstrap, drawn_times, group_totals, percentile_estimate
from pneumoscope.statistics.proportions import normal_quantile, wilson_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Difference", "McNemar", "bootstrap_difference", "bootstrap_sums_difference", "delong_difference", "mcnemar"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of two systems on the same films, and the first less the second.

    Attributes:
        a: Of the first.
        b: Of the second.
        value: a - b.
        low: Lower end of the interval of the difference; None where it cannot be computed.
        high: Upper end.
        p: Two-sided, of no difference; None where it cannot be computed.
        n: Films.
        method: Whose test.
    """

    a: float
    b: float
    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    method: str

    def __str__(self) -> str:
        """As printed in tables."""
        if self.low is None or self.high is None or self.p is None:
            return f"{self.value:+.3f} (interval cannot be computed)"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}; p = {self.p:.3g})"


@dataclass(frozen=True, slots=True)
class McNemar:
    """Who was right on which films.

    Attributes:
        both: Films that both systems call right.
        only_a: That only the first does.
        only_b: That only the second does.
        neither: That neither does.
        value: Accuracy of the first less that of the second.
        low: Lower end of the interval of the difference (Newcombe, Stat. Med. 17 (1998) 2635, method 10).
        high: Upper end.
        p_exact: Two-sided binomial test of the films on which they differ; never too small, often too large.
        p_mid: The mid-p version, which Fagerland, Lydersen and Laake recommend (BMC Med. Res. Methodol. 13 (2013) 91).
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    value: float
    low: float
    high: float
    p_exact: float
    p_mid: float

    @property
    def n(self) -> int:
        """Films."""
        return self.both + self.only_a + self.only_b + self.neither


def delong_difference(
    labels: ArrayLike, a: ArrayLike, b: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95
) -> Difference:
    """The difference of two AUCs on the same films (DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988) 837).

    With ``groups`` the variance is Obuchowski's for films that share a patient (Biometrics 53 (1997) 567). The
    interval is the plain one, within -1 and 1.

    Args:
        labels: 0 or 1, [N].
        a: Scores of the first system, [N]; higher speaks for class 1.
        b: Scores of the second.
        groups: The patient of each film, [N]; None: every film is its own patient.
        confidence: Of the interval.

    Raises:
        ValueError: One class only, NaN, or lengths that differ.
    """
    truth, first = scores_and_labels(labels, a)
    _, second = scores_and_labels(labels, b)
    a10, a01 = structural_components(truth, first)
    b10, b01 = structural_components(truth, second)
    area_a, area_b = float(a10.mean()), float(b10.mean())
    value = area_a - area_b
    variance, _ = clustered_variance(truth, a10 - b10 - value, a01 - b01 - value, groups)
    low = high = p = None
    if variance is not None:
        scale = float(np.sqrt(variance))
        half = normal_quantile(confidence) * scale
        # Scores that put the films into one order differ in nothing; rounding must not make a difference of it.
        p = 1.0 if abs(value) < 1e-12 else float(2 * ndtr(-abs(value) / scale)) if scale > 0 else None
        low, high = (None, None) if p is None else (max(-1.0, value - half), min(1.0, value + half))
    return Difference(area_a, area_b, value, low, high, p, len(truth), "DeLong, paired")


def mcnemar(a_right: ArrayLike, b_right: ArrayLike, confidence: float = 0.95) -> McNemar:
    """Compare two systems by the films that one calls right and the other wrong (McNemar, Psychometrika 12 (1947) 153).

    It takes films for independent: where patients have several, use ``bootstrap_sums_difference`` too.

    Args:
        a_right: Whether the first system calls each film as what it is, [N].
        b_right: Likewise the second.
        confidence: Of the interval.

    Raises:
        ValueError: Values that are not 0 or 1, no films, or lengths that differ.
    """
    a, b = binary_labels(a_right), binary_labels(b_right)
    if a.shape != b.shape:
        raise ValueError(f"both systems must have judged the same films, not {len(a)} and {len(b)}")
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    differ, fewer = only_a + only_b, min(only_a, only_b)
    p_exact = p_mid = 1.0
    if differ:
        tail = float(bdtr(fewer, differ, 0.5))
        point = tail - (float(bdtr(fewer - 1, differ, 0.5)) if fewer else 0.0)
        p_exact = min(1.0, 2 * tail)
        p_mid = min(1.0, 2 * tail - point)
    low, high = _newcombe(both, only_a, only_b, len(a), confidence)
    return McNemar(both, only_a, only_b, len(a) - both - differ, (only_a - only_b) / len(a), low, high, p_exact, p_mid)


def _newcombe(both: int, only_a: int, only_b: int, n: int, confidence: float) -> tuple[float, float]:
    """Newcombe's method 10: the squares of Wilson's half-widths, with the correlation of the two proportions."""
    neither = n - both - only_a - only_b
    pa, pb = (both + only_a) / n, (both + only_b) / n
    (low_a, high_a), (low_b, high_b) = wilson_ends(pa, n, confidence), wilson_ends(pb, n, confidence)
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    phi = 0.0
    if margins:
        top = both * neither - only_a * only_b
        phi = (max(top - n / 2, 0) if top > 0 else top) / np.sqrt(margins)

    def half(x: float, y: float) -> float:
        return float(np.sqrt(max(0.0, x**2 - 2 * phi * x * y + y**2)))

    value = pa - pb
    low, high = value - half(pa - low_a, high_b - pb), value + half(high_a - pa, pb - low_b)
    return max(-1.0, low), min(1.0, high)


def bootstrap_difference(
    statistic: Callable[..., float],
    shared: Sequence[ArrayLike],
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    *,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Difference:
    """The difference of any figure of two systems, drawing whole patients: the same for both systems.

    Args:
        statistic: Takes the resampled arrays, the shared ones first, and gives a number.
        shared: Arrays that both systems have, each with N rows: the labels.
        a: Arrays of the first system: its scores.
        b: Arrays of the second.
        groups: As in ``bootstrap``.
        draws: As in ``bootstrap``.
        generator: As in ``bootstrap``.
        confidence: As in ``bootstrap``.

    Returns:
        The difference; its p-value is twice the smaller share of the resamples on one side of 0, the value itself
        counted as one of them (Davison and Hinkley (1997), section 4.2), and so never below 2 / (draws + 1).

    Raises:
        ValueError: As in ``bootstrap``.
    """
    first, second = len(shared), len(shared) + len(a)
    kept: list[float] = []

    def difference(*columns: ArrayLike) -> float:
        common = columns[:first]
        found = statistic(*common, *columns[first:second]) - statistic(*common, *columns[second:])
        kept.append(found)
        return found

    found = bootstrap(difference, (*shared, *a, *b), groups, draws, generator=generator, confidence=confidence)
    p = _two_sided(np.array(kept[1:]))  # the first is of the films as they are
    value_a, value_b = statistic(*shared, *a), statistic(*shared, *b)
    return Difference(value_a, value_b, found.value, found.low, found.high, p, found.n, "bootstrap, paired")


def bootstrap_sums_difference(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    a: ArrayLike,
    b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    generator: np.random.Generator,
    confidence: float = 0.95,
) -> Difference:
    """``bootstrap_difference`` for a figure that needs only sums over films, several times faster.

    Args:
        statistic: Takes sums, float64 [draws, K], and gives float64 [draws]; NaN where it cannot be computed.
        a: What is summed of the first system, [N, K] (or [N]).
        b: Likewise of the second.
        groups: As in ``bootstrap``.
        draws: As in ``bootstrap``.
        generator: As in ``bootstrap``; the same state draws the same patients.
        confidence: As in ``bootstrap``.

    Raises:
        ValueError: As in ``bootstrap_sums``, or the shapes differ.
    """
    n, totals_a = group_totals(a, groups)
    others, totals_b = group_totals(b, groups)
    if n != others or totals_a.shape != totals_b.shape:
        raise ValueError(f"both systems must have judged the same films, not {n} and {others}")
    value_a, value_b = (float(statistic(x.sum(axis=0, keepdims=True))[0]) for x in (totals_a, totals_b))
    if not np.isfinite([value_a, value_b]).all():
        raise ValueError("the statistic cannot be computed on these films")
    computed = np.concatenate(
        [
            statistic(times @ totals_a) - statistic(times @ totals_b)
            for times in drawn_times(len(totals_a), draws, generator)
        ]
    )
    found = computed[np.isfinite(computed)]
    estimate = percentile_estimate(
        value_a - value_b, found, draws=draws, n=n, groups=len(totals_a), confidence=confidence
    )
    p = _two_sided(found)
    return Difference(value_a, value_b, estimate.value, estimate.low, estimate.high, p, n, "bootstrap, paired")


def _two_sided(found: NDArray[np.float64]) -> float:
    below, above = int((found <= 0).sum()), int((found >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (len(found) + 1))
