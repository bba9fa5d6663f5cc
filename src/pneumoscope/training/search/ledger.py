"""Which of a study's trials is which: a trial that was killed and tried again keeps its place in the search."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["ENDED", "FOLDER", "FOLDS", "SURPLUS", "index_of", "places", "retry", "tend"]

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


def places(trials: Sequence[FrozenTrial]) -> dict[int, FrozenTrial]:
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


def tend(study: Study, own: str, grace: float) -> int:
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
