"""Who proposes what, whatever was killed in between: with trials that are made up and take no time."""

from __future__ import annotations

import math
import threading
import tomllib
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import optuna
import pytest

from pneumoscope.errors import TrainingError
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.search import worker as module
from pneumoscope.training.search.record import SearchProgress
from pneumoscope.training.search.space import SearchPlan, Space
from pneumoscope.training.search.study import Proposals, open_study, points_of, pruner, suggest
from pneumoscope.training.search.trial import FoldScore, TrialContext, derived_seed
from pneumoscope.training.search.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pneumoscope.training.search.record import TrialRecord

pytestmark = pytest.mark.usefixtures("quiet")
EPOCHS = 3
SPACE = """
optim.learning_rate = { low = 1e-4, high = 1e-2, log = true }
optim.batch = { low = 8, high = 64, step = 8 }
optim.optimizer = ["adamw", "sgd", "rmsprop"]
"""
GRID = """
optim.batch = { low = 8, high = 32, step = 8 }
optim.optimizer = ["adamw", "sgd", "rmsprop"]
"""


@pytest.fixture
def quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What a test opens is closed at its end."""
    with ExitStack() as stack:
        yield stack


def made_up(config: TrainConfig) -> float:
    """Best at a learning rate of 1e-3 and a batch of 32."""
    return 0.95 - 0.05 * abs(math.log10(config.optim.learning_rate) + 3) - abs(config.optim.batch - 32) / 1000


def pretend(
    _: TrialContext, index: int, config: TrainConfig, tell: Callable[[int, int, float, bool], None]
) -> list[FoldScore]:
    """In place of learning."""
    scores = []
    for fold in range(2):
        value = made_up(config) + 0.001 * index / 100
        for epoch in range(EPOCHS):
            tell(fold, epoch, round(value * (epoch + 1) / EPOCHS, 6), False)
        scores.append(FoldScore(value=value, auc=value, recall=value, epoch=2, aucs=(value,), films=9, seconds=1.0))
    return scores


def worker(
    opened: ExitStack,
    database: str,
    folder: Path,
    plan: SearchPlan,
    text: str = SPACE,
    own: str = "here",
    *,
    heartbeat: int = 60,
) -> Worker:
    """A process's part of a study."""
    space, base = Space.parse(tomllib.loads(text), "space.toml"), TrainConfig()
    start = {"optim.learning_rate": 1e-3, "optim.batch": 32, "optim.optimizer": "adamw"}
    start = {key: value for key, value in start.items() if key in space.dimensions}
    points = points_of(space, plan, 5, start)
    identity = {"search": "made up"}
    study = opened.enter_context(open_study(database, "study", identity, pruner(plan, EPOCHS), heartbeat=heartbeat))
    study.sampler = Proposals.of(study, plan, space, points, 5)
    return Worker(
        study=study,
        space=space,
        base=base,
        trying=TrialContext(SimpleNamespace(), plan, 5, folder),  # type: ignore[arg-type]  # nothing is learned
        goal=min(plan.trials, len(points)) if plan.sampler == "grid" else plan.trials,
        epochs=EPOCHS,
        own=own,
        grace=3 * heartbeat,
        screen=SearchProgress(plan.trials, plan.sought, shown=False),
    )


def story(records: list[TrialRecord]) -> list[tuple[int, str, dict[str, Any], float | None]]:
    return [(record.index, record.state, record.params, record.value) for record in records]


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_interrupted_again_and_again_it_ends_the_same(
    sampler: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    plan, text = SearchPlan(sampler=sampler, trials=14, folds=2), GRID if sampler == "grid" else SPACE
    monkeypatch.setattr(module, "run_trial", pretend)
    whole = worker(opened, str(tmp_path / "whole.db"), tmp_path, plan, text)
    whole.run(stay=True)

    stumbled = set()

    def stumbling(trying: TrialContext, index: int, config: TrainConfig, tell: Any) -> list[FoldScore]:
        """Each third trial is interrupted once, after its first epoch."""

        def or_fall(fold: int, epoch: int, auc: float, known: bool) -> None:
            tell(fold, epoch, auc, known)
            if index % 3 == 2 and index not in stumbled:
                stumbled.add(index)
                raise KeyboardInterrupt

        return pretend(trying, index, config, or_fall)

    monkeypatch.setattr(module, "run_trial", stumbling)
    starts = 0
    while True:
        starts += 1
        again = worker(opened, str(tmp_path / "again.db"), tmp_path, plan, text)
        try:
            again.run(stay=True)
        except KeyboardInterrupt:
            continue
        break
    assert starts == len(stumbled) + 1 > 3
    assert story(again.records()) == story(whole.records())
    assert len(again.records()) == (12 if sampler == "grid" else 14)


def test_a_random_search_that_is_resumed_does_not_propose_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    """Optuna's own sampler would: each start begins its random numbers again."""
    monkeypatch.setattr(module, "run_trial", pretend)
    for trials in range(1, 7):
        work = worker(
            opened, str(tmp_path / "s.db"), tmp_path, SearchPlan(sampler="random", trials=trials, pruner="none")
        )
        work.run(stay=True)
    rates = [record.params["optim.learning_rate"] for record in work.records()]
    assert len(set(rates)) == 6


def test_the_first_trial_is_where_the_search_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    monkeypatch.setattr(module, "run_trial", pretend)
    work = worker(opened, str(tmp_path / "s.db"), tmp_path, SearchPlan(trials=1))
    work.run(stay=True)
    assert work.records()[0].params == {"optim.learning_rate": 1e-3, "optim.batch": 32, "optim.optimizer": "adamw"}


def test_a_grid_tries_every_point_once_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    monkeypatch.setattr(module, "run_trial", pretend)
    work = worker(opened, str(tmp_path / "s.db"), tmp_path, SearchPlan(sampler="grid", trials=99, pruner="none"), GRID)
    work.run(stay=True)
    tried = [tuple(record.params.values()) for record in work.records()]
    assert sorted(tried) == sorted((b, o) for b in (8, 16, 24, 32) for o in ("adamw", "sgd", "rmsprop"))


def test_hopeless_trials_end_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack) -> None:
    monkeypatch.setattr(module, "run_trial", pretend)
    for rule in ("median", "hyperband"):
        work = worker(
            opened, str(tmp_path / f"{rule}.db"), tmp_path, SearchPlan(sampler="random", trials=14, pruner=rule)
        )
        work.run(stay=True)
        records = work.records()
        ended = [record for record in records if record.state == "pruned"]
        assert ended
        assert all(record.epochs < 2 * EPOCHS and record.value is None for record in ended)
        # None of those that were ended would have been the best.
        best = max(record.value for record in records if record.value is not None)
        assert all(made_up(work.config(record.index)) < best for record in ended)


