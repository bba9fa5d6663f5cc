"""Keras as the engine of an ordinary run: same films, order, loss and optimizer."""

from __future__ import annotations

import json
import time
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.frameworks.export import network_to_onnx
from pneumoscope.frameworks.twin import installed_packages, load_keras, make_twin, quiet_keras
from pneumoscope.settings import Settings
from pneumoscope.stats.roc import recall_at_specificity, roc_auc
from pneumoscope.storage import csv_text, make_folder, open_atomically, write_atomically
from pneumoscope.training.batches import EpochSampler, class_weights
from pneumoscope.training.config import AugmentConfig
from pneumoscope.training.fit import HISTORY_COLUMNS, Engine, FitResult, read_history
from pneumoscope.training.learner import Objective, finding_logit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.frameworks.twin import Twin
    from pneumoscope.networks.base import Network
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.fit import TrainingData

__all__ = ["fit_in_keras", "keras_engine"]

_EPSILON = 1e-8  # of Adam: torch's default, where Keras has 1e-7


def fit_in_keras(
    network: Network, parts: TrainingData, positive: tuple[bool, ...], config: TrainConfig, run: Path
) -> FitResult:
    """Train the network's Keras twin, or go on where an earlier start stopped; the weights come back to the network.

    Args:
        network: Fresh; a classic one.
        parts: The films.
        positive: One bool a class.
        config: The run's; what has no like in both frameworks must be off.
        run: Folder for checkpoints and history.

    Raises:
        ConfigError: The configuration asks for what is not the same in both frameworks, or the network has no twin.
        MissingExtra: Keras is not installed.
        TrainingError: The output is not a number any more.
        StorageError: The disk is full.
    """
    _check_protocol(config)
    keras = load_keras(config.threads or Settings.from_environment().cpu_threads())
    twin = make_twin(network, seed=1000 * config.seed)
    weights = class_weights(parts.labels[parts.train], len(positive))
    with quiet_keras():
        twin.model.compile(
            optimizer=_optimizer(keras, config),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
        learning = _Learning(keras, twin, network, parts, positive, config, run, weights)
        return learning.run_epochs()


class _Learning:
    """The epochs of one run."""

    def __init__(  # noqa: PLR0917 - one caller, above
        self,
        keras: Any,
        twin: Twin,
        network: Network,
        parts: TrainingData,
        positive: tuple[bool, ...],
        config: TrainConfig,
        run: Path,
        weights: NDArray[np.float64],
    ) -> None:
        self.keras, self.twin, self.network, self.parts, self.config = keras, twin, network, parts, config
        self.in_loss = weights if config.data.balance == "weights" else np.ones(len(weights))
        in_loss = torch.tensor(self.in_loss, dtype=torch.float32)
        self.objective = Objective(positive, weights=in_loss)
        self.checkpoints = make_folder(run / "checkpoints")
        self.history = run / "history.csv"
        self.console = Console(stderr=True)

    def run_epochs(self) -> FitResult:
        epochs = self.config.optim.epochs
        state = self._resume()
        rows = [row for row in read_history(self.history) if int(row["epoch"]) <= state["epochs"]]
        for epoch in range(state["epochs"], epochs):
            started = time.monotonic()
            told = self.twin.model.fit(self._batches(epoch), epochs=1, shuffle=False, verbose=0).history
            figures = {"train_loss": told["loss"][0], "train_accuracy": told["accuracy"][0], **self._validate(epoch)}
            row = {name: f"{figures[name]:.6f}" for name in HISTORY_COLUMNS[1:-2]}
            row |= {"epoch": str(epoch + 1), "learning_rate": f"{self.config.optim.learning_rate:.3e}"}
            rows.append({**row, "seconds": f"{time.monotonic() - started:.2f}"})
            self._write_history(rows)
            state = self._keep(state, epoch, figures)
            self.console.print(
                f"epoch {epoch + 1:3d}/{epochs}  train loss {figures['train_loss']:.4f} "
                f"accuracy {figures['train_accuracy']:.4f}   validation AUC {figures['val_auc']:.4f} "
                f"loss {figures['val_loss']:.4f} accuracy {figures['val_accuracy']:.4f}   (Keras)",
                highlight=False,
                soft_wrap=True,
            )
        self._load(f"epoch-{state['best_epoch']}.npz")
        self.twin.give_back()
        return FitResult(network=self.network.eval(), epoch=state["best_epoch"] + 1, epochs=epochs)

    def _batches(self, epoch: int) -> Any:
        """The epoch's films, normalised, in the order in which torch sees them."""
        sampler = EpochSampler(self.parts.train, self.config.optim.batch, seed=self.config.seed)
        sampler.set_epoch(epoch)
        order = list(sampler)
        learning = self

        class Batches(learning.keras.utils.PyDataset):  # type: ignore[misc,name-defined]  # Keras has no types
            def __len__(self) -> int:
                return len(order)

            def __getitem__(self, number: int) -> tuple[Any, Any, Any]:
                rows = order[number]
                labels = learning.parts.labels[rows]
                weights = learning.in_loss[labels].astype(np.float32)
                return learning.films(learning.parts.images[rows]), labels, weights

        return Batches()

    def films(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalised films, float32 [N, S, S, 1]."""
        gray = np.ascontiguousarray(images).astype(np.float32)[..., None] / np.float32(255)
        normal: NDArray[np.float32] = (gray - np.float32(self.network.mean)) / np.float32(self.network.std)
        return normal

    def _validate(self, epoch: int) -> dict[str, float]:
        """The same figures of the same films as in torch."""
        batch, rows = 2 * self.config.optim.batch, self.parts.val
        read = self.parts.images if self.parts.read is None else self.parts.read  # as torch validates
        found = [
            self.twin.model.predict_on_batch(self.films(read[rows[i : i + batch]])) for i in range(0, len(rows), batch)
        ]
        logits = torch.from_numpy(np.concatenate(found).astype(np.float32))
        if not torch.isfinite(logits).all():
            raise TrainingError(
                "the network's output is not a number any more",
                where=f"epoch {epoch + 1}",
                remedy="Lower optim.learning_rate",
            )
        labels = torch.from_numpy(self.parts.labels[rows])
        score = finding_logit(logits, self.objective.positive).numpy()
        truth = self.objective.positive[labels].numpy()
        both = 0 < truth.sum() < len(truth)
        return {
            "val_loss": float(self.objective(logits, labels).mean()),
            "val_accuracy": float((logits.argmax(1) == labels).float().mean()),
            "val_recall": float((score[truth] > 0).mean()) if truth.any() else float("nan"),
            "val_recall_at_90": recall_at_specificity(truth, score, 0.9) if both else float("nan"),
            "val_auc": roc_auc(truth, score) if both else float("nan"),
        }

    def _keep(self, state: dict[str, Any], epoch: int, figures: dict[str, float]) -> dict[str, Any]:
        """Save the state; the file that says which saved one counts is written last."""
        monitor = self.config.optim.monitor
        watched = "val_recall_at_90" if monitor == "recall" else f"val_{monitor}"
        value = float(epoch) if monitor == "last" else figures[watched]
        better = -value if monitor == "loss" else value
        if state["best"] is None or better > state["best"]:
            state = {**state, "best": better, "best_epoch": epoch}
        state = {**state, "epochs": epoch + 1}
        with open_atomically(self.checkpoints / f"epoch-{epoch}.npz") as file:
            np.savez(file, *(np.asarray(variable) for variable in self._state()))
        write_atomically(self.checkpoints / "state.json", json.dumps(state))
        for old in self.checkpoints.glob("epoch-*.npz"):
            if old.name not in {f"epoch-{epoch}.npz", f"epoch-{state['best_epoch']}.npz"}:
                old.unlink()
        return state

    def _resume(self) -> dict[str, Any]:
        path = self.checkpoints / "state.json"
        if not path.exists():
            return {"epochs": 0, "best": None, "best_epoch": 0}
        state: dict[str, Any] = json.loads(path.read_text())
        self._load(f"epoch-{state['epochs'] - 1}.npz")
        return state

    def _state(self) -> list[Any]:
        """All that learning goes on from: weights, the state of dropout, and the optimizer's."""
        model = self.twin.model
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        return [*model.variables, *model.optimizer.variables]

    def _load(self, name: str) -> None:
        """Put a saved state back; ``load_weights`` of Keras would leave the optimizer as it is."""
        path = self.checkpoints / name
        variables = self._state()
        try:
            with np.load(path, allow_pickle=False) as file:
                saved = [file[f"arr_{place}"] for place in range(len(variables))]
            for variable, value in zip(variables, saved, strict=True):
                variable.assign(value)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise TrainingError(
                "the checkpoint is damaged, or of another network",
                where=path,
                remedy="Remove the run's folder to begin again",
            ) from error

    def _write_history(self, rows: list[dict[str, str]]) -> None:
        table = csv_text([HISTORY_COLUMNS, *([row[name] for name in HISTORY_COLUMNS] for row in rows)])
        write_atomically(self.history, table)


def _optimizer(keras: Any, config: TrainConfig) -> Any:
    optim = config.optim
    match optim.optimizer:
        case "adam":
            return keras.optimizers.Adam(optim.learning_rate, epsilon=_EPSILON)
        case "sgd":
            return keras.optimizers.SGD(optim.learning_rate, momentum=0.9, nesterov=True)
        case _:
            raise ConfigError(
                f"{optim.optimizer} is not the same in both frameworks",
                where="optim.optimizer",
                remedy="Take adam or sgd",
            )


def _check_protocol(config: TrainConfig) -> None:
    """Refuse what the two frameworks would do differently.

    Raises:
        ConfigError: Names the first key.
    """
    optim = config.optim
    wanted: list[tuple[str, object, object]] = [
        ("optim.schedule", optim.schedule, "constant"),
        ("optim.weight_decay", optim.weight_decay, 0.0),
        ("optim.ema", optim.ema, 0.0),
        ("optim.clip", optim.clip, 0.0),
        ("optim.label_smoothing", optim.label_smoothing, 0.0),
        ("optim.finding_weight", optim.finding_weight, 0.0),
        ("optim.loss", optim.loss, "cross_entropy"),
        ("optim.patience", optim.patience, 0),
        ("optim.precision", optim.precision, "fp32"),
        ("augment", config.augment == AugmentConfig.none(), True),
        ("data.balance", config.data.balance in {"none", "weights"}, True),
    ]
    for key, found, asked in wanted:
        if found != asked:
            told = "off" if key == "augment" else "none or weights" if key == "data.balance" else f"{asked}"
            raise ConfigError(
                "this is not the same in both frameworks", where=key, remedy=f"Set it to {told} to compare them"
            )


def keras_engine() -> Engine:
    """The engine.

    Raises:
        MissingExtra: Keras, TensorFlow or tf2onnx is not installed.
    """
    keras = load_keras()
    return Engine(f"Keras {keras.__version__}", fit_in_keras, network_to_onnx, installed_packages())
