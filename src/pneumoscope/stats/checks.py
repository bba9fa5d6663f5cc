"""Arrays in, or a clear ValueError: every function of this package checks its arrays here first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "UNKNOWN_CLASS",
    "binary_labels",
    "class_labels",
    "group_numbers",
    "probabilities",
    "scores_and_labels",
    "sets_and_labels",
    "table",
]


UNKNOWN_CLASS = -1
"""The class number of a film that has the finding, in which of its classes nobody knows."""


def binary_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Labels as bool [N].

    Raises:
        ValueError: They are empty, not of one axis, or hold anything but 0 and 1.
    """
    found = np.asarray(labels)
    if found.ndim != 1 or found.size == 0:
        raise ValueError(f"labels must have one axis and at least one film, not the shape {found.shape}")
    if found.dtype != np.bool_ and not np.isin(found, (0, 1)).all():
        raise ValueError("labels must be 0 or 1 (or False or True)")
    return found.astype(np.bool_)


def scores_and_labels(
    labels: ArrayLike, scores: ArrayLike, *, both_classes: bool = True
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Two-class labels and their scores, as bool [N] and float64 [N].

    Raises:
        ValueError: The lengths differ, a score is NaN or infinite, or (with ``both_classes``) one class is missing.
    """
    truth = binary_labels(labels)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != truth.shape:
        raise ValueError(f"labels and scores must be of one length, not {truth.shape} and {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite; {np.count_nonzero(~np.isfinite(values))} of {values.size} are not")
    if both_classes and (truth.all() or not truth.any()):
        raise ValueError(f"both classes are needed; all {truth.size} labels are {int(truth[0])}")
    return truth, values


def sets_and_labels(sets: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Prediction sets and the classes of their films, as bool [N, C] and int64 [N].

    Raises:
        ValueError: The shapes do not fit, or a label is no class.
    """
    inside = np.asarray(sets, dtype=np.bool_)
    if inside.ndim != 2:
        raise ValueError(f"sets must be [films, classes], not {inside.shape}")
    truth = class_labels(labels, inside.shape[1])
    if len(truth) != len(inside):
        raise ValueError(f"labels and sets must be of one length, not {len(truth)} and {len(inside)}")
    return inside, truth


def probabilities(
    labels: ArrayLike, p: ArrayLike, *, both_classes: bool = False
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Two-class labels and probabilities of class 1.

    Raises:
        ValueError: As ``scores_and_labels``, or a probability outside [0, 1].
    """
    truth, values = scores_and_labels(labels, p, both_classes=both_classes)
    if values.min() < -1e-6 or values.max() > 1 + 1e-6:
        raise ValueError(f"probabilities must be from 0 to 1, not {values.min():.6g} to {values.max():.6g}")
    return truth, np.clip(values, 0.0, 1.0)


def class_labels(labels: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Class numbers as int64 [N], each from 0 to ``classes`` - 1.

    Raises:
        ValueError: They are empty, no whole numbers, or out of range.
    """
    found = np.asarray(labels)
    if found.ndim != 1 or found.size == 0:
        raise ValueError(f"labels must have one axis and at least one film, not the shape {found.shape}")
    if found.dtype.kind not in "iub":
        raise ValueError(f"labels must be whole class numbers, not {found.dtype}")
    if found.min() < 0 or found.max() >= classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}, not {found.min()} to {found.max()}")
    return found.astype(np.int64)


def table(values: ArrayLike, labels: ArrayLike, *, simplex: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A table with one row a film and one column a class, with the films' class numbers.

    Args:
        values: [N, C]: logits, or probabilities.
        labels: int [N].
        simplex: The rows are probabilities that sum to 1 (to 1e-3, so that float16 passes).

    Raises:
        ValueError: The shapes do not fit, a value is not finite, or the rows are no probabilities.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise ValueError(f"one row a film and one column a class are needed, not the shape {rows.shape}")
    truth = class_labels(labels, rows.shape[1])
    if len(truth) != len(rows):
        raise ValueError(f"labels and rows must be of one length, not {len(truth)} and {len(rows)}")
    if not np.isfinite(rows).all():
        raise ValueError(f"values must be finite; {np.count_nonzero(~np.isfinite(rows))} of {rows.size} are not")
    if simplex and (rows.min() < -1e-6 or np.abs(rows.sum(axis=1) - 1).max() > 1e-3):
        raise ValueError("each row must be probabilities from 0 to 1 that sum to 1")
    return rows, truth


def group_numbers(groups: ArrayLike | None, n: int) -> tuple[NDArray[np.int64], int]:
    """Groups (patients) as numbers from 0: int64 [N], and how many there are. None: each film its own.

    Raises:
        ValueError: The length is not ``n``.
    """
    if groups is None:
        return np.arange(n), n
    found = np.asarray(groups)
    if found.shape != (n,):
        raise ValueError(f"groups must name one group for each of the {n} films, not have the shape {found.shape}")
    names, numbers = np.unique(found, return_inverse=True)
    return numbers.astype(np.int64), len(names)
