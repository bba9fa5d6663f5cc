"""A figure of each reader in each arm, with the covariances that the films account for: jackknife or DeLong.

Arrays of figures are [arms, readers], arrays of readings [arms, readers, films].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pneumoscope.stats.checks import binary_labels, group_numbers
from pneumoscope.stats.roc import structural_components

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = ["CovarianceMethod", "ReaderFigures", "auc_figures", "pair_kernel", "rate_figures", "sums_by_patient"]

CovarianceMethod = Literal["jackknife", "delong"]


@dataclass(frozen=True, slots=True, eq=False)
class ReaderFigures:
    """A figure of each reader in each arm, with the covariances of these figures that the films account for.

    Attributes:
        values: float64 [arms, readers].
        covariance: float64 [arms, readers, arms, readers].
        cases: Patients (films, where each is its own patient) that the figures are of.
    """

    values: Floats
    covariance: Floats
    cases: int


def auc_figures(
    labels: ArrayLike, ratings: ArrayLike, groups: ArrayLike | None = None, *, method: CovarianceMethod = "jackknife"
) -> ReaderFigures:
    """The AUC of each reader in each arm, ties half, and their covariances.

    Args:
        labels: 0 or 1, [N].
        ratings: Finite, [arms, readers, N]; higher speaks for class 1. No gaps.
        groups: The patient of each film, [N]; None: every film is its own patient.
        method: "jackknife" leaves out a patient at a time; "delong" takes structural components (with patients of
            several films as in Obuchowski, Biometrics 53 (1997) 567). They differ by one part in the number of films.

    Raises:
        ValueError: A gap, lengths that differ, or fewer than two patients in a class.
    """
    truth, table = _labels_and_readings(labels, ratings)
    numbers, count = group_numbers(groups, len(truth))
    _check_patients(numbers, truth, ~truth)
    arms, readers, n = table.shape
    parts = [structural_components(truth, row) for row in table.reshape(-1, n)]
    v10, v01 = np.array([a for a, _ in parts]), np.array([b for _, b in parts])  # [figures, m], [figures, n - m]
    areas = v10.mean(axis=1)
    positive, negative = numbers[truth], numbers[~truth]
    if method == "delong":
        covariance = _delong_covariance(v10 - areas[:, None], v01 - areas[:, None], positive, negative, count)
    else:
        left = _areas_without(table.reshape(-1, n), truth, v10, v01, numbers, count)
        covariance = _jackknife_covariance(left)
    return ReaderFigures(
        areas.reshape(arms, readers), covariance.reshape(arms, readers, arms, readers), int(np.unique(numbers).size)
    )


def rate_figures(hits: ArrayLike, among: ArrayLike, groups: ArrayLike | None = None) -> ReaderFigures:
    """A rate of each reader in each arm (sensitivity, specificity), and their covariances by the jackknife.

    Args:
        hits: Whether each reading is right, bool [arms, readers, N]; no gaps.
        among: The films that the rate is of, bool [N]: those with the finding, for sensitivity.
        groups: The patient of each film, [N]; None: every film is its own patient.

    Raises:
        ValueError: Lengths that differ, values that are not 0 or 1, or fewer than two patients among the films.
    """
    counted = binary_labels(among)
    table = np.asarray(hits, dtype=np.float64)
    if table.ndim != 3 or table.shape[-1] != len(counted) or not np.isin(table, (0.0, 1.0)).all():
        raise ValueError(f"hits must be 0 or 1, [arms, readers, {len(counted)}], not the shape {table.shape}")
    numbers, count = group_numbers(groups, len(counted))
    _check_patients(numbers, counted)
    names, own = np.unique(numbers[counted], return_inverse=True)
    count = len(names)
    arms, readers, _ = table.shape
    inside = table[:, :, counted].reshape(arms * readers, -1)
    total = inside.sum(axis=1)
    size = np.bincount(own, minlength=count)
    left = (total[:, None] - sums_by_patient(inside, own, count)) / (inside.shape[1] - size)
    covariance = _jackknife_covariance(left)
    values = (total / inside.shape[1]).reshape(arms, readers)
    return ReaderFigures(values, covariance.reshape(arms, readers, arms, readers), count)


def _labels_and_readings(labels: ArrayLike, ratings: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    truth = binary_labels(labels)
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 3 or table.shape[-1] != len(truth) or 0 in table.shape:
        raise ValueError(f"ratings must be [arms, readers, {len(truth)}], not the shape {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError(f"every reader must have read every film; {int((~np.isfinite(table)).sum())} ratings are not")
    return truth, table


def _check_patients(numbers: NDArray[np.int64], *parts: NDArray[np.bool_]) -> None:
    for part in parts:
        if len(np.unique(numbers[part])) < 2:
            raise ValueError("two patients of each kind are needed at least")


def sums_by_patient(rows: Floats, numbers: NDArray[np.int64], count: int) -> Floats:
    """Sums over the groups of the last axis: [..., N] to [..., count]."""
    inside = np.zeros((len(numbers), count))
    inside[np.arange(len(numbers)), numbers] = 1.0
    found: Floats = rows @ inside
    return found


def _areas_without(  # noqa: PLR0917 - of one caller or two
    table: Floats,
    truth: NDArray[np.bool_],
    v10: Floats,
    v01: Floats,
    numbers: NDArray[np.int64],
    count: int,
) -> Floats:
    """The areas without each patient, [figures, patients], from the structural components: no area is computed anew."""
    m, n = v10.shape[1], v01.shape[1]
    positive, negative = numbers[truth], numbers[~truth]
    of_m, of_n = np.bincount(positive, minlength=count), np.bincount(negative, minlength=count)
    both = np.zeros((len(table), count))
    for patient in np.flatnonzero((of_m > 0) & (of_n > 0)):  # pairs within a patient were taken off twice
        mine = numbers == patient
        both[:, patient] = [pair_kernel(row[mine], truth[mine]).sum() for row in table]
    off = n * sums_by_patient(v10, positive, count) + m * sums_by_patient(v01, negative, count) - both
    left: Floats = (m * n * v10.mean(axis=1)[:, None] - off) / ((m - of_m) * (n - of_n))
    return left


def _jackknife_covariance(left: Floats) -> Floats:
    """Of figures that were computed without each patient, [figures, patients]."""
    count = left.shape[1]
    centred = left - left.mean(axis=1, keepdims=True)
    covariance: Floats = (count - 1) / count * centred @ centred.T
    return covariance


def _delong_covariance(
    d10: Floats, d01: Floats, positive: NDArray[np.int64], negative: NDArray[np.int64], count: int
) -> Floats:
    """Of centred structural components, [figures, m] and [figures, n], summed by patient."""
    i10, i01 = len(np.unique(positive)), len(np.unique(negative))
    sum10, sum01 = (
        sums_by_patient(d10, positive, count) / d10.shape[1],
        sums_by_patient(d01, negative, count) / d01.shape[1],
    )
    mixed = count / (count - 1) * sum10 @ sum01.T  # only patients with films of both classes add to it
    covariance: Floats = i10 / (i10 - 1) * sum10 @ sum10.T + i01 / (i01 - 1) * sum01 @ sum01.T + mixed + mixed.T
    return covariance


def pair_kernel(ratings: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Whether each film with the finding is rated above each without, ties half: float64 [m, n]."""
    positive, negative = ratings[truth][:, None], ratings[~truth][None, :]
    found: Floats = (positive > negative) + 0.5 * (positive == negative)
    return found
