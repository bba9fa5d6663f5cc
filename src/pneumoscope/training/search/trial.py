"""One trial: a configuration, with a network for each fold, evaluated on the patients held out."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import lightning
import msgspec
import numpy as np
import torch

from pneumoscope.data.cache import Cache
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.split import Split, k_folds
from pneumoscope.errors import ConfigError, DatasetError, TrainingError
from pneumoscope.settings import Settings
from pneumoscope.stats.roc import recall_at_specificity, roc_auc
from pneumoscope.storage import make_folder, write_atomically
from pneumoscope.training.fit import TrainingData, fit, read_history
from pneumoscope.training.learner import finding_logit, predict
from pneumoscope.training.search.folder import TRIAL_FILES
from pneumoscope.training.setup import manifest_for, network_for, preprocess_spec_for, split_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.model.preprocess import PreprocessSpec
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.space import SearchPlan

__all__ = [
    "FoldScore",
    "SearchFilms",
    "TrialContext",
    "derived_seed",
    "hold_out",
    "remove_spent_checkpoints",
    "run_trial",
]


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
    manifest = manifest_for(manifest, config)
    outer = split_for(manifest, config)
    rows = np.sort(np.concatenate([outer.parts["train"], outer.parts["val"]]))
    learning = Manifest([manifest.films[row] for row in rows.tolist()], manifest.root, negative=manifest.negative)
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


class FoldScore(msgspec.Struct, frozen=True):
    """What a fold's network was worth on the fold's validation films.

    Attributes:
        value: The objective.
        auc: Of the network that was kept.
        recall: Likewise, at the plan's specificity.
        epoch: Which epoch's network that was, from 1.
        aucs: Validation AUC after each epoch.
        films: Validation films.
        seconds: Of learning, over all starts.
    """

    value: float
    auc: float
    recall: float
    epoch: int
    aucs: tuple[float, ...]
    films: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class TrialContext:
    """What is the same for all trials of a search.

    Attributes:
        films: To learn from and to choose by.
        plan: Names the objective.
        seed: Of the search.
        folder: Has one folder a trial.
    """

    films: SearchFilms
    plan: SearchPlan
    seed: int
    folder: Path


def derived_seed(seed: int, *place: int) -> int:
    """A seed of its own for each place in a search: 0 to 2^31 - 1.

    Args:
        seed: Of the search.
        place: What it is for; other places give seeds that have nothing to do with this one (numpy's SeedSequence).
    """
    return int(np.random.SeedSequence(seed, spawn_key=place).generate_state(1)[0] >> 1)


def run_trial(
    trying: TrialContext, index: int, config: TrainConfig, tell: Callable[[int, int, float, bool], None]
) -> list[FoldScore]:
    """Learn and judge one network a fold; go on where an earlier start of the same trial was killed.

    Finished folds are kept as ``fold-K.json``, the fold that is being learned as checkpoints: a kill costs at most
    an epoch. Seeds follow from (search, trial, fold), so that a trial that was killed ends as it would have ended.

    Args:
        trying: What all trials share.
        index: The trial's place in the search, from 0.
        config: The trial's.
        tell: Called after each epoch with fold, epoch, the validation AUC, and whether this was known from an earlier
            start; it may end the trial by raising.

    Raises:
        ConfigError: The configuration cannot be.
        TrainingError: Learning failed.
        StorageError: The disk is full; the trial can be gone on with.
    """
    folder = trying.folder / f"{index:04d}"
    text, about = config.to_toml(), folder / "config.toml"
    if about.exists() and about.read_text() != text:
        TRIAL_FILES.remove(folder)  # of a study that is no more
    make_folder(folder)
    write_atomically(about, text)
    scores = []
    for fold in range(len(trying.films.folds)):
        done = folder / f"fold-{fold}.json"
        if done.exists():
            score = msgspec.json.decode(done.read_bytes(), type=FoldScore)
            for epoch, auc in enumerate(score.aucs):
                tell(fold, epoch, auc, True)
        else:
            seeded = msgspec.structs.replace(config, seed=derived_seed(trying.seed, 1, index, fold))
            place = folder / f"fold-{fold}"
            resumed = (place / "checkpoints" / "last.ckpt").exists()
            try:
                score = _run_fold(trying, fold, seeded, place, tell)
            except TrainingError:
                if not resumed:
                    raise
                shutil.rmtree(place / "checkpoints", ignore_errors=True)  # one may be what is wrong
                (place / "history.csv").unlink(missing_ok=True)
                score = _run_fold(trying, fold, seeded, place, tell)
            write_atomically(done, msgspec.json.encode(score))
        remove_spent_checkpoints(folder)
        scores.append(score)
    return scores


def remove_spent_checkpoints(folder: Path) -> None:
    """Take away the checkpoints and logs of a trial's folds that are done with: a search would fill the disk."""
    for fold in folder.glob("fold-*/"):
        for spent in ("checkpoints", "tensorboard"):
            shutil.rmtree(fold / spent, ignore_errors=True)


def _run_fold(
    trying: TrialContext, fold: int, config: TrainConfig, place: Path, tell: Callable[[int, int, float, bool], None]
) -> FoldScore:
    manifest, split = trying.films.learning, trying.films.folds[fold]
    spec = preprocess_spec_for(config)
    network = network_for(config, manifest, spec)
    images = trying.films.images(spec)
    val = split.parts["val"]
    parts = TrainingData(images, manifest.labels, split.parts["train"], val)
    started = time.monotonic()
    fitted = fit(
        network, parts, manifest.positive, config, place, watchers=[_Epochs(place / "history.csv", fold, tell)]
    )
    logits = torch.from_numpy(predict(fitted.network, images[val])).double()
    score = finding_logit(logits, torch.tensor(manifest.positive)).numpy()
    truth = trying.films.positive[val]
    auc = roc_auc(truth, score)
    recall = recall_at_specificity(truth, score, trying.plan.specificity)
    rows = read_history(place / "history.csv")
    known = sum(float(row["seconds"]) for row in rows)
    return FoldScore(
        value=auc if trying.plan.objective == "auc" else recall,
        auc=auc,
        recall=recall,
        epoch=fitted.epoch,
        aucs=tuple(float(row["val_auc"]) for row in rows),
        films=len(val),
        seconds=round(max(known, time.monotonic() - started), 2),
    )


class _Epochs(lightning.Callback):
    """Tells of each epoch's validation AUC; first of those that an earlier start has left."""

    def __init__(self, history: Path, fold: int, tell: Callable[[int, int, float, bool], None]) -> None:
        self.history, self.fold, self.tell = history, fold, tell

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Tell of the epochs that the checkpoint holds."""
        for row in read_history(self.history):
            if int(row["epoch"]) <= trainer.current_epoch:
                self.tell(self.fold, int(row["epoch"]) - 1, float(row["val_auc"]), True)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Tell of this epoch, rounded as the history rounds: what was told before a kill is told just so again."""
        self.tell(self.fold, trainer.current_epoch, round(float(trainer.callback_metrics["val_auc"]), 6), False)
