"""Sets of classes that hold the truth as often as promised, class by class.

Class-conditional (Mondrian) split conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic Learning in a
Random World" (2005), section 4.5; Sadinle, Lei, Wasserman, JASA 114 (2019) 223. The promise holds for films
that come from where the calibration films came from, and on average over such calibrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import class_labels, table
from pneumoscope.statistics.intervals import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Coverage", "class_conditional_quantiles", "coverage_of", "prediction_sets"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How sets did.

    Attributes:
        overall: Films whose set holds their class.
        by_class: Likewise, of the films of each class.
        mean_size: Classes in a set.
        empty: Sets without any class.
    """

    overall: Interval
    by_class: tuple[Interval, ...]
    mean_size: float
    empty: int


def class_conditional_quantiles(probabilities: ArrayLike, labels: ArrayLike, coverage: float) -> NDArray[np.float64]:
    """Quantiles of the score 1 - p(true class), one a class: float64 [C].

    The quantile is the ceil((n + 1) coverage)-th smallest score of the n films of the class, the
    finite-sample correction that makes the promise exact. Where n is too small for it (fewer than
    coverage / (1 - coverage) films) it is 1.0, which admits the class always.

    Args:
        probabilities: Calibrated, [N, C].
        labels: Class numbers, [N].
        coverage: In (0, 1).

    Raises:
        ValueError: The coverage is out of range, rows that are no probabilities, or lengths that differ.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be between 0 and 1, not {coverage}")
    rows, truth = table(probabilities, labels, simplex=True)
    quantiles = np.ones(rows.shape[1])
    for c in range(rows.shape[1]):
        scores = np.sort(1 - rows[truth == c, c])
        rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))  # 0.95 * 20 is 19, not 20 by rounding
        if rank <= len(scores):
            quantiles[c] = scores[rank - 1]
    return quantiles


def prediction_sets(probabilities: ArrayLike, quantiles: ArrayLike) -> NDArray[np.bool_]:
    """Which classes are in each film's set: bool [N, C], true where 1 - p is at most the class's quantile.

    Raises:
        ValueError: There is not one quantile a class, or a value is NaN.
    """
    rows, limits = np.asarray(probabilities, dtype=np.float64), np.asarray(quantiles, dtype=np.float64)
    if rows.ndim != 2 or limits.shape != rows.shape[1:]:
        raise ValueError(f"one quantile a class is needed, not {limits.shape} for probabilities {rows.shape}")
    if np.isnan(rows).any() or np.isnan(limits).any():
        raise ValueError("probabilities and quantiles must not be NaN")
    inside: NDArray[np.bool_] = 1 - rows <= limits
    return inside


def coverage_of(sets: ArrayLike, labels: ArrayLike) -> Coverage:
    """How often sets held the truth.

    Args:
        sets: bool [N, C].
        labels: Class numbers, [N].

    Raises:
        ValueError: The shapes do not fit.
    """
    inside = np.asarray(sets, dtype=np.bool_)
    if inside.ndim != 2:
        raise ValueError(f"sets must be [films, classes], not {inside.shape}")
    truth = class_labels(labels, inside.shape[1])
    if len(truth) != len(inside):
        raise ValueError(f"labels and sets must be of one length, not {len(truth)} and {len(inside)}")
    held = inside[np.arange(len(truth)), truth]
    by_class = tuple(wilson(int(held[truth == c].sum()), int((truth == c).sum())) for c in range(inside.shape[1]))
    return Coverage(
        overall=wilson(int(held.sum()), len(held)),
        by_class=by_class,
        mean_size=float(inside.sum(axis=1).mean()),
        empty=int((~inside.any(axis=1)).sum()),
    )
