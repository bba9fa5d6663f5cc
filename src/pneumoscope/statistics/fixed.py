"""One rate where the other is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.statistics.discrimination import roc_curve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["recall_at_specificity"]


def recall_at_specificity(labels: ArrayLike, scores: ArrayLike, specificity: float) -> float:
    """The highest recall of any threshold whose specificity is at least ``specificity``.

    A step of the ROC curve and not a point between two: some threshold has just these rates. The threshold is one
    of these films' own, so that the figure ranks models, and is no promise for other films.

    Args:
        labels: 0 or 1, [N].
        scores: Finite, [N]; higher speaks for class 1.
        specificity: 0 to 1.

    Raises:
        ValueError: One class only, NaN, lengths that differ, or a specificity outside 0 to 1.
    """
    if not 0 <= specificity <= 1:
        raise ValueError(f"a specificity must be 0 to 1, not {specificity}")
    curve = roc_curve(labels, scores)
    return float(curve.sensitivity[curve.specificity >= specificity - 1e-12].max())
