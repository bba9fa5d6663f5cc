"""Confusion matrices and their figures, of one matrix [C, C] or of many at once [D, C, C].

Rows are the true classes, columns the called ones. A figure is NaN where it cannot be computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.checks import class_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "class_f1",
    "class_precision",
    "class_recall",
    "cohen_kappa",
    "confusion_cells",
    "confusion_matrix",
    "macro_f1",
    "macro_npv",
    "macro_precision",
    "macro_specificity",
    "mcc",
]


def confusion_matrix(labels: ArrayLike, called: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How many films of each class (rows) were called which (columns): int64 [classes, classes].

    Args:
        labels: Class numbers, [N].
        called: Class numbers, [N].
        classes: How many there are.

    Raises:
        ValueError: The lengths differ, there are no films, or a class number is out of range.
    """
    truth, calls = class_labels(labels, classes), class_labels(called, classes)
    if len(truth) != len(calls):
        raise ValueError(f"labels and called must be of one length, not {len(truth)} and {len(calls)}")
    return np.bincount(truth * classes + calls, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def confusion_cells(labels: NDArray[np.int64], called: NDArray[np.int64], classes: int) -> Floats:
    """The cell of each film as a row of one 1 and zeros: float64 [N, C * C]. Its sum is the confusion matrix."""
    cells: Floats = np.eye(classes**2)[labels * classes + called]
    return cells


def accuracy(matrix: ArrayLike) -> Floats:
    """Share of films called as what they are."""
    cells = _cells(matrix)
    return _ratio(_diagonal(cells).sum(axis=-1), cells.sum(axis=(-2, -1)))


def class_recall(matrix: ArrayLike) -> Floats:
    """Recall of each class, [..., C]; NaN for one without films."""
    cells = _cells(matrix)
    return _ratio(_diagonal(cells), cells.sum(axis=-1))


def class_precision(matrix: ArrayLike) -> Floats:
    """Precision of each class, [..., C]; NaN for one that is never called."""
    cells = _cells(matrix)
    return _ratio(_diagonal(cells), cells.sum(axis=-2))


def class_f1(matrix: ArrayLike) -> Floats:
    """F1 of each class, [..., C]; NaN for one that is neither there nor called."""
    cells = _cells(matrix)
    return _ratio(2 * _diagonal(cells), cells.sum(axis=-2) + cells.sum(axis=-1))


def balanced_accuracy(matrix: ArrayLike) -> Floats:
    """Mean recall of the classes (macro recall); NaN where one has no film."""
    return _mean(class_recall(matrix))


def macro_precision(matrix: ArrayLike) -> Floats:
    """Mean precision of the classes; one that is never called has 0, as in scikit-learn."""
    return _mean(np.nan_to_num(class_precision(matrix), nan=0.0))


def macro_f1(matrix: ArrayLike) -> Floats:
    """Mean F1 of the classes; one that is neither there nor called has 0, as in scikit-learn."""
    return _mean(np.nan_to_num(class_f1(matrix), nan=0.0))


def macro_specificity(matrix: ArrayLike) -> Floats:
    """Mean over the classes of the share of the other films that are not called it; NaN where one has no others."""
    cells = _cells(matrix)
    others = cells.sum(axis=(-2, -1))[..., None] - cells.sum(axis=-1)
    false_calls = cells.sum(axis=-2) - _diagonal(cells)
    return _mean(_ratio(others - false_calls, others))


def macro_npv(matrix: ArrayLike) -> Floats:
    """Mean over the classes of the share that are of another class, of those not called it; NaN where all are."""
    cells = _cells(matrix)
    not_called = cells.sum(axis=(-2, -1))[..., None] - cells.sum(axis=-2)
    missed = cells.sum(axis=-1) - _diagonal(cells)
    return _mean(_ratio(not_called - missed, not_called))


def mcc(matrix: ArrayLike) -> Floats:
    """Matthews' correlation for any number of classes (Gorodkin, Comput. Biol. Chem. 28 (2004) 367).

    NaN where all films are of one class, or all are called one.
    """
    cells = _cells(matrix)
    total = cells.sum(axis=(-2, -1))
    truly, called = cells.sum(axis=-1), cells.sum(axis=-2)
    top = _diagonal(cells).sum(axis=-1) * total - (truly * called).sum(axis=-1)
    below = np.sqrt((total**2 - (called**2).sum(axis=-1)) * (total**2 - (truly**2).sum(axis=-1)))
    return _ratio(top, below)


def cohen_kappa(matrix: ArrayLike) -> Floats:
    """Agreement beyond chance (Cohen, Educ. Psychol. Meas. 20 (1960) 37); NaN where chance alone agrees wholly."""
    cells = _cells(matrix)
    total = cells.sum(axis=(-2, -1))
    chance = _ratio((cells.sum(axis=-1) * cells.sum(axis=-2)).sum(axis=-1), total**2)
    return _ratio(_ratio(_diagonal(cells).sum(axis=-1), total) - chance, 1 - chance)


def _cells(matrix: ArrayLike) -> Floats:
    cells = np.asarray(matrix, dtype=np.float64)
    if cells.ndim < 2 or cells.shape[-1] != cells.shape[-2] or not cells.min(initial=0) >= 0:
        raise ValueError(f"square matrices of counts are needed, not the shape {cells.shape}")
    return cells


def _diagonal(cells: Floats) -> Floats:
    return np.diagonal(cells, axis1=-2, axis2=-1)


def _mean(values: Floats) -> Floats:
    found: Floats = values.mean(axis=-1)
    return found


def _ratio(top: Floats, below: Floats) -> Floats:
    found: Floats = np.where(below > 1e-12, top / np.where(below > 1e-12, below, 1.0), np.nan)
    return found
