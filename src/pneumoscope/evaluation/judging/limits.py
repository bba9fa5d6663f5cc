"""What the figures cannot say, each a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.judging.groups import GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.evaluation.judgement import Judgement
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.statistics.metrics import Metric

__all__ = ["limits_of"]

_FEW = 30
_COPIES = 0.02


def limits_of(table: PredictionTable, judgement: Judgement) -> tuple[str, ...]:
    """The limits of these films and this system; always at least one."""
    counts = judgement.counts
    found = list(table.notes)
    if not counts.positives or not counts.negatives:
        kind = "without" if counts.negatives else "with"
        found.append(
            f"All films are {kind} {table.finding}: AUC, curves and calibration cannot be computed, and "
            f"{'recall' if kind == 'without' else 'specificity'} has no films."
        )
    else:
        few = min(counts.positives, counts.negatives)
        if few < _FEW:
            side = "with" if few == counts.positives else "without"
            found.append(
                f"Only {few} {'film is' if few == 1 else 'films are'} {side} {table.finding}: the intervals are wide, "
                "and those of the bootstrap and of DeLong too narrow still."
            )
    if table.patients is None:
        found.append(
            "Nobody said which films are of one patient: each is taken for its own, and the intervals are too narrow "
            "if patients have several."
        )
    if not table.thresholds:
        found.append("No operating point was given: there is no recall, specificity or precision.")
    if judgement.best is not None:
        found.append(
            "The best threshold was chosen on these films: its figures are optimistic, and no forecast for others. So "
            "are the rates at a fixed specificity or recall."
        )
    if counts.refused:
        share = counts.refused / (counts.refused + counts.films)
        found.append(
            f"{counts.refused} of {counts.refused + counts.films} films ({100 * share:.1f} %) got no probability and "
            "are in no figure."
        )
    distinct = len(np.unique(table.score))
    if distinct < min(len(table), 20):
        found.append(f"The system gives only {distinct} different probabilities: many films are tied.")
    every = [*judgement.overall, *(row for point in judgement.points for row in point.metrics)]
    if counts.positives and counts.negatives:
        found += _told("No value can be computed", [row for row in every if row.value is None])
    bare = [row for row in every if row.value is not None and row.low is None]
    found += _told("No interval can be computed", bare)
    if len(table.strata) and any(len(np.unique(names)) > GROUPS + 1 for names in table.strata.values()):
        found.append(f"Of each stratum the {GROUPS} largest groups are judged.")
    if table.sha256 is not None and (copies := len(table) - len(set(table.sha256))) > _COPIES * len(table):
        found.append(f"{copies} films are copies of others among them, byte for byte.")
    found.append(
        "PPV and NPV over prevalence take recall and specificity to be the same elsewhere; they are not where the "
        "sick are sicker or the films are made otherwise."
    )
    return tuple(found)


def _told(what: str, rows: Sequence[Metric]) -> list[str]:
    """The figures that lack something, those with the same reason in one sentence."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        by_reason.setdefault(row.why, {})[row.name] = None
    return [f"{what} for {', '.join(names)}{why and f': {why}'}." for why, names in by_reason.items()]
