"""Metrics by system on the common films, paired tests with Holm's correction, and the spread over seeds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.progress import track_progress
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.result import PairAgreement, PairedTest, SeedGroup, SeedSpread, SystemMetrics
from pneumoscope.stats.differences import (
    Difference,
    bootstrap_sums_difference,
    delong_difference,
    holm,
    mcnemar,
    seed_difference,
)
from pneumoscope.stats.metrics import Metric, f1_of_sums, metrics, proportion_metric, ratio_of_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.systems import ComparedSystem
    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = [
    "SEED_METRICS",
    "TESTED_METRICS",
    "holm_corrected",
    "pair_agreements",
    "paired_test",
    "paired_tests",
    "seed_groups",
    "seed_tests",
    "system_metrics",
    "tested_pairs",
    "threshold_of",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.matching import MatchedTables
    from pneumoscope.evaluation.predictions import PredictionTable

    Sums = NDArray[np.float64]


TESTED_METRICS = ("AUC", "accuracy", "recall", "specificity", "precision", "F1", "class accuracy")
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


def paired_tests(
    matched: MatchedTables,
    thresholds: Mapping[str, float],
    pairs: Sequence[tuple[str, str]],
    *,
    draws: int,
    seed: int,
    progress: bool,
) -> tuple[PairedTest, ...]:
    """Test every pair in every figure; Holm's correction is over the pairs of one figure.

    Args:
        matched: The systems' tables of the common films.
        thresholds: By system.
        pairs: Of system names.
        draws: Of the bootstrap.
        seed: Of the bootstrap: every pair sees the same resamples.
        progress: Show a bar.
    """
    found: dict[str, list[PairedTest]] = defaultdict(list)
    for one, other in track_progress(pairs, total=len(pairs), title="Testing pairs", show=progress):
        for figure in TESTED_METRICS:
            if figure == "class accuracy" and matched.tables[one].classes != matched.tables[other].classes:
                continue
            found[figure].append(_test_metric(matched, thresholds, (one, other), figure, draws=draws, seed=seed))
    return tuple(pair for figure in TESTED_METRICS for pair in holm_corrected(found[figure]))


def pair_agreements(
    matched: MatchedTables, thresholds: Mapping[str, float], pairs: Sequence[tuple[str, str]]
) -> tuple[PairAgreement, ...]:
    """How often both, one, and neither of a pair call the film as what it is."""
    right = _correct_by_system(matched, thresholds)
    return tuple(
        PairAgreement(
            one,
            other,
            int((right[one] & right[other]).sum()),
            int((right[one] & ~right[other]).sum()),
            int((~right[one] & right[other]).sum()),
            int((~right[one] & ~right[other]).sum()),
        )
        for one, other in pairs
    )


def _correct_by_system(matched: MatchedTables, thresholds: Mapping[str, float]) -> dict[str, NDArray[np.bool_]]:
    return {name: (table.score >= thresholds[name]) == table.truth for name, table in matched.tables.items()}


def _test_metric(
    matched: MatchedTables,
    thresholds: Mapping[str, float],
    names: tuple[str, str],
    figure: str,
    *,
    draws: int,
    seed: int,
) -> PairedTest:
    one, other = names
    a, b = matched.tables[one], matched.tables[other]
    truth = matched.truth
    try:
        if figure == "AUC":
            found = delong_difference(truth, a.score, b.score, matched.patients)
        elif figure == "accuracy":
            found = _accuracy(
                _correct_calls(a, thresholds[one]), _correct_calls(b, thresholds[other]), matched.patients
            )
        elif figure == "class accuracy":
            known = a.class_known & b.class_known
            people = None if matched.patients is None else matched.patients[known]
            found = _accuracy(_correct_classes(a)[known], _correct_classes(b)[known], people)
        else:
            statistic, sums = _COUNT_METRICS[figure]
            found = bootstrap_sums_difference(
                statistic,
                sums(truth, a.score >= thresholds[one]),
                sums(truth, b.score >= thresholds[other]),
                groups=matched.patients,
                draws=draws,
                generator=np.random.default_rng(seed),
            )
    except ValueError as error:
        return PairedTest(one, other, figure, 0.0, None, None, None, None, "none", note=f"cannot be computed: {error}")
    return paired_test(one, other, figure, found)


def _correct_calls(table: PredictionTable, threshold: float) -> NDArray[np.bool_]:
    called: NDArray[np.bool_] = (table.score >= threshold) == table.truth
    return called


def _correct_classes(table: PredictionTable) -> NDArray[np.bool_]:
    right: NDArray[np.bool_] = table.probabilities.argmax(axis=1) == table.labels
    return right


def _accuracy(a: NDArray[np.bool_], b: NDArray[np.bool_], patients: NDArray[np.str_] | None) -> Difference:
    found = mcnemar(a, b, patients)
    return Difference(
        float(a.mean()), float(b.mean()), found.value, found.low, found.high, found.p_mid, len(a), found.method
    )


def paired_test(one: str, other: str, figure: str, found: Difference) -> PairedTest:
    """The better one first, so that no difference is below 0."""
    note = "" if found.p is not None else "the variance of the difference cannot be estimated"
    pair = PairedTest(one, other, figure, found.value, found.low, found.high, found.p, None, found.method, note)
    if found.value >= 0:
        return pair
    low = None if found.high is None else -found.high
    high = None if found.low is None else -found.low
    return replace(pair, first=other, second=one, difference=-found.value, low=low, high=high)


def holm_corrected(pairs: Sequence[PairedTest]) -> list[PairedTest]:
    """The same pairs, with Holm's correction for their number."""
    known = [pair.p for pair in pairs if pair.p is not None]
    adjusted = iter(holm(known).tolist())
    return [pair if pair.p is None else replace(pair, p_adjusted=next(adjusted)) for pair in pairs]


