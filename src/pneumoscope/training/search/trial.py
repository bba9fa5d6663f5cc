"""One configuration, tried: a network for each fold, judged on the patients that it has not learned from."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning
import msgspec
import numpy as np
import torch

from pneumoscope.errors import TrainingError
from pneumoscope.statistics.discrimination import roc_auc
from pneumoscope.statistics.fixed import recall_at_specificity
from pneumoscope.storage import make_folder, write_atomically
from pneumoscope.training.callbacks import read_history
from pneumoscope.training.fit import Parts, fit
from pneumoscope.training.module import predict
from pneumoscope.training.objective import finding_logit
from pneumoscope.training.plan import network_of, spec_of
from pneumoscope.training.search.folder import TRIAL_FILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.search.films import SearchFilms
    from pneumoscope.training.search.plan import SearchPlan

__all__ = ["FoldScore", "Trying", "derived_seed", "run_trial", "tidy"]


class FoldScore(msgspec.Struct, frozen=True):
    """What a fold's network was worth on the fold's validation films.

    Attributes:
        value: The objective.
        auc: Of the network that was kept.
        recall: Likewise, at the plan's specificity.
        epoch: Which epoch's network that was, from 0.
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
class Trying:
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
    trying: Trying, index: int, config: TrainConfig, tell: Callable[[int, int, float, bool], None]
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
        tidy(folder)
        scores.append(score)
    return scores


def tidy(folder: Path) -> None:
    """Take away the checkpoints and logs of a trial's folds that are done with: a search would fill the disk."""
    for fold in folder.glob("fold-*/"):
        for spent in ("checkpoints", "tensorboard"):
            shutil.rmtree(fold / spent, ignore_errors=True)


def _run_fold(
    trying: Trying, fold: int, config: TrainConfig, place: Path, tell: Callable[[int, int, float, bool], None]
) -> FoldScore:
    manifest, split = trying.films.learning, trying.films.folds[fold]
    spec = spec_of(config)
    network = network_of(config, manifest, spec)
    images = trying.films.images(spec)
    val = split.parts["val"]
    parts = Parts(images, manifest.targets, split.parts["train"], val)
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
            if int(row["epoch"]) < trainer.current_epoch:
                self.tell(self.fold, int(row["epoch"]), float(row["val_auc"]), True)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Tell of this epoch, rounded as the history rounds: what was told before a kill is told just so again."""
        self.tell(self.fold, trainer.current_epoch, round(float(trainer.callback_metrics["val_auc"]), 6), False)