def test_what_does_not_learn_is_noted_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    def fails(trying: TrialContext, index: int, config: TrainConfig, tell: Any) -> list[FoldScore]:
        if index % 2:
            raise TrainingError("the network's output is not a number any more")
        return pretend(trying, index, config, tell)

    monkeypatch.setattr(module, "run_trial", fails)
    work = worker(opened, str(tmp_path / "s.db"), tmp_path, SearchPlan(trials=4, pruner="none"))
    work.run(stay=True)
    assert [record.state for record in work.records()] == ["complete", "ended", "complete", "ended"]
    assert "not a number" in work.records()[1].reason
    again = worker(opened, str(tmp_path / "s.db"), tmp_path, SearchPlan(trials=4, pruner="none"))
    again.run(stay=True)
    assert len(again.study.get_trials()) == 4  # nothing is tried again


def test_two_machines_share_one_study(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    monkeypatch.setattr(module, "run_trial", pretend)
    monkeypatch.setattr(module, "_WAIT", 0.05)
    plan = SearchPlan(sampler="random", trials=12, pruner="none")
    workers = [worker(opened, database, tmp_path / name, plan, own=name) for name in ("a", "b")]
    wrong: list[BaseException] = []

    def go(work: Worker, *, stay: bool) -> None:
        try:
            work.run(stay=stay)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells it
            wrong.append(error)

    threads = [threading.Thread(target=go, args=(work,), kwargs={"stay": i == 0}) for i, work in enumerate(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    first, second = (work.records() for work in workers)
    assert story(first) == story(second)
    assert [record.index for record in first] == list(range(12))
    assert len({record.params["optim.learning_rate"] for record in first}) == 12


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # asked for without running it, as if it had died
def test_a_trial_of_a_machine_that_died_is_taken_up_by_another(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: ExitStack
) -> None:
    monkeypatch.setattr(module, "run_trial", pretend)
    monkeypatch.setattr(module, "_WAIT", 0.2)
    plan = SearchPlan(sampler="random", trials=2, pruner="none")
    dead = worker(opened, database, tmp_path / "dead", plan, own="dead", heartbeat=1)
    trial = dead.study.ask()
    trial.set_user_attr("folder", "dead")
    point = suggest(trial, dead.space)
    dead.study._storage.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]  # its last sign of life
    alive = worker(opened, database, tmp_path / "alive", plan, own="alive", heartbeat=1)
    alive.run(stay=True)
    first = alive.records()[0]
    assert (first.index, first.state, first.params) == (0, "complete", point)
    assert len(alive.records()) == 2


def test_a_study_of_another_search_is_refused(database: str) -> None:
    nobody = optuna.pruners.NopPruner()
    with open_study(database, "mine", {"search": "one"}, nobody, heartbeat=60):
        pass
    with (
        pytest.raises(TrainingError, match="another search"),
        open_study(database, "mine", {"search": "two"}, nobody, heartbeat=60),
    ):
        pass


def test_seeds_of_places_differ_and_stay() -> None:
    seeds = [derived_seed(0, 1, trial, fold) for trial in range(50) for fold in range(5)]
    assert len(set(seeds)) == 250
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds == [derived_seed(0, 1, trial, fold) for trial in range(50) for fold in range(5)]
    assert derived_seed(1, 1, 0, 0) != derived_seed(0, 1, 0, 0)


def test_a_folds_score_survives_the_disk() -> None:
    score = FoldScore(value=0.1 + 0.2, auc=1 / 3, recall=0.5, epoch=1, aucs=(0.1, 1 / 7), films=3, seconds=0.5)
    assert msgspec.json.decode(msgspec.json.encode(score), type=FoldScore) == score
