"""Sets of classes that hold the truth as often as promised, class by class.

Class-conditional (Mondrian) split conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic Learning in a
Random World" (2005), section 4.5; Sadinle, Lei, Wasserman, JASA 114 (2019) 223. The promise holds for films
that come from where the calibration films came from, and on average over such calibrations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.statistics.checks import sets_and_labels, table
from pneumoscope.statistics.proportions import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Coverage", "class_conditional_quantiles", "coverage_of", "prediction_sets", "score_quantile"]


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


def class_conditional_quantiles(
    probabilities: ArrayLike, labels: ArrayLike, coverage: float, *, interpolate: bool = False
) -> NDArray[np.float64]:
    """Quantiles of the score 1 - p(true class), one a class: float64 [C]; see ``score_quantile``.

    Args:
        probabilities: Calibrated, [N, C].
        labels: Class numbers, [N].
        coverage: In (0, 1).
        interpolate: As in ``score_quantile``.

    Raises:
        ValueError: The coverage is out of range, rows that are no probabilities, or lengths that differ.
    """
    rows, truth = table(probabilities, labels, simplex=True)
    return np.array(
        [
            score_quantile(1 - rows[truth == c, c], coverage, interpolate=interpolate, most=1.0)
            for c in range(rows.shape[1])
        ]
    )


def score_quantile(scores: ArrayLike, coverage: float, *, interpolate: bool = False, most: float = np.inf) -> float:
    """The limit below which the score of a new film lies with the chance ``coverage``.

    It is the ceil((n + 1) coverage)-th smallest of the n scores, the finite-sample correction with which the chance is
    at least the asked one, and at most 1 / (n + 1) more. With few films that is much: of 26 films at 90 % the 25th, and
    a chance of 0.926. ``interpolate`` goes between the two ranks around (n + 1) coverage instead, and comes out at the
    asked chance to order 1 / n^2 (Beran and Hall, JRSS B 55 (1993) 643), no more and hardly less.

    Args:
        scores: Finite, [N]; may be empty.
        coverage: In (0, 1).
        interpolate: Between ranks.
        most: The answer where n is too small for a promise (fewer than coverage / (1 - coverage) films).

    Raises:
        ValueError: The coverage is out of range, or a score is NaN.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be between 0 and 1, not {coverage}")
    rising = np.sort(np.asarray(scores, dtype=np.float64))
    if np.isnan(rising).any():
        raise ValueError("scores must not be NaN")
    place = (len(rising) + 1) * coverage
    rank = int(np.ceil(place - 1e-9))  # 0.95 * 20 is 19, not 20 by rounding
    if rank > len(rising):
        return float(most)
    above = float(rising[rank - 1])
    if not interpolate or rank < 2:
        return above
    below = float(rising[rank - 2])
    return below + min(1.0, place - (rank - 1)) * (above - below)


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
    inside, truth = sets_and_labels(sets, labels)
    held = inside[np.arange(len(truth)), truth]
    by_class = tuple(wilson(int(held[truth == c].sum()), int((truth == c).sum())) for c in range(inside.shape[1]))
    return Coverage(
        overall=wilson(int(held.sum()), len(held)),
        by_class=by_class,
        mean_size=float(inside.sum(axis=1).mean()),
        empty=int((~inside.any(axis=1)).sum()),
    )
