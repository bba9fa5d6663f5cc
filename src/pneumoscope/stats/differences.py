"""Differences between two systems, two groups of films or two ways of training, with their tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from pneumoscope.stats.bootstrap import bootstrap, drawn_times, group_totals, percentile_estimate
from pneumoscope.stats.checks import binary_labels, group_numbers, scores_and_labels
from pneumoscope.stats.proportions import normal_quantile, wilson_ends
from pneumoscope.stats.roc import clustered_variance, structural_components

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "GroupDifference",
    "McNemar",
    "auc_difference_of_groups",
    "bootstrap_difference",
    "bootstrap_sums_difference",
    "delong_difference",
    "holm",
    "mcnemar",
    "rate_difference_of_groups",
    "seed_difference",
]


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """P-values adjusted by Holm's step-down method (Scand. J. Statist. 6 (1979) 65).

    Rejecting where the adjusted value is at most alpha keeps the chance of any false rejection at alpha or below,
    whatever the dependence between the tests.

    Args:
        p: [K], from 0 to 1; may be empty.

    Returns:
        float64 [K], in the same order, none below its p.

    Raises:
        ValueError: A value is no probability.
    """
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must be from 0 to 1, along one axis")
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


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
        low: Lower end of the interval of the difference (Newcombe, Stat. Med. 17 (1998) 2635, method 10; with several
            films a patient, of as many films as the design effect leaves).
        high: Upper end.
        p_exact: Two-sided exact test of the films on which they differ; never too small, often too large.
        p_mid: The mid-p version, which Fagerland, Lydersen and Laake recommend (BMC Med. Res. Methodol. 13 (2013) 91).
        method: "McNemar, mid-p", or "McNemar by patient, mid-p" where patients have several films.
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
    method: str = "McNemar, mid-p"

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


def mcnemar(
    a_right: ArrayLike, b_right: ArrayLike, groups: ArrayLike | None = None, confidence: float = 0.95
) -> McNemar:
    """Compare two systems by the films that one calls right and the other wrong (McNemar, Psychometrika 12 (1947) 153).

    Where patients have several films, what counts is each patient's difference: the films that only the first system
    calls right less those that only the second does, as in Obuchowski's test (Stat. Med. 17 (1998) 1495). Without a
    difference between the systems each patient's could as well have the other sign; the p-value is exact over all
    such signs. With one film a patient this is McNemar's exact test itself.

    Args:
        a_right: Whether the first system calls each film as what it is, [N].
        b_right: Likewise the second.
        groups: The patient of each film, [N]; None: every film is its own patient.
        confidence: Of the interval.

    Raises:
        ValueError: Values that are not 0 or 1, no films, or lengths that differ.
    """
    a, b = binary_labels(a_right), binary_labels(b_right)
    if a.shape != b.shape:
        raise ValueError(f"both systems must have judged the same films, not {len(a)} and {len(b)}")
    n = len(a)
    numbers, count = group_numbers(groups, n)
    both, only_a, only_b = int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())
    difference = a.astype(np.int64) - b
    by_patient = np.bincount(numbers, weights=difference, minlength=count)
    p_exact, p_mid = _sign_flip_p(np.rint(by_patient).astype(np.int64))
    value = (only_a - only_b) / n
    design = 1.0
    if 1 < count < n:
        off = np.bincount(numbers, weights=difference - value, minlength=count)
        alone = float(((difference - value) ** 2).sum())
        design = max(1.0, count / (count - 1) * float(off @ off) / alone) if alone > 0 else n / count
    low, high = _newcombe(both / design, only_a / design, only_b / design, n / design, confidence)
    method = "McNemar, mid-p" if count == n else "McNemar by patient, mid-p"
    return McNemar(both, only_a, only_b, n - both - only_a - only_b, value, low, high, p_exact, p_mid, method)


def _sign_flip_p(differences: NDArray[np.int64]) -> tuple[float, float]:
    """Two-sided p-value of the sum of whole numbers under all changes of their signs: exact, and mid-p."""
    sizes = np.abs(differences[differences != 0])
    if not len(sizes):
        return 1.0, 1.0
    most = int(sizes.sum())
    # chance[s]: that the sum of the patients so far, all signs alike, is 2 s - their whole size.
    chance = np.ones(1)
    for size in sizes.tolist():
        longer = np.zeros(len(chance) + size)
        longer[: len(chance)] += chance / 2
        longer[size:] += chance / 2
        chance = longer
    sums = np.abs(2 * np.arange(most + 1) - most)
    seen = abs(int(differences.sum()))
    at, beyond = float(chance[sums == seen].sum()), float(chance[sums > seen].sum())
    return min(1.0, beyond + at), min(1.0, beyond + at / 2) if seen else 1.0


def _newcombe(both: float, only_a: float, only_b: float, n: float, confidence: float) -> tuple[float, float]:
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
    p = _bootstrap_p(np.array(kept[1:]))  # the first is of the films as they are
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
    p = _bootstrap_p(found)
    return Difference(value_a, value_b, estimate.value, estimate.low, estimate.high, p, n, "bootstrap, paired")


def _bootstrap_p(found: NDArray[np.float64]) -> float:
    below, above = int((found <= 0).sum()), int((found >= 0).sum())
    return min(1.0, 2 * (1 + min(below, above)) / (len(found) + 1))


def seed_difference(a: ArrayLike, b: ArrayLike, confidence: float = 0.95) -> Difference:
    """The difference of the means of a figure over seeds (Welch, Biometrika 34 (1947) 28).

    The seeds are the sample: what is asked is whether training again, with other seeds, would show the same
    difference on these films. With three seeds only large differences can be shown.

    Args:
        a: The figure of the first way, one value a seed, two or more.
        b: Of the second way; there may be another number of them.
        confidence: Of the interval.

    Returns:
        The difference; without an interval and a p-value where neither way varies at all.

    Raises:
        ValueError: A value is not finite, or there is one seed only.
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (a, b))
    for values in (first, second):
        if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
            raise ValueError(f"finite values of two seeds or more are needed, not the shape {values.shape}")
    normal_quantile(confidence)  # says no to an impossible confidence
    parts = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    variance = sum(parts)
    value = float(first.mean() - second.mean())
    low = high = p = None
    if variance > 0:
        scale = float(np.sqrt(variance))
        freedom = variance**2 / sum(
            part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
        )
        half = float(stdtrit(freedom, 0.5 + confidence / 2)) * scale
        low, high, p = value - half, value + half, float(2 * stdtr(freedom, -abs(value) / scale))
    return Difference(
        float(first.mean()), float(second.mean()), value, low, high, p, len(first) + len(second), "Welch, over seeds"
    )


