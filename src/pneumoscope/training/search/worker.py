"""Running trials until there are enough, beside other processes of the same study."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import optuna
import torch
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.training.search.record import TrialRecord
from pneumoscope.training.search.space import Choices
from pneumoscope.training.search.study import (
    ENDED,
    FOLDER,
    FOLDS,
    SURPLUS,
    index_of,
    reclaim_stale_trials,
    suggest,
    trial_indices,
)
from pneumoscope.training.search.trial import FoldScore, remove_spent_checkpoints, run_trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.record import SearchProgress
    from pneumoscope.training.search.space import Space
    from pneumoscope.training.search.trial import TrialContext

__all__ = ["Worker", "best_trial_of"]

_WAIT = 5.0  # seconds between looks at what the others do
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


class _OneTooMany(Exception):
    """Another machine took the last place at the same moment."""


@dataclass(eq=False)
class Worker:
    """The trials of this process.

    Attributes:
        study: Shared with all who search.
        space: What is searched.
        base: What is not.
        trying: The films and the plan.
        goal: Trials that there shall be.
        epochs: Of a fold, at most.
        own: Name of this folder.
        grace: Seconds without a sign of life after which a trial counts as dead.
        screen: Where it is told.
    """

    study: optuna.Study
    space: Space
    base: TrainConfig
    trying: TrialContext
    goal: int
    epochs: int
    own: str
    grace: float
    screen: SearchProgress
    _last: int = field(default=-1, init=False)

    def run(self, *, stay: bool) -> None:
        """Try configurations until there are enough.

        Args:
            stay: Wait for the trials of others, and take up those that die.

        Raises:
            StorageError: The disk is full; the search can be gone on with.
        """
        self._count()
        while True:
            reclaim_stale_trials(self.study, self.own, self.grace)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                optuna.storages.fail_stale_trials(self.study)
            trials = self.study.get_trials(deepcopy=False)
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if waiting or len(trial_indices(trials)) < self.goal:
                self.study.optimize(self._try, n_trials=1, catch=(_OneTooMany,))
                self._tell_of_last()
                continue
            running = sum(trial.state == TrialState.RUNNING for trial in trials)
            if not running or not stay:
                return
            self.screen.doing(f"waiting for {running} trial{'s' if running > 1 else ''} of other machines")
            time.sleep(_WAIT)

    def records(self) -> list[TrialRecord]:
        """All trials, in their order."""
        found = trial_indices(self.study.get_trials(deepcopy=False))
        return [self._record(index, trial) for index, trial in found.items()]

    def point(self, trial: FrozenTrial) -> dict[str, Any]:
        """A trial's point, with the choices themselves in place of their labels."""
        return {
            key: dimension.value(trial.params[key]) if isinstance(dimension, Choices) else trial.params[key]
            for key, dimension in self.space.dimensions.items()
            if key in trial.params
        }

    def config(self, index: int) -> TrainConfig:
        """The configuration of a trial, with the search's own seed."""
        return self.space.config(self.base, trial_indices(self.study.get_trials(deepcopy=False))[index].params)

    def _try(self, trial: optuna.Trial) -> float:
        """Optuna's objective: one trial."""
        trials = self.study.get_trials(deepcopy=False)
        index = index_of(trials, trials[trial.number])
        if index >= self.goal:
            trial.set_user_attr(SURPLUS, value=True)
            raise _OneTooMany
        trial.set_user_attr(FOLDER, self.own)
        self._last = trial.number
        point = suggest(trial, self.space)
        self.screen.doing(f"trial {index + 1}: reading films")
        folder = self.trying.folder / f"{index:04d}"
        try:
            config = self.space.config(self.base, point)
            scores = run_trial(self.trying, index, config, self._teller(trial, index))
        except (ConfigError, TrainingError, torch.OutOfMemoryError) as error:
            reason = error.what if isinstance(error, ConfigError | TrainingError) else "the memory does not suffice"
            trial.set_user_attr(ENDED, " ".join(reason.split()))
            remove_spent_checkpoints(folder)
            raise optuna.TrialPruned from error
        except optuna.TrialPruned:
            remove_spent_checkpoints(folder)
            raise
        trial.set_user_attr(FOLDS, msgspec.to_builtins(scores))
        return float(np.mean([score.value for score in scores]))

    def _teller(self, trial: optuna.Trial, index: int) -> _Teller:
        return _Teller(trial, index, self.trying.plan.folds, self.epochs, self.screen)

    def _record(self, index: int, trial: FrozenTrial) -> TrialRecord:
        scores = msgspec.convert(trial.user_attrs.get(FOLDS, []), list[FoldScore])
        complete = trial.state == TrialState.COMPLETE
        values = [score.value for score in scores] if complete else []
        state: Any = "ended" if ENDED in trial.user_attrs else _STATES.get(trial.state, "unfinished")
        spent = sum(score.seconds for score in scores) if complete else 0.0
        if not complete and trial.duration is not None:
            spent = trial.duration.total_seconds()
        told = trial.intermediate_values
        reason = trial.user_attrs.get(ENDED, "")
        return TrialRecord(
            index=index,
            state=state,
            params=self.point(trial),
            value=trial.value if complete else None,
            error=float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None,
            folds=tuple(values),
            auc=told[max(told)] if told else None,
            epochs=len(told),
            minutes=round(spent / 60, 2),
            reason="killed too often" if state == "failed" else reason,
        )

    def _count(self) -> None:
        """Show what an earlier start has done."""
        records = self.records()
        done = [record for record in records if record.state not in {"unfinished", "failed"}]
        if done:
            best = best_trial_of(records)
            words = "" if best is None else f"; best {best.value:.4f} (trial {best.index + 1})"
            self.screen.say(f"the study has {len(done)} of {self.goal} trials{words}")
            self.screen.at(len(done), best)

    def _tell_of_last(self) -> None:
        records = self.records()
        found = trial_indices(self.study.get_trials(deepcopy=False))
        done = sum(record.state not in {"unfinished", "failed"} for record in records)
        for index, trial in found.items():
            if trial.number == self._last:
                self.screen.ended(self._record(index, trial), done, best_trial_of(records))
        self._last = -1


