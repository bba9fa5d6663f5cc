"""A whole search, readable from top to bottom: films -> folds -> trials -> winner -> held-out evaluation."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import optuna
import pyarrow.parquet as pq
import torch
from optuna.trial import TrialState

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.networks.registry import build
from pneumoscope.settings import NOTICE, Settings
from pneumoscope.stats.bootstrap import bootstrap
from pneumoscope.stats.roc import delong, recall_at_specificity
from pneumoscope.storage import write_atomically
from pneumoscope.training.run import train
from pneumoscope.training.search.folder import SearchFolder
from pneumoscope.training.search.record import OuterEvaluation, SearchProgress, SearchRecord, write_record
from pneumoscope.training.search.study import Proposals, open_study, points_of, pruner
from pneumoscope.training.search.trial import TrialContext, hold_out
from pneumoscope.training.search.worker import Worker, best_trial_of
from pneumoscope.training.setup import manifest_for, preprocess_spec_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.space import SearchPlan, Space
    from pneumoscope.training.search.trial import SearchFilms

__all__ = ["CheckedSpace", "StudyLocation", "check_space", "evaluate_winner", "evaluated_on_test", "search"]

_OPTION = "network.options."


@dataclass(frozen=True, slots=True)
class CheckedSpace:
    """A space whose ends can all be built.

    Attributes:
        space: It.
        start: The point of the configuration that the search starts from; None if the space does not hold it.
        epochs: The most that a trial can have.
    """

    space: Space
    start: dict[str, Any] | None
    epochs: int


def check_space(space: Space, base: TrainConfig, classes: int, *, drop: bool = False) -> CheckedSpace:
    """Build what lies at each end of each range, and at each choice.

    Args:
        space: What is to be searched.
        base: The configuration that the search starts from.
        classes: Of the films.
        drop: Leave out options that the network has not, as for the space that comes with pneumoscope.

    Raises:
        ConfigError: A value that the configuration, the network or the preprocessing does not take.
    """
    size = preprocess_spec_for(base).size
    network = build(base.network.name, classes=classes, size=size, options=base.network.options)
    options = network.options
    if drop:
        space = space.without(
            {key for key in space.dimensions if key.startswith(_OPTION) and key.removeprefix(_OPTION) not in options}
        )
    del network
    epochs = base.optim.epochs
    for key, dimension in space.dimensions.items():
        for end in dimension.ends:
            config = space.config(base, {key: end})
            epochs = max(epochs, config.optim.epochs)
            if not key.startswith(("network.", "data.")):
                continue
            try:
                made = preprocess_spec_for(config)
                if key.startswith("network.") or key == "data.size":
                    build(config.network.name, classes=classes, size=made.size, options=config.network.options)
            except ConfigError as error:
                raise ConfigError(
                    f"{end!r} cannot be used ({error.what})",
                    where=f"{space.where}, space.{key}",
                    remedy=error.remedy or "Change the range or the list",
                ) from error
    return CheckedSpace(space, space.start(base, options=options, size=size), epochs)


_DRAWS = 2000


def evaluate_winner(
    manifest: Manifest, out: Path, config: TrainConfig, plan: SearchPlan, *, progress: bool = True
) -> OuterEvaluation:
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
    return evaluated_on_test(truth, score, patients, plan, seed=config.seed, sha256=run.meta.graph_sha256)


def evaluated_on_test(
    truth: NDArray[np.bool_],
    score: NDArray[np.float64],
    patients: NDArray[np.str_],
    plan: SearchPlan,
    *,
    seed: int,
    sha256: str,
) -> OuterEvaluation:
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
    return OuterEvaluation(
        value=value,
        low=low,
        high=high,
        method=method,
        films=len(truth),
        patients=len(np.unique(patients)),
        positives=int(truth.sum()),
        bundle_sha256=sha256,
    )


_JUDGED = "judged"
_FEWEST = 8  # complete trials below which an importance says nothing


@dataclass(frozen=True, slots=True)
class StudyLocation:
    """Where a study is kept, and what this process does for it.

    Attributes:
        storage: URL of SQLite or PostgreSQL, or a SQLite file; "" keeps it in the search's folder.
        study: Name in the database; "" lets it follow from the search.
        worker: Try configurations only; another process judges the winner.
        heartbeat: Seconds between signs of life; after three without one others take the trial up.
    """

    storage: str = ""
    study: str = ""
    worker: bool = False
    heartbeat: int = 60


def search(
    manifest: Manifest,
    out: Path,
    config: TrainConfig,
    plan: SearchPlan,
    space: Space,
    *,
    where: StudyLocation | None = None,
    drop: bool = False,
    fresh: bool = False,
    progress: bool = True,
) -> SearchRecord:
    """Search, or go on with a search, or open a finished one.

    Args:
        manifest: The films and labels.
        out: Folder of this process; several processes have a folder each and share a database.
        config: What the search starts from: everything that the space does not name.
        plan: How to search.
        space: What to search.
        where: The database.
        drop: Leave out of the space what the network has no option for.
        fresh: Throw away an earlier search in ``out``; a study in another database stays.
        progress: Show a bar and lines.

    Raises:
        ConfigError: A value in the space that cannot be, or a configuration that leaves no films to judge by.
        DatasetError: Films that do not fit the task, or too few patients.
        TrainingError: ``out`` holds another search, the search is closed, or no trial could be finished.
        StorageError: The disk is full, or the database is out of reach; the search can be gone on with.
    """
    where = where or StudyLocation()
    if config.seed < 0:
        raise ConfigError(f"a seed is 0 or more, not {config.seed}", where="seed", remedy="Give --seed 0")
    manifest = manifest_for(manifest, config)
    films = hold_out(manifest, config, plan.folds)
    checked = check_space(space, config, len(manifest.classes), drop=drop)
    points = points_of(checked.space, plan, config.seed, checked.start)
    goal = min(plan.trials, len(points)) if plan.sampler == "grid" else plan.trials
    digest = _digest(manifest, films, config, plan, checked.space)
    name = where.study or f"pneumoscope-{digest[:12]}"
    folder = SearchFolder(out)
    with folder.claimed(f"# pneumoscope search {digest}", _text(config, plan, checked.space), fresh=fresh) as own:
        torch.set_num_threads(config.threads or Settings.from_environment().cpu_threads())
        storage = where.storage or f"sqlite:///{folder.database}"
        ending = pruner(plan, checked.epochs)
        with (
            _optuna_quiet(),
            open_study(storage, name, {"search": digest}, ending, heartbeat=where.heartbeat) as study,
        ):
            study.sampler = Proposals.of(study, plan, checked.space, points, config.seed)
            closed: dict[str, Any] | None = study.user_attrs.get(_JUDGED)
            if closed and goal > closed["trials"]:
                raise TrainingError(
                    f"the search was closed after {closed['trials']} trials: the held-out films have judged its "
                    "winner, and would now choose",
                    where=folder.path,
                    remedy="Begin another search with --set data.split_seed=1, so that other patients judge",
                )
            trying = TrialContext(films, plan, config.seed, folder.trials)
            with SearchProgress(goal, plan.sought, shown=progress) as screen:
                work = Worker(
                    study=study,
                    space=checked.space,
                    base=config,
                    trying=trying,
                    goal=goal,
                    epochs=checked.epochs,
                    own=own,
                    grace=3 * where.heartbeat,
                    screen=screen,
                )
                if not closed:
                    work.run(stay=not where.worker)
            record = _record(manifest, films, config, plan, checked.space, study, work)
            write_record(record, folder.record, folder.table)
            best = record.best_trial
            if best is None or best.value is None:
                if where.worker:
                    return record
                raise TrainingError(
                    f"none of the {len(record.trials)} trials was finished{_first_failure(record)}",
                    where=folder.path,
                    remedy="Narrow the space, or let more trials run: --trials",
                )
            winner = work.config(best.index)
            write_atomically(folder.best, _best_text(record, winner))
            if where.worker:
                return record
            # Closed before the held-out films are looked at, so that a kill in between opens nothing again.
            closed = closed or {"trials": goal, "outer": None}
            study.set_user_attr(_JUDGED, closed)
            if closed["outer"] is None:
                outer = evaluate_winner(manifest, folder.winner, winner, plan, progress=progress)
                study.set_user_attr(_JUDGED, {**closed, "outer": msgspec.to_builtins(outer)})
            else:
                outer = msgspec.convert(closed["outer"], OuterEvaluation)
            record = msgspec.structs.replace(record, outer=outer, optimism=best.value - outer.value)
            write_record(record, folder.record, folder.table)
            return record


def _digest(manifest: Manifest, films: SearchFilms, config: TrainConfig, plan: SearchPlan, space: Space) -> str:
    """What makes a search this one; not how many trials it has, nor how fast the machine is."""
    told = {
        "films": manifest.sha256,
        "split": films.outer.sha256,
        "config": msgspec.to_builtins(msgspec.structs.replace(config, threads=0)),
        "plan": msgspec.to_builtins(msgspec.structs.replace(plan, trials=1)),
        "space": space.to_builtins(),
    }
    return hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()


def _text(config: TrainConfig, plan: SearchPlan, space: Space) -> str:
    """``search.toml``: the plan and the space as comments would tell them, and the configuration."""
    lines = [f"# {key} = {msgspec.json.encode(value).decode()}" for key, value in msgspec.to_builtins(plan).items()]
    lines += [f"# {key}: {msgspec.json.encode(value).decode()}" for key, value in space.to_builtins().items()]
    return "\n".join([*lines, "# The configuration that the search starts from:", config.to_toml()])


def _record(  # noqa: PLR0917 - each is a part of the record
    manifest: Manifest,
    films: SearchFilms,
    config: TrainConfig,
    plan: SearchPlan,
    space: Space,
    study: optuna.Study,
    work: Worker,
) -> SearchRecord:
    trials = work.records()
    best = best_trial_of(trials)
    return SearchRecord(
        study=study.study_name,
        sought=plan.sought,
        network=config.network.name,
        plan=msgspec.to_builtins(plan),
        space=space.to_builtins(),
        seed=config.seed,
        manifest_sha256=manifest.sha256,
        split_sha256=films.outer.sha256,
        films={"choose": len(films.learning), "judge": len(films.outer.parts["test"])},
        patients={"choose": len(films.learning.patients), "judge": films.judges},
        trials=tuple(trials),
        best=None if best is None else best.index,
        importances=_importances(study),
        software={package: version(package) for package in ("pneumoscope", "optuna", "torch", "lightning")},
    )


def _importances(study: optuna.Study) -> dict[str, float]:
    """PED-ANOVA (Watanabe, Bansal and Hutter, IJCAI 2023): which keys make a trial good."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _FEWEST or len({trial.value for trial in complete}) < 2:
        return {}
    return {key: float(share) for key, share in optuna.importance.get_param_importances(study).items()}


def _best_text(record: SearchRecord, winner: TrainConfig) -> str:
    best = record.best_trial
    told = "" if best is None else f"Trial {best.index + 1} of {len(record.trials)}: {record.sought} {best.value:.4f}"
    return (
        f"# The best configuration of `pneumoscope search`, for `pneumoscope train --config`.\n"
        f"# {told}, the mean over {record.plan['folds']} folds of the films that chose it: too good to be quoted.\n"
        f"# {NOTICE}\n{winner.to_toml()}"
    )


def _first_failure(record: SearchRecord) -> str:
    reasons = [trial.reason for trial in record.trials if trial.reason]
    return f" ({reasons[0]})" if reasons else ""


@contextmanager
def _optuna_quiet() -> Iterator[None]:
    """Optuna tells of each trial in its own words; the search's own line says what matters."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
