"""A judgement, readable from top to bottom."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.judgement import Counts, Judgement
from pneumoscope.evaluation.judging.groups import subgroups
from pneumoscope.evaluation.judging.limits import limits_of
from pneumoscope.evaluation.judging.overall import over_classes, overall, reliability_bins
from pneumoscope.evaluation.judging.points import at_best, at_points, three_way
from pneumoscope.evaluation.judging.trade import decision_curve, fixed_rates, prevalence_curves, roc_points
from pneumoscope.statistics.resamples import Resamples
from pneumoscope.statistics.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["judge"]

_LEAST_DRAWS = 100


def judge(
    table: PredictionTable, *, draws: int = 2000, seed: int = 0, now: Callable[[], float] = time.perf_counter
) -> Judgement:
    """All figures of a table. The same table and seed give the same figures.

    A figure that these films cannot give is a row without a value, and a limit that says why.

    Args:
        table: Films, labels, probabilities.
        draws: Of the bootstrap, 100 or more.
        seed: Of the bootstrap.
        now: What the steps are timed by.

    Raises:
        UsageError: Too few draws for an interval.
    """
    if draws < _LEAST_DRAWS:
        raise UsageError(
            f"{draws} resamples give no interval",
            where="--draws",
            remedy=f"Give {_LEAST_DRAWS} or more; 2,000 is usual",
        )
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        began = now()
        yield
        seconds[step] = round(now() - began, 3)

    resamples = Resamples(len(table), table.patients, draws, generator=np.random.default_rng(seed))
    rows = Rows(resamples, films=table.films)
    with timed("overall"):
        figures = overall(table, rows)
        bins = reliability_bins(table)
    with timed("operating points"):
        points, best, two = at_points(table, rows), at_best(table, rows), three_way(table, rows)
    with timed("classes"):
        classes = over_classes(table, rows)
    with timed("curves"):
        roc, prevalence = roc_points(table), prevalence_curves(table)
    with timed("fixed rates"):
        fixed = fixed_rates(table, resamples)
    with timed("net benefit"):
        decision = decision_curve(table, resamples)
    with timed("subgroups"):
        groups = subgroups(table, rows)
    judgement = Judgement(
        system=table.system,
        films=table.films,
        finding=table.finding,
        classes=table.classes,
        positive=table.positive_names,
        counts=_counts(table),
        overall=figures,
        points=points,
        best=best,
        three_way=two,
        over_classes=classes,
        roc=roc,
        reliability=bins,
        prevalence=prevalence,
        fixed=fixed,
        decision=decision,
        subgroups=groups,
        refused=table.refused,
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=__version__,
        seconds=seconds,
    )
    return replace(judgement, limits=limits_of(table, judgement))


def _counts(table: PredictionTable) -> Counts:
    positives = int(table.truth.sum())
    return Counts(
        films=len(table),
        positives=positives,
        negatives=len(table) - positives,
        patients=None if table.patients is None else len(np.unique(table.patients)),
        by_class=table.counts(),
        refused=len(table.refused),
    )
