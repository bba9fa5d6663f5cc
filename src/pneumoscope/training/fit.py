"""Learning itself: from a network and its films to the weights of the chosen epoch. Safe against a kill."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from importlib.util import find_spec
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.storage import storing
from pneumoscope.training.callbacks import History, LiveProgress
from pneumoscope.training.data import EpochSampler, FilmBatches, class_weights, loader
from pneumoscope.training.module import Learner
from pneumoscope.training.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.networks import Network
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.guests import Guests

__all__ = ["Fitted", "Parts", "fit", "kept_network"]

_DIRECTION = {"loss": "min", "auc": "max", "recall": "max"}


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The films to learn from and to choose by.

    Attributes:
        images: uint8 [M, S, S] of the whole manifest, as they are learned from.
        labels: int64 [M].
        train: int64, rows to learn from.
        val: int64, rows to choose by.
        read: uint8 [M, S, S], as they are read, and so validated; None: as they are learned from.
        guests: Films without labels that sit in each batch, or None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    read: NDArray[np.uint8] | None = None
    guests: Guests | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What learning gave.

    Attributes:
        network: With the weights of the chosen epoch, in eval mode, on the CPU.
        epoch: Which one that was, from 0.
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
    parts: Parts,
    positive: tuple[bool, ...],
    config: TrainConfig,
    run: Path,
    *,
    watchers: Sequence[lightning.Callback] | None = None,
) -> Fitted:
    """Train, or go on where ``run/checkpoints/last.ckpt`` stopped.

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
    weights = class_weights(parts.labels[parts.train], len(positive))
    in_loss = torch.tensor(weights, dtype=torch.float32) if config.data.balance == "weights" else None
    outside = _outside(parts, config.augment.outside, progress=watchers is None)
    learner = Learner(network, config, positive, in_loss, outside=outside, guests=parts.guests)
    films = FilmBatches(parts.images, parts.labels)
    drawn = weights[parts.labels[parts.train]] if config.data.balance == "sampling" else None
    train = loader(films, EpochSampler(parts.train, optim.batch, seed=config.seed, weights=drawn))
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
    )
    last = run / "checkpoints" / "last.ckpt"
    try:
        with storing(last), torch.random.fork_rng():
            trainer.fit(learner, train, val, ckpt_path=last if last.exists() else None, weights_only=True)
    except SystemExit:  # Lightning's way to end after Ctrl-C
        raise KeyboardInterrupt from None
    except (RuntimeError, UnpicklingError) as error:
        if last.exists() and ("state_dict" in str(error) or isinstance(error, UnpicklingError)):
            raise TrainingError(
                "the checkpoint is damaged, or of another network",
                where=last,
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
    kept, epoch = _kept(learner, best)
    guests = parts.guests
    note = {} if guests is None else {"guests": {"films": len(guests.images), "sha256": guests.sha256}}
    return Fitted(network=kept, epoch=epoch, epochs=trainer.current_epoch, note=note)


def kept_network(network: Network, positive: tuple[bool, ...], config: TrainConfig, run: Path) -> Network:
    """The network of a finished run, with the weights of its chosen epoch, in eval mode.

    Args:
        network: Of the run's configuration, with any weights.
        positive: One bool a class.
        config: The run's.
        run: Its folder.

    Raises:
        TrainingError: The checkpoint is gone, or does not fit.
    """
    checkpoint = run / "checkpoints" / ("last.ckpt" if config.optim.monitor == "last" else "best.ckpt")
    try:
        return _kept(Learner(network, config, positive), checkpoint)[0]
    except (OSError, RuntimeError, KeyError, UnpicklingError) as error:
        raise TrainingError(
            "the checkpoint is gone, damaged, or of another network",
            where=checkpoint,
            remedy="Train the run again with --fresh",
        ) from error


def _outside(parts: Parts, share: float, *, progress: bool) -> Outside | None:
    """What swaps surroundings, those of guests among them; None where nothing is swapped."""
    if not share:
        return None
    images, rows = parts.images, parts.train
    if parts.guests is not None:
        strangers = parts.guests.images
        images = np.concatenate([images, strangers])
        rows = np.concatenate([rows, np.arange(len(images) - len(strangers), len(images))])
    return Outside(images, rows, share, progress=progress)


def _kept(learner: Learner, checkpoint: str | Path) -> tuple[Network, int]:
    """The network that a checkpoint keeps, and its epoch."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    learner.load_state_dict(state["state_dict"])
    kept = learner.kept.cpu().eval()
    kept.freeze(False)
    return kept, int(state["epoch"])


def _checkpoints(run: Path, config: TrainConfig) -> ModelCheckpoint:
    """The last epoch always, and the best by the validation figure that the configuration names."""
    monitor = config.optim.monitor
    return ModelCheckpoint(
        dirpath=run / "checkpoints",
        filename="best",
        monitor=None if monitor == "last" else f"val_{monitor}",
        mode=_DIRECTION.get(monitor, "min"),
        save_last=True,
        save_top_k=1,
        enable_version_counter=False,
    )


def _early(config: TrainConfig) -> list[lightning.Callback]:
    monitor = config.optim.monitor
    if not config.optim.patience or monitor == "last":
        return []
    return [EarlyStopping(f"val_{monitor}", mode=_DIRECTION[monitor], patience=config.optim.patience)]


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


def _quiet() -> None:
    """Lightning tells of devices and tips at every start; a run's own table says what matters."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
