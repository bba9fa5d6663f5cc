"""Which differences are real: paired tests on the same films, corrected for their number."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.progress import counted
from pneumoscope.evaluation.compare.result import Agreement, Pair
from pneumoscope.statistics.multiple import holm
from pneumoscope.statistics.paired import Difference, bootstrap_sums_difference, delong_difference, mcnemar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.match import Matched
    from pneumoscope.evaluation.predictions import PredictionTable

    Sums = NDArray[np.float64]

__all__ = ["FIGURES", "agreements_of", "corrected", "pair_of", "pairs_of", "tested_pairs"]

FIGURES = ("AUC", "accuracy", "recall", "specificity", "precision", "F1", "class accuracy")
"""What is tested, in this order. The last one only between systems that tell the same classes apart."""

_ALL_PAIRS = 8
"""Up to so many systems every pair is tested; of more, each against the reference."""


def tested_pairs(names: Sequence[str], reference: str | None) -> tuple[list[tuple[str, str]], str]:
    """The pairs to test, and the reference ("" if there is none): all of few systems, else each against one.

    Args:
        names: Of the systems, in the order they were given.
        reference: Asked for; None lets the number of systems decide, and takes the first.
    """
    if reference is None and len(names) <= _ALL_PAIRS:
        return list(combinations(names, 2)), ""
    chosen = reference if reference is not None else names[0]
    return [(chosen, name) for name in names if name != chosen], chosen


def pairs_of(
    matched: Matched,
    thresholds: Mapping[str, float],
    pairs: Sequence[tuple[str, str]],
    *,
    draws: int,
    seed: int,
    progress: bool,
) -> tuple[Pair, ...]:
    """Test every pair in every figure; Holm's correction is over the pairs of one figure.

    Args:
        matched: The systems' tables of the common films.
        thresholds: By system.
        pairs: Of system names.
        draws: Of the bootstrap.
        seed: Of the bootstrap: every pair sees the same resamples.
        progress: Show a bar.
    """
    found: dict[str, list[Pair]] = defaultdict(list)
    for one, other in counted(pairs, total=len(pairs), title="Testing pairs", show=progress):
        for figure in FIGURES:
            if figure == "class accuracy" and matched.tables[one].classes != matched.tables[other].classes:
                continue
            found[figure].append(_test(matched, thresholds, (one, other), figure, draws=draws, seed=seed))
    return tuple(pair for figure in FIGURES for pair in corrected(found[figure]))


def agreements_of(
    matched: Matched, thresholds: Mapping[str, float], pairs: Sequence[tuple[str, str]]
) -> tuple[Agreement, ...]:
    """How often both, one, and neither of a pair call the film as what it is."""
    right = _right(matched, thresholds)
    return tuple(
        Agreement(
            one,
            other,
            int((right[one] & right[other]).sum()),
            int((right[one] & ~right[other]).sum()),
            int((~right[one] & right[other]).sum()),
            int((~right[one] & ~right[other]).sum()),
        )
        for one, other in pairs
    )


def _right(matched: Matched, thresholds: Mapping[str, float]) -> dict[str, NDArray[np.bool_]]:
    return {name: (table.score >= thresholds[name]) == table.truth for name, table in matched.tables.items()}


def _test(
    matched: Matched, thresholds: Mapping[str, float], names: tuple[str, str], figure: str, *, draws: int, seed: int
) -> Pair:
    one, other = names
    a, b = matched.tables[one], matched.tables[other]
    truth = matched.truth
    try:
        if figure == "AUC":
            found = delong_difference(truth, a.score, b.score, matched.patients)
        elif figure in {"accuracy", "class accuracy"}:
            by_class = figure == "class accuracy"
            found = _accuracy(_rightly(a, thresholds[one], by_class), _rightly(b, thresholds[other], by_class))
        else:
            statistic, sums = _COUNTS[figure]
            found = bootstrap_sums_difference(
                statistic,
                sums(truth, a.score >= thresholds[one]),
                sums(truth, b.score >= thresholds[other]),
                groups=matched.patients,
                draws=draws,
                generator=np.random.default_rng(seed),
            )
    except ValueError as error:
        return Pair(one, other, figure, 0.0, None, None, None, None, "none", note=f"cannot be computed: {error}")
    return pair_of(one, other, figure, found)


def _rightly(table: PredictionTable, threshold: float, by_class: bool) -> NDArray[np.bool_]:
    if by_class:
        right: NDArray[np.bool_] = table.probabilities.argmax(axis=1) == table.labels
        return right
    called: NDArray[np.bool_] = (table.score >= threshold) == table.truth
    return called


def _accuracy(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Difference:
    found = mcnemar(a, b)
    return Difference(
        float(a.mean()), float(b.mean()), found.value, found.low, found.high, found.p_mid, len(a), "McNemar, mid-p"
    )


def pair_of(one: str, other: str, figure: str, found: Difference) -> Pair:
    """The better one first, so that no difference is below 0."""
    note = "" if found.p is not None else "the variance of the difference cannot be estimated"
    pair = Pair(one, other, figure, found.value, found.low, found.high, found.p, None, found.method, note)
    if found.value >= 0:
        return pair
    low = None if found.high is None else -found.high
    high = None if found.low is None else -found.low
    return replace(pair, first=other, second=one, difference=-found.value, low=low, high=high)


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """The same pairs, with Holm's correction for their number."""
    known = [pair.p for pair in pairs if pair.p is not None]
    adjusted = iter(holm(known).tolist())
    return [pair if pair.p is None else replace(pair, p_adjusted=next(adjusted)) for pair in pairs]


def _share(sums: Sums) -> Sums:
    """Of sums [draws, 2]: how many, of how many."""
    of = sums[:, 1]
    return np.where(of > 0, sums[:, 0] / np.where(of > 0, of, 1), np.nan)


def _f1(sums: Sums) -> Sums:
    """Of sums [draws, 2]: true positives, and wrong calls of either kind."""
    below = 2 * sums[:, 0] + sums[:, 1]
    return np.where(below > 0, 2 * sums[:, 0] / np.where(below > 0, below, 1), np.nan)


def _columns(*columns: NDArray[np.bool_]) -> Sums:
    return np.stack(columns, axis=1).astype(np.float64)


_COUNTS: dict[str, tuple[Callable[[Sums], Sums], Callable[[NDArray[np.bool_], NDArray[np.bool_]], Sums]]] = {
    "recall": (_share, lambda truth, called: _columns(truth & called, truth)),
    "specificity": (_share, lambda truth, called: _columns(~truth & ~called, ~truth)),
    "precision": (_share, lambda truth, called: _columns(truth & called, called)),
    "F1": (_f1, lambda truth, called: _columns(truth & called, truth ^ called)),
}
"""Figures that are functions of sums over films: the function, and what is summed."""
