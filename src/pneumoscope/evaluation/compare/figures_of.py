"""Each system's figures on the common films, and their spread over seeds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.pairs import corrected, pair_of
from pneumoscope.evaluation.compare.result import Family, Pair, Row, Spread
from pneumoscope.statistics.metrics import Metric, metrics_table
from pneumoscope.statistics.proportions import wilson
from pneumoscope.statistics.seeds import seed_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.compare.system import System
    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["SEED_FIGURES", "families_of", "row_of", "seed_pairs_of", "threshold_of"]

_EVEN = 0.5
SEED_FIGURES = ("class accuracy", "AUC", "accuracy", "recall", "specificity", "F1", "epoch_seconds", "films_a_second")
"""What is shown over seeds, and what families are tested in."""

_SPREADS = ("train_accuracy", "val_accuracy", "films_a_second", "epoch_seconds", "minutes")


def threshold_of(system: System, preset: str) -> tuple[float, str]:
    """The system's threshold at an operating point, and where it comes from.

    A table of another system may have none: it is then called from one half, its own even odds.

    Raises:
        UsageError: It has other operating points and not this one.
    """
    table = system.table
    if not table.thresholds:
        return _EVEN, "none is known: one half"
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


def row_of(
    system: System,
    common: PredictionTable,
    patients: NDArray[np.str_] | None,
    preset: str,
    *,
    draws: int,
    seed: int,
) -> Row:
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
    metrics = metrics_table(
        common.labels,
        common.probabilities,
        common.classes,
        common.positive,
        {preset: threshold},
        groups=patients,
        generator=np.random.default_rng(seed),
        draws=draws,
    )
    found = [
        replace(metric, name=metric.name.removesuffix(f" ({preset})"))
        for metric in metrics
        if metric.name.endswith(f" ({preset})") or metric.name in {"AUC", "Brier", "ECE", "log loss", "macro F1"}
    ]
    facts = system.facts
    return Row(
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
        metrics=(*found, _class_accuracy(common)),
    )


def _class_accuracy(table: PredictionTable) -> Metric:
    """Films called as their likeliest class: what every notebook calls accuracy."""
    right = int((table.probabilities.argmax(axis=1) == table.labels).sum())
    found = wilson(right, len(table))
    return Metric("class accuracy", found.value, found.low, found.high, found.n, found.k, "Wilson")


def families_of(rows: Sequence[Row]) -> tuple[Family, ...]:
    """The families with two runs or more, and the spread of each figure that all their runs have."""
    members: dict[str, list[Row]] = defaultdict(list)
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
        spreads = tuple(_spread(name, values) for name, values in known.items() if len(values) == len(runs))
        found.append(Family(_family_name(runs), tuple(run.name for run in runs), spreads))
    return tuple(found)


def seed_pairs_of(rows: Sequence[Row], families: Sequence[Family]) -> tuple[Pair, ...]:
    """Whether two families differ by more than their seeds do; Holm's correction is over the pairs of one figure.

    Args:
        rows: All systems'.
        families: Of them.
    """
    by_name = {row.name: row for row in rows}
    found: list[Pair] = []
    for figure in SEED_FIGURES:
        pairs = []
        for one, other in combinations(families, 2):
            values = [[_value(by_name[run], figure) for run in family.runs] for family in (one, other)]
            if any(value is None for side in values for value in side):
                continue
            first, second = ([float(value or 0) for value in side] for side in values)
            difference = seed_difference(first, second)
            pairs.append(pair_of(one.name, other.name, figure, difference))
        found += corrected(pairs)
    return tuple(found)


def _value(row: Row, figure: str) -> float | None:
    value: float | None = getattr(row, figure) if figure in _SPREADS else row.value(figure)
    return value


def _spread(name: str, values: Sequence[float]) -> Spread:
    return Spread(name, float(np.mean(values)), float(np.std(values, ddof=1)), float(min(values)), float(max(values)))


def _family_name(runs: Sequence[Row]) -> str:
    """What the runs' names share in front (classic-3conv-seed0, classic-3conv-seed1), else the network."""
    names = [run.name for run in runs]
    shared = names[0]
    while shared and not all(name.startswith(shared) for name in names):
        shared = shared[:-1]
    shared = shared.rstrip("0123456789").removesuffix("seed").rstrip("-_/ ,")
    return shared or runs[0].about.split(" ", 1)[0]