@dataclass(frozen=True, slots=True)
class GroupDifference:
    """A figure of one group less that of another.

    Attributes:
        value: The difference.
        p: Two-sided, of no difference.
        method: Of the test.
    """

    value: float
    p: float
    method: str


def rate_difference_of_groups(
    hits: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None
) -> GroupDifference:
    """The difference of two proportions.

    Where no patient has two of the films: Fisher's exact test. Else the score test with the variance between patients
    under equal proportions (Rao and Scott, Biometrics 48 (1992) 577, in its simplest form), for which the films of a
    patient may lie in both groups.

    Args:
        hits: 0 or 1, [N].
        first: Which films are of the first group, bool [N].
        second: Likewise of the second; no film is of both.
        groups: The patient of each film, [N]; None: every film is its own patient.

    Raises:
        ValueError: A group is empty, they overlap, or lengths that differ.
    """
    values, a, b = binary_labels(hits), np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    _check_disjoint(a, b, len(values))
    numbers, count = group_numbers(groups, len(values))
    na, nb = int(a.sum()), int(b.sum())
    ka, kb = int(values[a].sum()), int(values[b].sum())
    value = ka / na - kb / nb
    there = numbers[a | b]
    if len(np.unique(there)) == len(there):
        from scipy.stats import fisher_exact  # noqa: PLC0415 - takes a second to import

        p = float(fisher_exact([[ka, na - ka], [kb, nb - kb]]).pvalue)
        return GroupDifference(value, min(1.0, p), "Fisher")
    pooled = (ka + kb) / (na + nb)
    pulls = (values - pooled) * (a / na - b / nb)
    return GroupDifference(value, _normal_p(value, _clustered_sum_variance(pulls, numbers, count)), "score, by patient")


def auc_difference_of_groups(
    labels: ArrayLike, scores: ArrayLike, first: ArrayLike, second: ArrayLike, groups: ArrayLike | None = None
) -> GroupDifference | None:
    """The difference of the AUCs of two groups, by DeLong's variances; patients may have films in both groups.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N].
        first: Which films are of the first group, bool [N].
        second: Likewise of the second; no film is of both.
        groups: The patient of each film, [N]; None: every film is its own patient.

    Returns:
        None where no variance can be estimated: fewer than two films of a class in a group, or areas of 0 and 1.

    Raises:
        ValueError: A class is missing in a group, they overlap, NaN, or lengths that differ.
    """
    truth, values = scores_and_labels(labels, scores)
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    _check_disjoint(a, b, len(truth))
    numbers, count = group_numbers(groups, len(truth))
    areas, pulls = [], np.zeros(len(truth))
    for mask, sign in ((a, 1.0), (b, -1.0)):
        inside, score = scores_and_labels(truth[mask], values[mask])
        v10, v01 = structural_components(inside, score)
        if min(len(v10), len(v01)) < 2:
            return None
        area = v10.mean()
        here = np.flatnonzero(mask)
        for part, components in ((inside, v10), (~inside, v01)):
            m = len(components)
            pulls[here[part]] = sign * (components - area) / np.sqrt(m * (m - 1))
        areas.append(float(area))
    value = areas[0] - areas[1]
    variance = _clustered_sum_variance(pulls, numbers, count)
    if variance <= 0:
        return None
    return GroupDifference(value, _normal_p(value, variance), "DeLong")


def _clustered_sum_variance(pulls: NDArray[np.float64], numbers: NDArray[np.int64], count: int) -> float:
    """The variance of the sum of what each film pulls, films of one patient pulling together."""
    together = np.bincount(numbers, weights=pulls, minlength=count)
    return float(together @ together)


def _normal_p(value: float, variance: float) -> float:
    return float(2 * ndtr(-abs(value) / np.sqrt(variance))) if variance > 0 else 1.0


def _check_disjoint(a: NDArray[np.bool_], b: NDArray[np.bool_], n: int) -> None:
    if a.shape != (n,) or b.shape != (n,):
        raise ValueError(f"both groups need a mask of {n} films, not {a.shape} and {b.shape}")
    if not a.any() or not b.any() or (a & b).any():
        raise ValueError("both groups need films, and no film may be of both")
