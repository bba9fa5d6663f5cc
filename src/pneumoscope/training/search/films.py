"""Whose films choose, and whose films judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset import Cache, Manifest, Split, k_folds
from pneumoscope.errors import ConfigError, DatasetError
from pneumoscope.settings import Settings
from pneumoscope.training.plan import split_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.preprocess import PreprocessSpec
    from pneumoscope.training.config import TrainConfig

__all__ = ["SearchFilms", "hold_out"]


@dataclass(frozen=True, eq=False)
class SearchFilms:
    """The films of a search. A trial gets ``learning`` and nothing else, so that it cannot see who judges.

    Attributes:
        learning: A manifest of the films that choose: the train and val parts of ``outer``.
        folds: Of ``learning``, by patient.
        outer: The split of the whole manifest; its test part judges the winner.
        judges: Patients of that test part.
    """

    learning: Manifest
    folds: list[Split]
    outer: Split
    judges: int
    _images: dict[str, NDArray[np.uint8]] = field(default_factory=dict, repr=False)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Bool [N]: which of the learning films have the finding."""
        return np.array(self.learning.positive)[self.learning.targets]

    def images(self, spec: PreprocessSpec) -> NDArray[np.uint8]:
        """The learning films as a network sees them: uint8 [N, S, S], decoded once for each spec."""
        if spec.sha256 not in self._images:
            folder = Settings.from_environment().cache.expanduser()
            self._images[spec.sha256] = Cache.build(self.learning, spec, folder, progress=False).images
        return self._images[spec.sha256]


def hold_out(manifest: Manifest, config: TrainConfig, folds: int) -> SearchFilms:
    """Put the patients who judge aside, and deal the others out to folds.

    The patients who judge are the test part of ``pneumoscope train`` with the same configuration, so that the
    winner's run is judged on just these films.

    Args:
        manifest: All films.
        config: Its ``data`` says how the judges are chosen.
        folds: K.

    Raises:
        ConfigError: The configuration leaves no film to judge by.
        DatasetError: There are too few patients, or a part has films of one kind only.
    """
    if config.data.folds:
        raise ConfigError(
            "a search makes its own folds",
            where="data.folds",
            remedy="Leave data.folds at 0; give --folds for the search",
        )
    if not config.data.keep_official and config.data.fractions[2] <= 0:
        raise ConfigError(
            "no films are left to judge the winner by",
            where="data.fractions",
            remedy="Give the third part something, like data.fractions=[0.8,0.1,0.1]",
        )
    if not any(manifest.positive) or all(manifest.positive):
        raise DatasetError(
            f"of the classes {', '.join(manifest.classes)} none is named like a normal one",
            where=manifest.root,
            remedy="Name the class without the finding normal, negative, healthy or no finding",
        )
    outer = split_of(manifest, config)
    rows = np.sort(np.concatenate([outer.parts["train"], outer.parts["val"]]))
    learning = Manifest([manifest.films[row] for row in rows.tolist()], manifest.root)
    if learning.classes != manifest.classes:
        missing = ", ".join(sorted(set(manifest.classes) - set(learning.classes)))
        raise DatasetError(
            f"all films of {missing} are among those that judge",
            where=manifest.root,
            remedy="Give films of more patients, or another data.split_seed",
        )
    test = outer.parts["test"]
    films = SearchFilms(
        learning=learning,
        folds=k_folds(learning, folds, config.data.split_seed),
        outer=outer,
        judges=len({manifest.films[row].patient for row in test.tolist()}),
    )
    truth = np.array(manifest.positive)[manifest.targets]
    _both_kinds("the films that judge", truth[test], manifest)
    for number, fold in enumerate(films.folds, start=1):
        _both_kinds(f"fold {number} of {folds}", films.positive[fold.parts["val"]], manifest)
        _both_kinds(f"the films outside fold {number} of {folds}", films.positive[fold.parts["train"]], manifest)
    return films


def _both_kinds(whose: str, truth: NDArray[np.bool_], manifest: Manifest) -> None:
    if truth.all() or not truth.any():
        raise DatasetError(
            f"{whose}: {len(truth)} films, all of them {'with' if truth.any() else 'without'} the finding",
            where=manifest.root,
            remedy="Give films of more patients, or ask for fewer folds or a larger test part",
        )
