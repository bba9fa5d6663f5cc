"""Learning itself: from a network and its films to the weights of the chosen epoch. Safe against a kill."""

from __future__ import annotations

import csv
import logging
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.networks.mirrored import Mirrored
from pneumoscope.storage import csv_text, storage_errors, write_atomically
from pneumoscope.training.background_swap import BackgroundSwap
from pneumoscope.training.batches import (
    EpochSampler,
    FilmBatches,
    allowed_classes,
    class_weights,
    loader,
    site_class_weights,
)
from pneumoscope.training.checkpoints import LAST, WholeCheckpoints, checkpoint_to_resume, read_checkpoint
from pneumoscope.training.export import to_onnx
from pneumoscope.training.learner import Learner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.networks.base import Network
    from pneumoscope.training.batches import UnlabelledFilms
    from pneumoscope.training.config import TrainConfig

__all__ = [
    "HISTORY_COLUMNS",
    "TORCH",
    "Engine",
    "FitResult",
    "History",
    "LiveProgress",
    "TrainingData",
    "fit",
    "load_chosen_network",
    "read_history",
]

HISTORY_COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "val_recall",
    "val_auc",
    "learning_rate",
    "seconds",
)


def read_history(path: Path) -> list[dict[str, str]]:
    """Rows of a history.csv, epochs from 1; none if there is no such file yet.

    Before 0.4.0 the file counted from 0; such a file is read as if it counted from 1.
    """
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and rows[0]["epoch"] == "0":
        rows = [{**row, "epoch": str(int(row["epoch"]) + 1)} for row in rows]
    return rows


class History(lightning.Callback):
    """Writes ``history.csv`` whole after each epoch; a resumed run goes on behind the epochs that count.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        self._start = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Keep the rows of the epochs that the checkpoint holds."""
        self.rows = [row for row in read_history(self.path) if int(row["epoch"]) <= trainer.current_epoch]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Add the epoch's row."""
        row = {name: f"{float(trainer.callback_metrics[name]):.6f}" for name in HISTORY_COLUMNS[1:-2]}
        row["learning_rate"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.3e}"
        row["seconds"] = f"{time.monotonic() - self._start:.2f}"
        self.rows.append({"epoch": str(trainer.current_epoch + 1), **row})
        write_atomically(
            self.path, csv_text([HISTORY_COLUMNS, *([row[name] for name in HISTORY_COLUMNS] for row in self.rows)])
        )


class LiveProgress(lightning.Callback):
    """A bar for the epoch's steps, and a line an epoch with validation recall, AUC and loss."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task: Any = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """A fresh bar."""
        self.bar.start()
        if self.task is not None:
            self.bar.remove_task(self.task)
        name = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.task = self.bar.add_task(name, total=int(trainer.num_training_batches), loss="-")

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
        outputs: Any,
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """One step on."""
        self.bar.update(self.task, advance=1, loss=f"{float(outputs['loss']):.3f}")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """The epoch's line."""
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.console.print(
            f"epoch {trainer.current_epoch + 1:3d}/{trainer.max_epochs}  "
            f"train loss {seen['train_loss']:.4f} accuracy {seen['train_accuracy']:.4f}   "
            f"validation recall {seen['val_recall']:.4f} AUC {seen['val_auc']:.4f} "
            f"loss {seen['val_loss']:.4f} accuracy {seen['val_accuracy']:.4f}",
            highlight=False,
            soft_wrap=True,
        )

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Take the bar away, and say so if learning ended before its last epoch."""
        self.bar.stop()
        early = trainer.early_stopping_callback
        if isinstance(early, EarlyStopping) and early.stopped_epoch:
            self.console.print(
                f"stopped early after epoch {early.stopped_epoch + 1} of {trainer.max_epochs}: "
                f"{early.monitor.removeprefix('val_').replace('_', ' ')} on the validation films has not improved for "
                f"{early.patience} epochs (optim.patience)",
                highlight=False,
                soft_wrap=True,
            )

    def on_exception(self, *_: Any) -> None:
        """Take the bar away, so that the error stands alone."""
        self.bar.stop()


_DIRECTION = {"loss": "min", "auc": "max", "recall": "max"}
_WATCHED = {"loss": "val_loss", "auc": "val_auc", "recall": "val_recall_at_90"}


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """The films to learn from and to choose by.

    Attributes:
        images: uint8 [M, S, S] of the whole manifest, as they are learned from.
        labels: int64 [M], or bool [M, C] of the classes that each film may be of.
        train: int64, rows to learn from.
        val: int64, rows to choose by.
        read: uint8 [M, S, S], as they are read, and so validated; None: as they are learned from.
        unlabelled: Films without labels that sit in each batch, or None.
        sites: int64 [M], the number of each film's site; None: all are of one.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | NDArray[np.bool_]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    read: NDArray[np.uint8] | None = None
    unlabelled: UnlabelledFilms | None = None
    sites: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """What learning gave.

    Attributes:
        network: With the weights of the chosen epoch, in eval mode, on the CPU.
        epoch: Which one that was, from 1.
        epochs: How many were run.
        minutes: Of learning, where the run's own history does not tell.
        note: What the provenance's configuration is to say besides the run's.
    """

    network: Network
    epoch: int
    epochs: int
    minutes: float | None = None
    note: dict[str, Any] = field(default_factory=dict)