def _columns(*columns: NDArray[np.bool_]) -> Sums:
    return np.stack(columns, axis=1).astype(np.float64)


_COUNT_METRICS: dict[str, tuple[Callable[[Sums], Sums], Callable[[NDArray[np.bool_], NDArray[np.bool_]], Sums]]] = {
    "recall": (ratio_of_sums, lambda truth, called: _columns(truth & called, truth)),
    "specificity": (ratio_of_sums, lambda truth, called: _columns(~truth & ~called, ~truth)),
    "precision": (ratio_of_sums, lambda truth, called: _columns(truth & called, called)),
    "F1": (f1_of_sums, lambda truth, called: _columns(truth & called, truth ^ called)),
}
"""Figures that are functions of sums over films: the function, and what is summed."""


_DEFAULT_THRESHOLD = 0.5
_SYSTEM_METRICS = frozenset(
    {"AUC", "recall", "specificity", "precision", "F1", "accuracy", "macro F1", "Brier", "ECE", "log loss"}
)
SEED_METRICS = ("class accuracy", "AUC", "accuracy", "recall", "specificity", "F1", "epoch_seconds", "films_a_second")
"""What is shown over seeds, and what families are tested in."""

_SPREADS = ("train_accuracy", "val_accuracy", "films_a_second", "epoch_seconds", "minutes")
_UNBOUNDED = frozenset({"films_a_second", "epoch_seconds", "minutes"})


def threshold_of(system: ComparedSystem, preset: str) -> tuple[float, str]:
    """The system's threshold at an operating point, and where it comes from.

    A table of another system may have none: it is then called from one half, its own even odds.

    Raises:
        UsageError: It has other operating points and not this one.
    """
    table = system.table
    if not table.thresholds:
        return _DEFAULT_THRESHOLD, "none is known: one half"
    if preset not in table.thresholds and len(table.thresholds) == 1:
        (only,) = table.thresholds
        return table.thresholds[only], f"{only}, its only one: {table.chosen.get(only, 'not said how it was chosen')}"
    if preset not in table.thresholds:
        raise UsageError(
            f"it has no operating point {preset!r}",
            where=system.name,
            remedy=f"Ask with --preset for one that all have; it has {', '.join(table.thresholds)}",
        )
    return table.thresholds[preset], table.chosen.get(preset, preset)


