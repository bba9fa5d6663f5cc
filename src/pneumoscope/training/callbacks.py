"""What watches a run: the history on disk, and the line on the screen."""

from __future__ import annotations

import csv
import time
from typing import TYPE_CHECKING, Any

import lightning
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pneumoscope.storage import csv_text, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HISTORY_COLUMNS", "History", "LiveProgress", "read_history"]

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
    """Rows of a history.csv; none if there is no such file yet."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


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
        self.rows = [row for row in read_history(self.path) if int(row["epoch"]) < trainer.current_epoch]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Start the epoch's clock."""
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Add the epoch's row."""
        row = {name: f"{float(trainer.callback_metrics[name]):.6f}" for name in HISTORY_COLUMNS[1:-2]}
        row["learning_rate"] = f"{trainer.optimizers[0].param_groups[0]['lr']:.3e}"
        row["seconds"] = f"{time.monotonic() - self._start:.2f}"
        self.rows.append({"epoch": str(trainer.current_epoch), **row})
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
        """Take the bar away."""
        self.bar.stop()

    def on_exception(self, *_: Any) -> None:
        """Take the bar away, so that the error stands alone."""
        self.bar.stop()