def fit(
    network: Network,
    parts: TrainingData,
    positive: tuple[bool, ...],
    config: TrainConfig,
    run: Path,
    *,
    watchers: Sequence[lightning.Callback] | None = None,
) -> FitResult:
    """Train, or go on where ``run/checkpoints/last.ckpt`` stopped (or the one before, if that is damaged).

    Args:
        network: Fresh.
        parts: The films.
        positive: One bool a class.
        config: The run's.
        run: Folder for checkpoints, history and logs.
        watchers: What looks on after the history is written, and may end the run by raising; None shows the progress.

    Raises:
        TrainingError: The loss is not finite, or a checkpoint does not fit.
    """
    optim = config.optim
    allowed = allowed_classes(parts.labels[parts.train], len(positive))
    weights = class_weights(allowed, len(positive))
    in_loss = torch.tensor(weights, dtype=torch.float32) if config.data.balance == "weights" else None
    outside = _background_swap(parts, config.augment.background_swap, progress=watchers is None)
    learner = Learner(network, config, positive, in_loss, background_swap=outside, unlabelled=parts.unlabelled)
    films = FilmBatches(parts.images, parts.labels)
    drawn = None
    if config.data.balance == "sampling":
        drawn = (allowed * weights).sum(axis=1) / allowed.sum(axis=1)
    elif config.data.balance == "site-class":
        sites = np.zeros(len(parts.labels), dtype=np.int64) if parts.sites is None else parts.sites
        drawn = site_class_weights(sites[parts.train], allowed, positive)
    sampler = EpochSampler(parts.train, optim.batch, seed=config.seed, weights=drawn, count=optim.epoch_films)
    train = loader(films, sampler)
    shown = films if parts.read is None else FilmBatches(parts.read, parts.labels)
    val = loader(shown, EpochSampler(parts.val, 2 * optim.batch))
    keep = _checkpoints(run, config)
    seen_by = [LiveProgress()] if watchers is None else watchers
    _quiet()
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        precision=_precision(optim.precision),
        max_epochs=optim.epochs,
        gradient_clip_val=optim.clip or None,
        callbacks=[keep, *_early(config), History(run / "history.csv"), *seen_by],
        logger=_loggers(run),
        deterministic=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=max(1, min(10, len(train))),
        plugins=[WholeCheckpoints()],
    )
    last = run / "checkpoints" / LAST
    resumed = checkpoint_to_resume(last.parent)
    try:
        with storage_errors(last), torch.random.fork_rng(), _no_denormals():
            trainer.fit(learner, train, val, ckpt_path=resumed, weights_only=True)
    except SystemExit:  # Lightning's way to end after Ctrl-C
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        if resumed is not None and "state_dict" in str(error):
            raise TrainingError(
                "the checkpoint is of another network",
                where=resumed,
                remedy="Give another --out, or --fresh to begin again",
            ) from error
        raise
    best = keep.best_model_path if optim.monitor != "last" else str(last)
    if not best:
        raise TrainingError(
            f"no epoch has a validation {optim.monitor} (the loss is not a number?)",
            where=run,
            remedy="Lower optim.learning_rate, or check the films with `pneumoscope manifest`",
        )
    kept, epoch = _load_checkpoint(learner, best)
    unlabelled = parts.unlabelled
    note = {} if unlabelled is None else {"unlabelled": {"films": len(unlabelled.images), "sha256": unlabelled.sha256}}
    return FitResult(network=kept, epoch=epoch, epochs=trainer.current_epoch, note=note)


