"""What thresholds do: one, two, and the one that these very films would have chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.bundle import THREE_WAY
from pneumoscope.evaluation.judgement import AtPoint, Confusion, ThreeWay
from pneumoscope.statistics.agreement import balanced_accuracies, class_f1s, confusion_cells, kappas, mccs
from pneumoscope.statistics.operating import choose, youden
from pneumoscope.statistics.rows import ONE_KIND

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.statistics.metrics import Metric
    from pneumoscope.statistics.rows import Rows

__all__ = ["BEST", "at_best", "at_points", "three_way"]

BEST = "best threshold"
"""The preset's name of the threshold that these films chose themselves."""


def at_points(table: PredictionTable, rows: Rows) -> tuple[AtPoint, ...]:
    """The frozen operating points, in the table's order."""
    return tuple(
        _at(table, rows, preset, threshold, chosen=table.chosen.get(preset, ""), optimistic=False)
        for preset, threshold in table.thresholds.items()
    )


def at_best(table: PredictionTable, rows: Rows) -> AtPoint | None:
    """The threshold that is best on these films: what a report must not promise. None with films of one kind."""
    if not table.truth.any() or table.truth.all():
        return None
    best = choose(table.truth, table.score, youden())
    words = f"{best.rule}, on the films that are judged"
    return _at(table, rows, BEST, best.value, chosen=words, optimistic=True)


def three_way(table: PredictionTable, rows: Rows) -> ThreeWay | None:
    """The two thresholds of the three-way call, if the system has them."""
    if table.band is None:
        return None
    lower, upper = table.band
    truth, score = table.truth, table.score
    called, cleared = score >= upper, score < lower
    decided = called | cleared
    return ThreeWay(
        lower=lower,
        upper=upper,
        chosen=table.chosen.get(THREE_WAY, ""),
        metrics=(
            rows.rate("missed", cleared, truth),
            rows.rate("false calls", called, ~truth),
            rows.rate("recall of the decided", called, truth & decided),
            rows.rate("specificity of the decided", cleared, ~truth & decided),
            rows.rate("left open", ~decided),
            rows.rate("left open with", ~decided, truth),
            rows.rate("left open without", ~decided, ~truth),
        ),
    )


def _at(table: PredictionTable, rows: Rows, preset: str, threshold: float, *, chosen: str, optimistic: bool) -> AtPoint:
    truth, called = table.truth, table.score >= threshold
    cells = confusion_cells(truth.astype(np.int64), called.astype(np.int64), 2)  # [N, 4]
    counts = cells.sum(axis=0).astype(int).tolist()

    def of_cells(name: str, statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]], otherwise: str) -> Metric:
        return rows.sums(name, lambda x: statistic(x.reshape(-1, 2, 2)), cells, otherwise=otherwise)

    metrics = (
        rows.rate("recall", called, truth),
        rows.rate("specificity", ~called, ~truth),
        rows.rate("precision", truth, called),
        rows.rate("NPV", ~truth, ~called),
        of_cells("F1", lambda x: class_f1s(x)[:, 1], "no film has the finding, and none is called"),
        rows.rate("accuracy", called == truth),
        of_cells("balanced accuracy", balanced_accuracies, ONE_KIND),
        of_cells("MCC", mccs, "all films, or all calls, are of one kind"),
        of_cells("Cohen's kappa", kappas, "chance alone agrees wholly"),
    )
    return AtPoint(
        preset=preset,
        threshold=float(threshold),
        chosen=chosen,
        optimistic=optimistic,
        metrics=metrics,
        confusion=Confusion(
            names=(f"no {table.finding}", table.finding), cells=((counts[0], counts[1]), (counts[2], counts[3]))
        ),
    )
