"""Means over readers and their variance where readings are missing (Gallas, Acad. Radiol. 13 (2006) 353)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import binary_labels, group_numbers
from pneumoscope.stats.mrmc import student_interval
from pneumoscope.stats.reader_figures import pair_kernel, sums_by_patient

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["UStatistic", "u_statistic_auc", "u_statistic_rate"]

_TINY = 1e-14


@dataclass(frozen=True, slots=True)
class UStatistic:
    """A mean over readers, or a difference of two such means, with gaps in the readings allowed.

    Attributes:
        value: Every pair of readings weighs the same.
        variance: Unbiased (Gallas 2006), but not below 0.
        low: Lower end of the interval, by Student's t with one degree of freedom fewer than readers: on the safe side.
        high: Upper end.
        p: Two-sided, of a value of 0; None for a figure that is no difference, or without variance.
        readers: That any pair is of.
    """

    value: float
    variance: float
    low: float | None
    high: float | None
    p: float | None
    readers: int


def u_statistic_auc(
    labels: ArrayLike,
    ratings: ArrayLike,
    other: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> UStatistic:
    """The AUC over readers, or its difference between two arms, with gaps (Gallas, Acad. Radiol. 13 (2006) 353).

    Args:
        labels: 0 or 1, [N].
        ratings: [readers, N]; NaN where a film was not read. With ``other``: of the later arm.
        other: Of the earlier arm, [readers, N]; only films that a reader read in both arms count for them.
        groups: The patient of each film, [N]; None: every film is its own patient.
        confidence: Of the interval.

    Raises:
        ValueError: Lengths that differ, or no reader has read a film of each class.
    """
    truth = binary_labels(labels)
    first, second = _with_gaps(ratings, len(truth)), None if other is None else _with_gaps(other, len(truth))
    if second is not None and second.shape != first.shape:
        raise ValueError(f"both arms must have the same readers, not {first.shape} and {second.shape}")
    numbers, _ = group_numbers(groups, len(truth))
    rows, columns = (np.unique(numbers[part], return_inverse=True)[1] for part in (truth, ~truth))
    kernels, weights = [], []
    for reader in range(len(first)):
        here = np.isfinite(first[reader]) & (True if second is None else np.isfinite(second[reader]))
        weight = np.outer(here[truth], here[~truth]).astype(np.float64)
        kernel = pair_kernel(first[reader], truth)
        if second is not None:
            kernel = kernel - pair_kernel(second[reader], truth)
        kernels.append(_blocks(np.where(weight > 0, kernel, 0.0), rows, columns))
        weights.append(_blocks(weight, rows, columns))
    return _u_statistic(np.array(kernels), np.array(weights), difference=second is not None, confidence=confidence)


def u_statistic_rate(
    hits: ArrayLike,
    among: ArrayLike,
    other: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> UStatistic:
    """A rate over readers, or its difference between two arms, with gaps, as ``u_statistic_auc``.

    Args:
        hits: 0, 1 or NaN (not read), [readers, N]. With ``other``: of the later arm.
        among: The films that the rate is of, bool [N].
        other: Of the earlier arm, [readers, N].
        groups: The patient of each film, [N].
        confidence: Of the interval.

    Raises:
        ValueError: Lengths that differ, or no reader has read any of the films.
    """
    counted = binary_labels(among)
    first, second = _with_gaps(hits, len(counted)), None if other is None else _with_gaps(other, len(counted))
    if second is not None and second.shape != first.shape:
        raise ValueError(f"both arms must have the same readers, not {first.shape} and {second.shape}")
    numbers, _ = group_numbers(groups, len(counted))
    rows = np.unique(numbers[counted], return_inverse=True)[1]
    inside = first[:, counted] if second is None else first[:, counted] - second[:, counted]
    here = np.isfinite(inside)
    count = int(rows.max()) + 1 if len(rows) else 0
    kernels = sums_by_patient(np.where(here, inside, 0.0), rows, count)[:, :, None]
    weights = sums_by_patient(here.astype(np.float64), rows, count)[:, :, None]
    return _u_statistic(kernels, weights, difference=second is not None, confidence=confidence)


def _u_statistic(kernels: Floats, weights: Floats, *, difference: bool, confidence: float) -> UStatistic:
    """Of sums of kernels by reader and by patient with (rows) and without the finding (columns); one column: a rate.

    The variance of the mean is its square less an unbiased estimate of the squared expectation: the mean product of
    two kernels that share neither reader nor patient. That is Gallas's sum of moments, taken from the other side.
    """
    total = float(weights.sum())
    if total == 0:
        raise ValueError("no reader has read films of both kinds")
    value = float(kernels.sum()) / total
    apart, pairs = _products_apart(kernels), _products_apart(weights)
    readers = int((weights.sum(axis=(1, 2)) > 0).sum())
    variance = max(0.0, value**2 - apart / pairs) if pairs > 0 and readers > 1 else float("nan")
    low = high = p = None
    if readers > 1 and variance > _TINY:
        low, high, p, _ = student_interval(value, variance, float(readers - 1), None, confidence)
        if not difference:
            low, high, p = max(0.0, low or 0.0), min(1.0, 1.0 if high is None else high), None
    return UStatistic(value, variance, low, high, p, readers)


def _products_apart(sums: Floats) -> float:
    """The sum of products of two entries [readers, rows, columns] that share no index; one column is no index."""
    axes = (0, 1, 2) if sums.shape[2] > 1 else (0, 1)
    total = 0.0
    for chosen in range(2 ** len(axes)):
        same = [axis for i, axis in enumerate(axes) if chosen >> i & 1]
        free = tuple(axis for axis in range(3) if axis not in same)
        total += (-1) ** len(same) * float((sums.sum(axis=free) ** 2).sum())
    return total


def _blocks(table: Floats, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
    """Sums over patients of both axes."""
    by_row = sums_by_patient(table.T, rows, int(rows.max()) + 1 if len(rows) else 0)
    return sums_by_patient(by_row.T, columns, int(columns.max()) + 1 if len(columns) else 0)


def _with_gaps(readings: ArrayLike, n: int) -> Floats:
    table = np.asarray(readings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != n or np.isinf(table).any():
        raise ValueError(f"readings must be [readers, {n}], finite or NaN, not the shape {table.shape}")
    return table
