"""The Optuna study of a search: storage, sampler, pruner, and trials whose worker died."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pneumoscope.errors import MissingExtra, StorageError, TrainingError, UsageError
from pneumoscope.storage import make_folder
from pneumoscope.training.search.space import Choices
from pneumoscope.training.search.trial import derived_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial
    from sqlalchemy.engine import URL

    from pneumoscope.training.search.space import Range, SearchPlan, Space

__all__ = [
    "ENDED",
    "FOLDER",
    "FOLDS",
    "SURPLUS",
    "Proposals",
    "index_of",
    "open_study",
    "points_of",
    "pruner",
    "reclaim_stale_trials",
    "redacted_url",
    "retry",
    "suggest",
    "translate_errors",
    "trial_indices",
]

FOLDER, FOLDS, ENDED, SURPLUS = "folder", "folds", "ended", "surplus"
"""Attributes of a trial: whose it is, what its folds gave, why it was given up, and that it was one too many."""

_MOST_TRIES = 10
"""Starts of one trial: more than kills by chance, fewer than for ever."""

_RANK = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL)


def index_of(trials: Sequence[FrozenTrial], trial: FrozenTrial) -> int:
    """The trial's place in the search, from 0; those that go on with a killed one have that one's place.

    Args:
        trials: Of the study.
        trial: One of them, or a new one.
    """
    first = trial.system_attrs.get("failed_trial", trial.number)
    return sum(
        1
        for other in trials
        if other.number < first and "failed_trial" not in other.system_attrs and not other.user_attrs.get(SURPLUS)
    )


def trial_indices(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
    """For each place in the search the trial that counts: the finished one, else the one that is furthest."""
    found: dict[int, FrozenTrial] = {}
    begun: dict[int, int] = {}  # by number, how many places were taken before
    count = 0
    for trial in sorted(trials, key=lambda trial: trial.number):
        begun[trial.number] = count
        count += "failed_trial" not in trial.system_attrs and not trial.user_attrs.get(SURPLUS)
        if trial.user_attrs.get(SURPLUS):
            continue
        index = begun[trial.system_attrs.get("failed_trial", trial.number)]
        held = found.get(index)
        if held is None or _RANK.index(trial.state) < _RANK.index(held.state):
            found[index] = trial
    return dict(sorted(found.items()))


def retry() -> RetryHeartbeatStaleTrialCallback:
    """What puts a dead trial's point into the queue again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's word for it since version 2.8
        return RetryHeartbeatStaleTrialCallback(max_retry=_MOST_TRIES - 1)


def reclaim_stale_trials(study: Study, own: str, grace: float) -> int:
    """Take up what was left behind: trials of an earlier start in this folder, and failed ones that nobody took up.

    Trials of other machines are left to their heartbeat (Optuna looks after that before each trial).

    Args:
        study: The study.
        own: Name of this folder. Only one process works in it, so that its running trials are dead ones.
        grace: Seconds after which a trial that has not told whose it is counts as dead.

    Returns:
        How many will be tried again.
    """
    again = retry()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        nobody = FOLDER not in trial.user_attrs and (
            trial.datetime_start is None or datetime.now() - trial.datetime_start > timedelta(seconds=grace)
        )
        if nobody or trial.user_attrs.get(FOLDER) == own:
            study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=True)
    taken_up = {number for trial in trials for number in trial.system_attrs.get("retry_history", ())}
    before = len(trials)
    for trial in trials:
        if trial.state == TrialState.FAIL and trial.number not in taken_up and not trial.user_attrs.get(SURPLUS):
            again(study, trial)
    return len(study.get_trials(deepcopy=False)) - before


_IDENTITY = "pneumoscope"
_BUSY = 60  # seconds that one process waits for another's write in a SQLite file


class _Storage(RDBStorage):
    """A heartbeat that cannot be sent is missed, and ends nothing: the next one, or the next report, will tell."""

    def record_heartbeat(self, trial_id: int) -> None:
        with suppress(StorageInternalError, SQLAlchemyError):
            super().record_heartbeat(trial_id)


