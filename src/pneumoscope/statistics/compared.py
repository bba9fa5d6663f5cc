"""Whether a figure differs between two groups of films: other films, one system. For two systems see ``paired``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from pneumoscope.statistics.checks import binary_labels, group_numbers, scores_and_labels
from pneumoscope.statistics.discrimination import structural_components

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["GroupDifference", "auc_difference_of_groups", "rate_difference_of_groups"]


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
    _apart(a, b, len(values))
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
    return GroupDifference(value, _two_sided(value, _by_patient(pulls, numbers, count)), "score, by patient")


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
    _apart(a, b, len(truth))
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
    variance = _by_patient(pulls, numbers, count)
    if variance <= 0:
        return None
    return GroupDifference(value, _two_sided(value, variance), "DeLong")


def _by_patient(pulls: NDArray[np.float64], numbers: NDArray[np.int64], count: int) -> float:
    """The variance of the sum of what each film pulls, films of one patient pulling together."""
    together = np.bincount(numbers, weights=pulls, minlength=count)
    return float(together @ together)


def _two_sided(value: float, variance: float) -> float:
    return float(2 * ndtr(-abs(value) / np.sqrt(variance))) if variance > 0 else 1.0


def _apart(a: NDArray[np.bool_], b: NDArray[np.bool_], n: int) -> None:
    if a.shape != (n,) or b.shape != (n,):
        raise ValueError(f"both groups need a mask of {n} films, not {a.shape} and {b.shape}")
    if not a.any() or not b.any() or (a & b).any():
        raise ValueError("both groups need films, and no film may be of both")