def load_chosen_network(network: Network, positive: tuple[bool, ...], config: TrainConfig, run: Path) -> Network:
    """The network of a finished run, with the weights of its chosen epoch, in eval mode.

    Args:
        network: Of the run's configuration, with any weights.
        positive: One bool a class.
        config: The run's.
        run: Its folder.

    Raises:
        TrainingError: The checkpoint is gone, or does not fit.
    """
    checkpoint = run / "checkpoints" / (LAST if config.optim.monitor == "last" else "best.ckpt")
    try:
        return _load_checkpoint(Learner(network, config, positive), checkpoint)[0]
    except RuntimeError as error:
        raise TrainingError(
            "the checkpoint is of another network", where=checkpoint, remedy="Train the run again with --fresh"
        ) from error


def _background_swap(parts: TrainingData, share: float, *, progress: bool) -> BackgroundSwap | None:
    """What swaps surroundings, those of films without labels among them; None where nothing is swapped."""
    if not share:
        return None
    images, rows = parts.images, parts.train
    if parts.unlabelled is not None:
        strangers = parts.unlabelled.images
        images = np.concatenate([images, strangers])
        rows = np.concatenate([rows, np.arange(len(images) - len(strangers), len(images))])
    return BackgroundSwap(images, rows, share, progress=progress)


def _load_checkpoint(learner: Learner, checkpoint: str | Path) -> tuple[Network, int]:
    """The network that a checkpoint keeps, and its epoch, from 1."""
    state = read_checkpoint(checkpoint)
    learner.load_state_dict(state["state_dict"])
    kept = learner.kept.cpu().eval()
    kept.freeze(False)
    return (Mirrored(kept).eval() if learner.config.network.flip else kept), int(state["epoch"]) + 1


def _checkpoints(run: Path, config: TrainConfig) -> ModelCheckpoint:
    """The last epoch always, and the best by the validation figure that the configuration names."""
    monitor = config.optim.monitor
    return ModelCheckpoint(
        dirpath=run / "checkpoints",
        filename="best",
        monitor=_WATCHED.get(monitor),
        mode=_DIRECTION.get(monitor, "min"),
        save_last=True,
        save_top_k=1,
        enable_version_counter=False,
    )


def _early(config: TrainConfig) -> list[lightning.Callback]:
    monitor = config.optim.monitor
    if not config.optim.patience or monitor == "last":
        return []
    return [EarlyStopping(_WATCHED[monitor], mode=_DIRECTION[monitor], patience=config.optim.patience)]


def _loggers(run: Path) -> list[Logger]:
    """TensorBoard always; MLflow where it is installed and told where to write."""
    loggers: list[Logger] = [TensorBoardLogger(run, name="tensorboard", version="")]
    if find_spec("mlflow"):
        loggers.append(MLFlowLogger(experiment_name="pneumoscope", run_name=run.name))
    return loggers


def _precision(asked: str) -> Any:
    """The precision that was asked, or the fastest that loses nothing here."""
    cuda = torch.cuda.is_available()
    if asked == "fp16" and not cuda:
        raise ConfigError("fp16 needs a GPU", where="optim.precision", remedy="Take bf16, fp32 or auto")
    if asked == "auto":
        fast = torch.cuda.is_bf16_supported() if cuda else _cpu_has_bf16()
        asked = "bf16" if fast else "fp32"
    return {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}[asked]


def _cpu_has_bf16() -> bool:
    """Whether bf16 products are instructions of this CPU (AVX-512 BF16 or AMX), and not emulated."""
    return any(
        bool(probe())
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if (probe := getattr(torch.cpu, name, None)) is not None
    )


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Numbers too small for full precision are 0 meanwhile: a CPU takes a hundred times as long over them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _quiet() -> None:
    """Lightning tells of devices and tips at every start; a run's own table says what matters."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")


@dataclass(frozen=True, slots=True)
class Engine:
    """The two steps of a run that belong to a framework; films, split, calibration and judgement belong to none.

    Attributes:
        name: For people: "PyTorch".
        fit: Learns from fresh weights, or goes on where an earlier start of the run stopped. It writes the run's
            history, and gives the network back with the weights of the chosen epoch.
        export: The network as an ONNX graph that keeps the bundle's contract; the run holds it to ``fit``'s network.
        packages: Whose versions stand in the provenance.
    """

    name: str
    fit: Callable[[Network, TrainingData, tuple[bool, ...], TrainConfig, Path], FitResult]
    export: Callable[[Network], bytes]
    packages: tuple[str, ...]


TORCH = Engine("PyTorch", fit, to_onnx, ("torch", "lightning"))
