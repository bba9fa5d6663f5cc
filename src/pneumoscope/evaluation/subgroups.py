"""Subgroup metrics, each tested against the other films of its stratum."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pneumoscope.evaluation.predictions import UNKNOWN
from pneumoscope.evaluation.result import Subgroup, SubgroupTest
from pneumoscope.stats.differences import auc_difference_of_groups, holm, rate_difference_of_groups

__all__ = ["MAX_GROUPS", "subgroup_metrics"]

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.stats.differences import GroupDifference
    from pneumoscope.stats.metrics import MetricCalculator

    Mask = NDArray[np.bool_]


MAX_GROUPS = 12
"""Groups of a stratum that are judged, the largest first."""

_MIN_FILMS = 5  # films on each side of a test


@dataclass(frozen=True, slots=True)
class _GroupTest:
    stratum: str
    group: str
    name: str
    found: GroupDifference
    once: bool
    """Whether it counts: of two groups each is the other's others, and one test is made."""


def subgroup_metrics(table: PredictionTable, calculator: MetricCalculator) -> tuple[Subgroup, ...]:
    """Every group of every stratum, with tests corrected by Holm's method over all of them together."""
    groups, tests = [], []
    for stratum, names in table.strata.items():
        known = names != UNKNOWN
        listed = [name for name, _ in Counter(names[known].tolist()).most_common(MAX_GROUPS)]
        for place, name in enumerate(sorted(listed)):
            inside = names == name
            groups.append(_group(table, calculator, stratum, name, inside))
            tests += [
                _GroupTest(stratum, name, what, found, once=len(listed) != 2 or place == 0)
                for what, found in _tests(table, inside, known & ~inside)
            ]
    adjusted = _holm_adjusted(tests)
    return tuple(
        replace(
            group,
            tests=tuple(
                SubgroupTest(test.name, test.found.value, test.found.p, p, test.found.method)
                for test, p in zip(tests, adjusted, strict=True)
                if (test.stratum, test.group) == (group.stratum, group.group)
            ),
        )
        for group in groups
    )


def _group(table: PredictionTable, calculator: MetricCalculator, stratum: str, name: str, inside: Mask) -> Subgroup:
    truth = table.truth
    metrics = [calculator.auc("AUC", truth, table.score, inside)]
    for preset in table.thresholds:
        called = table.called(preset)
        metrics.append(calculator.proportion(f"recall ({preset})", called, truth & inside))
        metrics.append(calculator.proportion(f"specificity ({preset})", ~called, ~truth & inside))
    return Subgroup(stratum, name, int(inside.sum()), int((truth & inside).sum()), tuple(metrics))


def _tests(table: PredictionTable, inside: Mask, others: Mask) -> Iterator[tuple[str, GroupDifference]]:
    truth, score, patients = table.truth, table.score, table.patients

    def enough(kind: Mask) -> bool:
        return min(int((kind & inside).sum()), int((kind & others).sum())) >= _MIN_FILMS

    if enough(truth) and enough(~truth):
        found = auc_difference_of_groups(truth, score, inside, others, patients)
        if found is not None:
            yield "AUC", found
    for preset in table.thresholds:
        called = table.called(preset)
        for name, right, kind in (("recall", called, truth), ("specificity", ~called, ~truth)):
            if enough(kind):
                yield f"{name} ({preset})", rate_difference_of_groups(right, kind & inside, kind & others, patients)


def _holm_adjusted(tests: list[_GroupTest]) -> list[float]:
    """Holm's values; the second of two groups has those of the first, whose test it is."""
    counted = [test for test in tests if test.once]
    values = dict(zip([(t.stratum, t.name, t.group) for t in counted], holm([t.found.p for t in counted]), strict=True))
    firsts = {(t.stratum, t.name): float(values[t.stratum, t.name, t.group]) for t in counted}
    return [float(values.get((t.stratum, t.name, t.group), firsts.get((t.stratum, t.name), 1.0))) for t in tests]
