"""Figures of confusion matrices, of one or of many at once.

Each is the twin of the function of one matrix in ``discrimination``; NaN where that one has a convention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

__all__ = [
    "balanced_accuracies",
    "class_f1s",
    "confusion_cells",
    "kappas",
    "macro_f1s",
    "macro_npvs",
    "macro_precisions",
    "macro_specificities",
    "mccs",
]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def confusion_cells(labels: NDArray[np.int64], called: NDArray[np.int64], classes: int) -> Floats:
    """The cell of each film as a row of one 1 and zeros: float64 [N, C * C]. Its sum is the confusion matrix."""
    cells: Floats = np.eye(classes**2)[labels * classes + called]
    return cells


def balanced_accuracies(cells: Floats) -> Floats:
    """Mean recall of the classes (macro recall); NaN where one has no film."""
    found: Floats = _shares(_right(cells), cells.sum(axis=2)).mean(axis=1)
    return found


def macro_precisions(cells: Floats) -> Floats:
    """Mean precision of the classes; one that is never called has 0, as in scikit-learn."""
    found: Floats = np.nan_to_num(_shares(_right(cells), cells.sum(axis=1)), nan=0.0).mean(axis=1)
    return found


def macro_specificities(cells: Floats) -> Floats:
    """Mean over the classes of the share of the other films that are not called it; NaN where one has no others."""
    total = cells.sum(axis=(1, 2))[:, None]
    others = total - cells.sum(axis=2)
    wrong = cells.sum(axis=1) - _right(cells)
    found: Floats = _shares(others - wrong, others).mean(axis=1)
    return found


def macro_npvs(cells: Floats) -> Floats:
    """Mean over the classes of the share that are of another class, of those not called it; NaN where all are."""
    total = cells.sum(axis=(1, 2))[:, None]
    cleared = total - cells.sum(axis=1)
    missed = cells.sum(axis=2) - _right(cells)
    found: Floats = _shares(cleared - missed, cleared).mean(axis=1)
    return found


def macro_f1s(cells: Floats) -> Floats:
    """Mean F1 of the classes; one that is neither there nor called has 0, as in scikit-learn."""
    found: Floats = np.nan_to_num(class_f1s(cells), nan=0.0).mean(axis=1)
    return found


def class_f1s(cells: Floats) -> Floats:
    """F1 of each class, [D, C]; NaN for one that is neither there nor called."""
    return _shares(2 * _right(cells), cells.sum(axis=1) + cells.sum(axis=2))


def mccs(cells: Floats) -> Floats:
    """Matthews' correlation (Gorodkin 2004); NaN where all films are of one class, or all are called one."""
    total = cells.sum(axis=(1, 2))
    truly, called = cells.sum(axis=2), cells.sum(axis=1)
    top = _right(cells).sum(axis=1) * total - (truly * called).sum(axis=1)
    below = np.sqrt((total**2 - (called**2).sum(axis=1)) * (total**2 - (truly**2).sum(axis=1)))
    return _shares(top, below)


def kappas(cells: Floats) -> Floats:
    """Cohen's kappa; NaN where chance alone agrees wholly."""
    total = cells.sum(axis=(1, 2))
    chance = (cells.sum(axis=2) * cells.sum(axis=1)).sum(axis=1) / total**2
    return _shares(_right(cells).sum(axis=1) / total - chance, 1 - chance)


def _right(cells: Floats) -> Floats:
    return np.diagonal(cells, axis1=1, axis2=2)


def _shares(top: Floats, below: Floats) -> Floats:
    return np.where(below > 1e-12, top / np.where(below > 1e-12, below, 1.0), np.nan)
