"""Conformal prediction sets and selective prediction: whether stated uncertainty is where the errors are.

Class-conditional (Mondrian) split conformal prediction: Vovk, Gammerman, Shafer, "Algorithmic Learning in a
Random World" (2005), section 4.5; Sadinle, Lei, Wasserman, JASA 114 (2019) 223. The promise holds for films
that come from where the calibration films came from, and on average over such calibrations.

Three questions, each with its interval: how the error falls when the most doubtful films are left out (risk against
coverage), whether the doubt tells wrong calls from right ones (an AUC), and how often and how tightly prediction sets
hold the truth, class by class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.stats.bootstrap import Estimate, bootstrap, bootstrap_sums
from pneumoscope.stats.checks import scores_and_labels, sets_and_labels, table
from pneumoscope.stats.proportions import Proportion, clustered_rate, wilson
from pneumoscope.stats.roc import delong

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pneumoscope.stats.roc import Auc

__all__ = [
    "ClassSetCoverage",
    "RiskCoverage",
    "SetCoverage",
    "class_conditional_quantiles",
    "error_auc",
    "least_confidence",
    "normalized_entropy",
    "prediction_sets",
    "risk_coverage",
    "risk_coverage_area",
    "score_quantile",
    "set_coverage",
    "set_coverage_by_class",
]


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """How sets did.

    Attributes:
        overall: Films whose set holds their class.
        by_class: Likewise, of the films of each class.
        mean_size: Classes in a set.
        empty: Sets without any class.
    """

    overall: Proportion
    by_class: tuple[Proportion, ...]
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


def set_coverage(sets: ArrayLike, labels: ArrayLike) -> SetCoverage:
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
    return SetCoverage(
        overall=wilson(int(held.sum()), len(held)),
        by_class=by_class,
        mean_size=float(inside.sum(axis=1).mean()),
        empty=int((~inside.any(axis=1)).sum()),
    )


_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """The error among the films that are kept, as the most doubtful ones are left out.

    Attributes:
        coverage: float64 [N], share of films kept: 1 / N, 2 / N, ..., 1.
        risk: float64 [N], share of wrong calls among those kept; where films tie in doubt, its mean over their orders.
        area: Mean of the risk over the coverages (AURC); 0 is a model without errors.
        best: The least area that this number of errors allows: all of them left out first.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    area: float
    best: float

    def risk_at(self, coverage: float) -> float:
        """The risk among the least doubtful films, when at least this share of them is kept.

        Raises:
            ValueError: The coverage is not above 0 and at most 1.
        """
        if not 0 < coverage <= 1:
            raise ValueError(f"coverage must be above 0 and at most 1, not {coverage}")
        return float(self.risk[int(np.ceil(coverage * len(self.risk) - 1e-9)) - 1])


@dataclass(frozen=True, slots=True)
class ClassSetCoverage:
    """How the prediction sets of one class's films did.

    Attributes:
        coverage: Films whose set holds their class.
        size: Mean number of classes in a set; None without films.
        single: Films whose set holds one class, the right one or not.
        empty: Films whose set holds none.
    """

    coverage: Proportion
    size: Estimate | None
    single: Proportion
    empty: int


def least_confidence(probabilities: ArrayLike) -> NDArray[np.float64]:
    """One less the top probability: the chance to be wrong that a calibrated model states. float64 [N].

    Args:
        probabilities: [N, C].
    """
    top: NDArray[np.float64] = _probability_rows(probabilities).max(axis=1)
    return 1 - top


