"""Who proposes configurations, and who ends trials: Optuna's samplers and pruners, each draw with its own seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from pneumoscope.training.search.dimensions import Choices
from pneumoscope.training.search.ledger import index_of
from pneumoscope.training.search.trial import derived_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial, TrialState

    from pneumoscope.training.search.dimensions import Range
    from pneumoscope.training.search.plan import SearchPlan
    from pneumoscope.training.search.space import Space

__all__ = ["Proposals", "points_of", "pruner", "suggest"]


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
