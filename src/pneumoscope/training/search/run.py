"""A whole search, readable from top to bottom: films -> folds -> trials -> winner -> judgement."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
import optuna
import torch
from optuna.trial import TrialState

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.settings import NOTICE, Settings
from pneumoscope.storage import write_atomically
from pneumoscope.training.search.check import check_space
from pneumoscope.training.search.database import open_study
from pneumoscope.training.search.films import hold_out
from pneumoscope.training.search.folder import SearchFolder
from pneumoscope.training.search.judge import judge
from pneumoscope.training.search.propose import Proposals, points_of, pruner
from pneumoscope.training.search.record import Outer, SearchRecord, write_record
from pneumoscope.training.search.screen import Screen
from pneumoscope.training.search.trial import Trying
from pneumoscope.training.search.work import Work, best_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pneumoscope.dataset import Manifest
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.films import SearchFilms
    from pneumoscope.training.search.plan import SearchPlan
    from pneumoscope.training.search.space import Space

__all__ = ["Where", "search"]

_JUDGED = "judged"
_FEWEST = 8  # complete trials below which an importance says nothing


@dataclass(frozen=True, slots=True)
class Where:
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
    where: Where | None = None,
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
    where = where or Where()
    if config.seed < 0:
        raise ConfigError(f"a seed is 0 or more, not {config.seed}", where="seed", remedy="Give --seed 0")
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
            _hushed(),
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
            trying = Trying(films, plan, config.seed, folder.trials)
            with Screen(goal, plan.sought, shown=progress) as screen:
                work = Work(
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
                    f"none of the {len(record.trials)} trials was finished{_why(record)}",
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
                outer = judge(manifest, folder.winner, winner, plan, progress=progress)
                study.set_user_attr(_JUDGED, {**closed, "outer": msgspec.to_builtins(outer)})
            else:
                outer = msgspec.convert(closed["outer"], Outer)
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
    work: Work,
) -> SearchRecord:
    trials = work.records()
    best = best_of(trials)
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


def _why(record: SearchRecord) -> str:
    reasons = [trial.reason for trial in record.trials if trial.reason]
    return f" ({reasons[0]})" if reasons else ""


@contextmanager
def _hushed() -> Iterator[None]:
    """Optuna tells of each trial in its own words; the search's own line says what matters."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