@contextmanager
def translate_errors(where: str) -> Iterator[None]:
    """Turn a database's no into one clear line.

    Raises:
        StorageError: In place of the database's errors.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
        told = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        reason = " ".join(str(getattr(told, "orig", None) or told).split())
        raise StorageError(
            f"the study's database cannot be used ({reason})",
            where=where,
            remedy="See that it runs, that the URL is right and the disk not full; then run the same command again: "
            "finished trials are kept",
        ) from error


@contextmanager
def open_study(
    storage: str, name: str, identity: Mapping[str, Any], pruner: optuna.pruners.BasePruner, *, heartbeat: int
) -> Iterator[optuna.Study]:
    """Open a study, or begin it; its connections are closed in the end.

    Args:
        storage: A URL of SQLite or PostgreSQL, or the path of a SQLite file.
        name: Of the study.
        identity: What makes it this search; a study of another identity is refused.
        pruner: Who ends hopeless trials.
        heartbeat: Seconds between signs of life; after three without one another machine takes the trial up.

    Raises:
        UsageError: The URL is of no such database.
        MissingExtra: PostgreSQL without its driver.
        StorageError: The database cannot be reached or written.
        TrainingError: The study is another search.
    """
    url = _url(storage)
    where = redacted_url(storage)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.drivername == "sqlite":
        options = {"connect_args": {"timeout": _BUSY}}
        _prepare_sqlite(url, where)
    with translate_errors(where), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's word for the heartbeat, since version 2
        try:
            kept = _Storage(
                url.render_as_string(hide_password=False),
                engine_kwargs=options,
                heartbeat_interval=heartbeat,
                grace_period=3 * heartbeat,
                heartbeat_stale_trial_callback=retry(),
            )
        except RuntimeError as error:  # tables of another release
            raise StorageError(
                f"the database is of another release of Optuna ({' '.join(str(error).split())})",
                where=where,
                remedy="Take the release that wrote it, or another database",
            ) from error
    try:
        with translate_errors(where):
            study = optuna.create_study(
                storage=kept, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner
            )
            known = study.user_attrs.get(_IDENTITY)
            if known is None:
                study.set_user_attr(_IDENTITY, dict(identity))
            elif known != dict(identity):
                raise TrainingError(
                    f"the study {name} is another search",
                    where=where,
                    remedy="Give another --study, or leave it out: the name then follows from the search",
                )
            yield study
    finally:
        kept.remove_session()
        kept.engine.dispose()


def redacted_url(storage: str) -> str:
    """The database as it may be printed: without the password."""
    return _url(storage).render_as_string(hide_password=True)


def _url(storage: str) -> URL:
    kinds = "Give sqlite:///FILE, or postgresql://USER@HOST/DATABASE (with the password in PGPASSWORD or ~/.pgpass)"
    if "://" not in storage:
        return make_url(f"sqlite:///{Path(storage).expanduser()}")
    try:
        url = make_url(storage)
    except ArgumentError as error:
        raise UsageError("this is no URL of a database", where="--storage", remedy=kinds) from error
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database not in {None, "", ":memory:"}:
        return url.set(drivername="sqlite")
    if backend in {"postgresql", "postgres"}:
        if find_spec("psycopg") is None:
            raise MissingExtra.named("psycopg", extra="search", needed_for="a study in PostgreSQL")
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"a study is not kept in {url.drivername!r}", where="--storage", remedy=kinds)


def _prepare_sqlite(url: URL, where: str) -> None:
    """Write-ahead logging, so that readers and a writer do not wait for each other; the file remembers it."""
    path = Path(url.database or "")
    make_folder(path.parent)
    with translate_errors(where), closing(sqlite3.connect(path, timeout=_BUSY)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def distribution(dimension: Range | Choices) -> BaseDistribution:
    """A dimension in Optuna's words."""
    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.labels)
    if dimension.whole:
        return IntDistribution(
            int(dimension.low), int(dimension.high), log=dimension.log, step=int(dimension.step or 1)
        )
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """The trial's point: a value or label for each key."""
    point: dict[str, Any] = {}
    for key, dimension in space.dimensions.items():
        found = distribution(dimension)
        if isinstance(found, CategoricalDistribution):
            point[key] = trial.suggest_categorical(key, found.choices)
        elif isinstance(found, IntDistribution):
            point[key] = trial.suggest_int(key, found.low, found.high, step=found.step, log=found.log)
        elif isinstance(found, FloatDistribution):
            point[key] = trial.suggest_float(key, found.low, found.high, step=found.step, log=found.log)
    return point