class _Teller:
    """Tells the pruner of each epoch, and ends the trial at its word.

    What it is told is the mean over the folds of the last validation AUC: less noisy than a recall at a fixed
    specificity, and known after each epoch.
    """

    def __init__(self, trial: optuna.Trial, index: int, folds: int, epochs: int, screen: SearchProgress) -> None:
        self.trial, self.index, self.folds, self.epochs, self.screen = trial, index, folds, epochs, screen
        self.seen: dict[int, float] = {}
        self.told: set[int] = set()

    def __call__(self, fold: int, epoch: int, auc: float, known: bool) -> None:
        """An epoch has ended.

        Args:
            fold: Of it.
            epoch: From 0.
            auc: Validation AUC.
            known: It ended in an earlier start of this trial, which went on.

        Raises:
            TrialPruned: The trial is hopeless.
        """
        self.screen.doing(f"trial {self.index + 1}: fold {fold + 1}/{self.folds}, epoch {epoch + 1}")
        self.seen[fold] = auc
        step = fold * self.epochs + epoch + 1
        if step not in self.told:
            self.trial.report(float(np.mean(list(self.seen.values()))), step)
            self.told.add(step)
        if not known and step < self.folds * self.epochs and self.trial.should_prune():
            raise optuna.TrialPruned


def best_trial_of(records: list[TrialRecord]) -> TrialRecord | None:
    """The complete trial with the highest objective, of equals the first."""
    complete = [record for record in records if record.value is not None]
    return max(complete, key=lambda record: (record.value or 0.0, -record.index), default=None)
