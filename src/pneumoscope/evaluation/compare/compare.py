"""One comparison from top to bottom: match films, compute metrics, test pairs, list disagreements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.compare.matching import MatchedTables, find_disagreements, match_tables
from pneumoscope.evaluation.compare.result import Comparison, SystemMetrics
from pneumoscope.evaluation.compare.significance import (
    TESTED_METRICS,
    pair_agreements,
    paired_tests,
    seed_groups,
    seed_tests,
    system_metrics,
    tested_pairs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pneumoscope.evaluation.compare.systems import ComparedSystem, TrainingHistory

__all__ = ["SORTS", "ComparisonOutput", "compare"]

SORTS = (*TESTED_METRICS, "films a second", "parameters", "minutes")
"""What the rows can be sorted by: figures and speed from the best down, sizes and times from the least up."""

_LIMITATIONS = (
    "A test on one set of films says what would change with other films of this kind. What would change with another "
    "seed of training it cannot say: train each network with several seeds for that.",
    "Recall, specificity, precision, F1 and accuracy are those at each system's own threshold; AUC needs none.",
    "Intervals and tests take the films of one patient together.",
)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonOutput:
    """The result, with the films it was made of.

    Attributes:
        result: What is said.
        matched: The systems' tables, cut to the common films.
        histories: By system, how it was trained, where that is known.
    """

    result: Comparison
    matched: MatchedTables
    histories: Mapping[str, TrainingHistory] = field(default_factory=dict)


def compare(
    systems: Sequence[ComparedSystem],
    *,
    preset: str = "balanced",
    sort: str = "AUC",
    reference: str | None = None,
    draws: int = 2000,
    seed: int = 0,
    progress: bool = False,
) -> ComparisonOutput:
    """Compare systems on the films that all of them have.

    Args:
        systems: Two or more.
        preset: The operating point of the calls.
        sort: One of ``SORTS``.
        reference: Test the others against this system alone; None tests every pair of up to eight systems.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
        progress: Show a bar.

    Raises:
        UsageError: There is no such figure, system or operating point.
        DatasetError: The systems have no film in common, or disagree on what a film is.
    """
    if sort not in SORTS:
        raise UsageError(f"rows cannot be sorted by {sort!r}", where="--sort", remedy=f"Take {', '.join(SORTS)}")
    names = [system.name for system in systems]
    if reference is not None and reference not in names:
        raise UsageError(
            f"there is no system {reference!r}", where="--reference", remedy=f"The systems are: {', '.join(names)}"
        )
    matched = match_tables({system.name: system.table for system in systems})
    rows = [
        system_metrics(system, matched.tables[system.name], matched.patients, preset, draws=draws, seed=seed)
        for system in systems
    ]
    thresholds = {row.name: row.threshold for row in rows}
    families = seed_groups(rows)
    pairs, against = tested_pairs(names, reference)
    truth = matched.truth
    result = Comparison(
        finding=systems[0].table.finding,
        films=_films(systems, matched),
        common=len(truth),
        positives=int(truth.sum()),
        patients=None if matched.patients is None else len(np.unique(matched.patients)),
        matched_by=matched.by,
        preset=preset,
        sorted_by=sort,
        reference=against,
        rows=tuple(sorted(rows, key=lambda row: _place(row, sort))),
        families=families,
        seed_pairs=seed_tests(rows, families),
        pairs=paired_tests(matched, thresholds, pairs, draws=draws, seed=seed, progress=progress),
        agreements=pair_agreements(matched, thresholds, pairs),
        disputes=find_disagreements(matched, thresholds),
        unmatched=matched.unmatched,
        warnings=tuple(_warnings(systems, matched)),
        limits=_LIMITATIONS,
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=f"pneumoscope {__version__}",
    )
    histories = {system.name: system.history for system in systems if system.history is not None}
    return ComparisonOutput(result, matched, histories)


def _place(row: SystemMetrics, sort: str) -> tuple[bool, float, str]:
    """The best first, and what has no such figure last."""
    if sort in {"parameters", "minutes"}:
        value = getattr(row, sort)
        return value is None, value or 0.0, row.name
    value = row.films_a_second if sort == "films a second" else row.value(sort)
    return value is None, -(value or 0.0), row.name


def _films(systems: Sequence[ComparedSystem], matched: MatchedTables) -> str:
    """Which films, in words."""
    told = list(dict.fromkeys(system.part or system.table.films for system in systems))
    parts = {"test": "held-out test films", "val": "validation films"}
    words = " and ".join(parts.get(name, name) for name in told if name) or "films of the tables"
    return f"{words}, {len(matched.truth):,} that all systems have"


def _warnings(systems: Sequence[ComparedSystem], matched: MatchedTables) -> list[str]:
    """What a reader must know before believing a figure."""
    found = []
    for system in systems:
        table = matched.tables[system.name]
        if system.part == "val":
            found.append(
                f"{system.name} is judged on its validation films, which chose its epoch and its thresholds: "
                "its figures flatter."
            )
        elif system.kind in {"bundle", "model"} and not system.films_known:
            found.append(
                f"A {system.kind} does not list the films that it learned from: if {system.name} learned from some of "
                "these, its figures flatter."
            )
        elif system.learned and table.sha256 is not None:
            known = sum(digest in system.learned for digest in table.sha256)
            if known:
                found.append(
                    f"{system.name} learned from, or was chosen by, {known} of the {len(table)} common films: "
                    "its figures flatter."
                )
        found += [f"{system.name}: {note}" for note in system.table.notes]
    finding = {system.table.finding for system in systems}
    if len(finding) > 1:
        found.append(f"The systems call what they find by different names: {', '.join(sorted(finding))}.")
    truth = matched.truth
    if truth.all() or not truth.any():
        found.append("The common films are all of one kind: there is no AUC, and no ROC curve.")
    if matched.patients is None:
        found.append("Nobody knows the films' patients: each film is taken for a patient of its own.")
    if matched.unmatched:
        found.append(
            f"{len(matched.unmatched):,} films are not in every system and so in no figure; they are listed in "
            "unmatched.csv."
        )
    return found