def system_metrics(
    system: ComparedSystem,
    common: PredictionTable,
    patients: NDArray[np.str_] | None,
    preset: str,
    *,
    draws: int,
    seed: int,
) -> SystemMetrics:
    """A system's row: what it is, and its figures on the common films.

    Args:
        system: Whose.
        common: Its table, cut to the common films.
        patients: Of these films.
        preset: The operating point.
        draws: Of the bootstrap.
        seed: Of the bootstrap; the same for every system.

    Raises:
        UsageError: The system has no such operating point.
    """
    threshold, origin = threshold_of(system, preset)
    figures = metrics(
        common.labels,
        common.probabilities,
        patients=patients,
        threshold=threshold,
        classes=common.classes,
        positive=common.positive,
        draws=draws,
        seed=seed,
    )
    found = [row for row in figures if row.name in _SYSTEM_METRICS]
    facts = system.facts
    return SystemMetrics(
        name=system.name,
        kind=system.kind,
        about=facts.about,
        family=facts.family,
        classes=common.classes,
        parameters=facts.parameters,
        size=facts.size,
        file_bytes=facts.file_bytes,
        train_accuracy=facts.train_accuracy,
        val_accuracy=facts.val_accuracy,
        films_a_second=facts.films_a_second,
        minutes=facts.minutes,
        epoch_seconds=facts.epoch_seconds,
        epochs=facts.epochs,
        seed=facts.seed,
        machine=facts.machine,
        own_films=len(system.table),
        refused=len(system.table.refused),
        threshold=threshold,
        threshold_from=origin,
        metrics=(*found, _class_accuracy(common, patients)),
    )


def _class_accuracy(table: PredictionTable, patients: NDArray[np.str_] | None) -> Metric:
    """Films called as their likeliest class: what every notebook calls accuracy."""
    called: NDArray[np.bool_] = table.probabilities.argmax(axis=1) == table.labels
    return proportion_metric("class accuracy", called, patients, among=table.class_known)


def seed_groups(rows: Sequence[SystemMetrics]) -> tuple[SeedGroup, ...]:
    """The families with two runs or more, and the spread of each figure that all their runs have."""
    members: dict[str, list[SystemMetrics]] = defaultdict(list)
    for row in rows:
        if row.family and row.seed is not None:
            members[row.family].append(row)
    found = []
    for runs in members.values():
        if len(runs) < 2 or len({run.seed for run in runs}) != len(runs):
            continue
        names = [*_SPREADS, *(metric.name for metric in runs[0].metrics)]
        figures = {name: [_value(run, name) for run in runs] for name in names}
        known = {name: [value for value in values if value is not None] for name, values in figures.items()}
        spreads = tuple(_seed_spread(name, values) for name, values in known.items() if len(values) == len(runs))
        found.append(SeedGroup(_seed_group_name(runs), tuple(run.name for run in runs), spreads))
    return tuple(found)


def seed_tests(rows: Sequence[SystemMetrics], families: Sequence[SeedGroup]) -> tuple[PairedTest, ...]:
    """Whether two families differ by more than their seeds do; Holm's correction is over the pairs of one figure.

    Args:
        rows: All systems'.
        families: Of them.
    """
    by_name = {row.name: row for row in rows}
    found: list[PairedTest] = []
    for figure in SEED_METRICS:
        pairs = []
        for one, other in combinations(families, 2):
            values = [[_value(by_name[run], figure) for run in family.runs] for family in (one, other)]
            if any(value is None for side in values for value in side):
                continue
            first, second = ([float(value or 0) for value in side] for side in values)
            difference = seed_difference(first, second)
            pair = paired_test(one.name, other.name, figure, difference)
            pairs.append(pair if figure in _UNBOUNDED else _within_scale(pair))
        found += holm_corrected(pairs)
    return tuple(found)


def _within_scale(pair: PairedTest) -> PairedTest:
    """Welch's interval of two rates, cut where a difference of rates ends: at 1 to either side."""
    if pair.low is None or pair.high is None:
        return pair
    return replace(pair, low=max(-1.0, pair.low), high=min(1.0, pair.high))


def _value(row: SystemMetrics, figure: str) -> float | None:
    value: float | None = getattr(row, figure) if figure in _SPREADS else row.value(figure)
    return value


def _seed_spread(name: str, values: Sequence[float]) -> SeedSpread:
    return SeedSpread(
        name, float(np.mean(values)), float(np.std(values, ddof=1)), float(min(values)), float(max(values))
    )


def _seed_group_name(runs: Sequence[SystemMetrics]) -> str:
    """What the runs' names share in front (classic-3conv-seed0, classic-3conv-seed1), else the network."""
    names = [run.name for run in runs]
    shared = names[0]
    while shared and not all(name.startswith(shared) for name in names):
        shared = shared[:-1]
    shared = shared.rstrip("0123456789").removesuffix("seed").rstrip("-_/ ,")
    return shared or runs[0].about.split(" ", 1)[0]