def points_of(space: Space, plan: SearchPlan, seed: int, start: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The points that are given out as they are: the whole grid in a shuffled order, or the start, or none.

    Args:
        space: What is searched.
        plan: Names the sampler.
        seed: Of the shuffle, so that a grid that is not ended has been tried fairly.
        start: The point of the configuration that the search starts from, or None.

    Raises:
        ConfigError: The space cannot be laid out as a grid.
    """
    first = [start] if plan.start and start is not None else []
    if plan.sampler != "grid":
        return first
    grid = space.grid()
    order = np.random.default_rng(derived_seed(seed, 2)).permutation(len(grid))
    return first + [grid[place] for place in order.tolist() if grid[place] not in first]


class Proposals(BaseSampler):
    """A sampler whose draw follows from (seed, trial), and not from how often the search was started.

    Optuna's own samplers begin their random numbers again at each start: a random search that is resumed would
    propose what it has proposed before. Here each trial has a sampler of its own, seeded by its place.

    Args:
        study: Whose trials they are.
        points: Given out first, as they are.
        space: What is searched.
        make: A sampler of a seed.
        seed: Of the search.
    """

    def __init__(
        self,
        study: Study,
        *,
        points: Sequence[dict[str, Any]],
        space: Space,
        make: Callable[[int], BaseSampler],
        seed: int,
    ) -> None:
        self._study, self._points, self._make, self._seed = study, points, make, seed
        self._distributions = {key: distribution(dimension) for key, dimension in space.dimensions.items()}
        self._inner: tuple[int, BaseSampler] | None = None

    @classmethod
    def of(cls, study: Study, plan: SearchPlan, space: Space, points: Sequence[dict[str, Any]], seed: int) -> Proposals:
        """The proposals that a plan asks for."""

        def make(own: int) -> BaseSampler:
            # Together and not key by key; and what others are trying is taken for bad meanwhile, so that
            # several machines do not try the same.
            return TPESampler(seed=own, multivariate=True, constant_liar=True)

        return cls(study, points=points, space=space, make=make if plan.sampler == "tpe" else _random, seed=seed)

    def _of(self, trial: FrozenTrial) -> tuple[int, BaseSampler]:
        index = index_of(self._study.get_trials(deepcopy=False), trial)
        if self._inner is None or self._inner[0] != trial.number:
            self._inner = (trial.number, self._make(derived_seed(self._seed, 3, index)))
        return index, self._inner[1]

    def reseed_rng(self) -> None:
        """Nothing to do: each trial has its own seed."""

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Pass it on."""
        self._of(trial)[1].before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space for a point that is given out as it is."""
        index, inner = self._of(trial)
        if index < len(self._points):
            return self._distributions
        return inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point, or what the trial's own sampler draws."""
        index, inner = self._of(trial)
        if index < len(self._points):
            return dict(self._points[index])
        return inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Pass it on."""
        return self._of(trial)[1].sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Pass it on."""
        self._of(trial)[1].after_trial(study, trial, state, values)


def _random(seed: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def pruner(plan: SearchPlan, epochs: int) -> BasePruner:
    """Who ends hopeless trials.

    Args:
        plan: Names it.
        epochs: Of a fold, at most; a trial has that many steps for each fold.
    """
    if plan.pruner == "median":
        # The first epochs tell little, and the first five trials have nobody to be compared with.
        return MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 4) + 1)
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=max(1, epochs // 4), max_resource=plan.folds * epochs, reduction_factor=3)
    return NopPruner()
