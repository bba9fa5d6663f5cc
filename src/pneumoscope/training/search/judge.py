"""The winner's day in court: learned again on the films that chose it, judged on those that have not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from pneumoscope.statistics.discrimination import delong
from pneumoscope.statistics.fixed import recall_at_specificity
from pneumoscope.statistics.intervals import bootstrap
from pneumoscope.training.run import train
from pneumoscope.training.search.record import Outer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.dataset import Manifest
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.plan import SearchPlan

__all__ = ["judge", "judged"]

_DRAWS = 2000


def judge(manifest: Manifest, out: Path, config: TrainConfig, plan: SearchPlan, *, progress: bool = True) -> Outer:
    """Train the winner as ``pneumoscope train`` would, and take the objective on its test films.

    Its train part is learned from, its val part chooses the epoch and the thresholds; together these are the films
    that the trials chose by.

    Args:
        manifest: All films.
        out: Folder of the run; a run that was killed is gone on with.
        config: The winner's.
        plan: Names the objective.
        progress: Show bars.

    Raises:
        TrainingError: Learning failed.
        StorageError: The disk is full; the run can be gone on with.
    """
    run = train(manifest, out, config, progress=progress)
    table = pq.read_table(run.folder.predictions).to_pydict()
    rows = np.flatnonzero(np.array(table["part"]) == "test")
    classes = [kind for kind in run.meta.classes if kind.positive]
    score = np.sum([np.array(table[f"p_{kind.name}"])[rows] for kind in classes], axis=0)
    truth = np.isin(np.array(table["label"])[rows], [kind.name for kind in classes])
    patients = np.array(table["patient"])[rows]
    return judged(truth, score, patients, plan, seed=config.seed, sha256=run.meta.graph_sha256)


def judged(
    truth: NDArray[np.bool_],
    score: NDArray[np.float64],
    patients: NDArray[np.str_],
    plan: SearchPlan,
    *,
    seed: int,
    sha256: str,
) -> Outer:
    """The objective on films, with its interval.

    Args:
        truth: bool [N], whether a film has the finding.
        score: float64 [N].
        patients: str [N].
        plan: Names the objective.
        seed: Of the bootstrap.
        sha256: Of the graph that was judged.
    """
    if plan.objective == "auc":
        area = delong(truth, score, patients)
        value, low, high, method = area.value, area.low, area.high, "DeLong by patient"
    else:
        drawn = bootstrap(
            lambda labels, scores: recall_at_specificity(labels, scores, plan.specificity),
            (truth, score),
            patients,
            _DRAWS,
            generator=np.random.default_rng(seed),
        )
        value, low, high, method = drawn.value, drawn.low, drawn.high, f"bootstrap over patients, {drawn.draws} draws"
    return Outer(
        value=value,
        low=low,
        high=high,
        method=method,
        films=len(truth),
        patients=len(np.unique(patients)),
        positives=int(truth.sum()),
        bundle_sha256=sha256,
    )