def normalized_entropy(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Shannon's entropy as a share of its largest value, log C: float64 [N], from 0 to 1.

    Args:
        probabilities: [N, C].
    """
    rows = _probability_rows(probabilities)
    found: NDArray[np.float64] = -(rows * np.log(np.maximum(rows, _TINY))).sum(axis=1) / np.log(rows.shape[1])
    return np.clip(found, 0.0, 1.0)


def risk_coverage(wrong: ArrayLike, uncertainty: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve and its area.

    El-Yaniv and Wiener, JMLR 11 (2010) 1605; the area by Geifman, Uziel, El-Yaniv, ICLR 2019, section 3.

    Args:
        wrong: 0 or 1, [N]: whether the call was wrong.
        uncertainty: Finite, [N]; higher is more doubtful.

    Raises:
        ValueError: NaN, no films, or lengths that differ.
    """
    errors, values = scores_and_labels(wrong, uncertainty, both_classes=False)
    risk = _risk(errors, values)
    n, k = len(errors), int(errors.sum())
    kept = np.arange(1, n + 1)
    best = np.maximum(kept - (n - k), 0) / kept
    return RiskCoverage(coverage=kept / n, risk=risk, area=float(risk.mean()), best=float(best.mean()))


def risk_coverage_area(
    wrong: ArrayLike,
    uncertainty: ArrayLike,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    *,
    generator: np.random.Generator,
) -> Estimate:
    """The area under the risk-coverage curve with its 95 % interval, patients drawn as wholes.

    Args:
        wrong: 0 or 1, [N].
        uncertainty: Finite, [N].
        groups: The patient of each film, [N]; None: every film is its own patient.
        draws: Of the bootstrap.
        generator: Source of chance.

    Raises:
        ValueError: NaN, no films, or lengths that differ.
    """
    errors, values = scores_and_labels(wrong, uncertainty, both_classes=False)
    return bootstrap(lambda e, u: float(_risk(e, u).mean()), [errors, values], groups, draws, generator=generator)


def error_auc(wrong: ArrayLike, uncertainty: ArrayLike, groups: ArrayLike | None = None) -> Auc:
    """The chance that a wrong call is more doubtful than a right one, with DeLong's interval; 0.5 tells nothing.

    Hendrycks and Gimpel, ICLR 2017, section 2.

    Args:
        wrong: 0 or 1, [N].
        uncertainty: Finite, [N].
        groups: The patient of each film, [N].

    Raises:
        ValueError: No call is wrong, or all are; NaN, or lengths that differ.
    """
    return delong(wrong, uncertainty, groups)


def set_coverage_by_class(
    sets: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    *,
    generator: np.random.Generator,
) -> tuple[ClassSetCoverage, ...]:
    """Coverage and size of prediction sets, one result a class.

    Args:
        sets: bool [N, C].
        labels: Class numbers, [N].
        groups: The patient of each film, [N].
        draws: Of the bootstrap of the mean size.
        generator: Source of chance.

    Raises:
        ValueError: The shapes do not fit.
    """
    inside, truth = sets_and_labels(sets, labels)
    people = np.arange(len(truth)) if groups is None else np.asarray(groups)
    sizes = inside.sum(axis=1)
    found = []
    for c in range(inside.shape[1]):
        own = truth == c
        size = None
        if own.any():
            columns = np.stack([sizes[own], np.ones(own.sum())], axis=1)
            size = bootstrap_sums(lambda x: x[:, 0] / x[:, 1], columns, people[own], draws, generator=generator)
        found.append(
            ClassSetCoverage(
                coverage=clustered_rate(inside[own, c], people[own]),
                size=size,
                single=clustered_rate(sizes[own] == 1, people[own]),
                empty=int((sizes[own] == 0).sum()),
            )
        )
    return tuple(found)


def _risk(errors: NDArray[np.bool_], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of errors among the k least doubtful films, for every k; tied films share their errors evenly."""
    order = np.argsort(values, kind="stable")
    rising = values[order]
    block = np.cumsum(np.append(False, np.diff(rising) != 0))
    shared = np.bincount(block, weights=errors[order]) / np.bincount(block)
    risk: NDArray[np.float64] = np.cumsum(shared[block]) / np.arange(1, len(errors) + 1)
    return risk


def _probability_rows(probabilities: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] < 2:
        raise ValueError(f"one row a film and one column a class are needed, not the shape {rows.shape}")
    if not np.isfinite(rows).all() or rows.min(initial=0) < -1e-6 or np.abs(rows.sum(axis=1) - 1).max(initial=0) > 1e-3:
        raise ValueError("each row must be probabilities from 0 to 1 that sum to 1")
    return np.clip(rows, 0.0, 1.0)
