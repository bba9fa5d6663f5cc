"""One step of learning, and one look at the validation films."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from pneumoscope.errors import TrainingError
from pneumoscope.statistics.discrimination import roc_auc
from pneumoscope.training.augment import apply, draw
from pneumoscope.training.objective import Objective, finding_logit
from pneumoscope.training.schedule import make_optimizer, make_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.networks import Network
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.guests import Guests
    from pneumoscope.training.outside import Outside

__all__ = ["Learner", "normalise"]


def normalise(films: Tensor, network: Network) -> Tensor:
    """uint8 or float [N, 1, S, S] in 0 to 255 -> float, as the network takes it."""
    return (films.float() / 255 - network.mean) / network.std


class Learner(lightning.LightningModule):
    """The network, its moving average, and how both learn.

    Args:
        network: What learns.
        config: The whole run's.
        positive: One bool a class.
        weights: Class weights for the loss, float [C], or None.
        outside: Swaps what surrounds the lungs, or None.
        guests: Films without labels that sit in each batch, or None.
    """

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        positive: Sequence[bool],
        weights: Tensor | None = None,
        *,
        outside: Outside | None = None,
        guests: Guests | None = None,
    ) -> None:
        super().__init__()
        self.outside = outside
        self.guests = guests
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.average = (
            AveragedModel(network, avg_fn=_ema(config.optim.ema), use_buffers=True) if config.optim.ema else None
        )
        self.config = config
        optim = config.optim
        self.objective = Objective(
            positive,
            weights=weights,
            label_smoothing=optim.label_smoothing,
            finding_weight=1.0 if optim.loss == "binary_cross_entropy" else optim.finding_weight,
        )
        self._train: list[tuple[Tensor, Tensor, int]] = []
        self._validation: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def kept(self) -> Network:
        """The network that is validated and exported: the average where there is one."""
        return self.network if self.average is None else cast("Network", self.average.module)

    def on_train_epoch_start(self) -> None:
        """Freeze or free a pre-trained body."""
        self.network.freeze(self.current_epoch < self.config.optim.frozen_epochs)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        """Augment, normalise, predict, and weigh the mistakes."""
        films, labels, rows = batch
        # The step's own seed: a run that was killed and resumed draws just what it would have drawn.
        seed = self.config.seed * 1_000_003 + self.global_step
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)  # dropout draws from the global generator; ``fit`` gives it back as it was
        if self.guests is not None:
            strangers, numbers = self.guests.drawn(len(films), generator)
            films, rows = torch.cat([films, strangers.to(films)]), torch.cat([rows, numbers.to(rows)])
        drawn = draw(self.config.augment, len(films), generator)
        plain = films.float() / 255
        if self.outside is not None:
            plain = self.outside.swap(plain, rows, generator)
        seen = apply(plain, drawn) * 255
        logits = self.network(normalise(seen, self.network).contiguous(memory_format=torch.channels_last)).float()
        logits = logits[: len(labels)]  # guests have no label
        loss = self.objective(logits, labels)
        if self.config.augment.mixup > 0:
            share = drawn.weight.to(loss.device)
            partner = drawn.partner.to(loss.device)
            loss = share * loss + (1 - share) * self.objective(logits, labels[partner])
        right = (logits.detach().argmax(1) == labels).sum()
        self._train.append((loss.detach().sum(), right, len(labels)))
        batch_loss: Tensor = loss.mean()
        return batch_loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Move the average."""
        if self.average is not None:
            self.average.update_parameters(self.network)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        """Predict plain films."""
        films, labels, _rows = batch
        network = self.kept.eval()
        logits = network(normalise(films, network).contiguous(memory_format=torch.channels_last)).float()
        self._validation.append((logits, labels, self.objective(logits, labels)))

    def on_validation_epoch_end(self) -> None:
        """Log loss, accuracy, recall (of the finding, at even odds) and AUC."""
        if not self._validation:
            return
        logits, labels, losses = (torch.cat(column).cpu() for column in zip(*self._validation, strict=True))
        self._validation.clear()
        if not torch.isfinite(logits).all():
            raise TrainingError(
                "the network's output is not a number any more",
                where=f"epoch {self.current_epoch + 1}",
                remedy="Lower optim.learning_rate, or set optim.clip and optim.precision=fp32",
            )
        positive = self.objective.positive.cpu()
        score = finding_logit(logits, positive).numpy()
        truth = positive[labels].numpy()
        figures = {
            "val_loss": float(losses.mean()),
            "val_accuracy": float((logits.argmax(1) == labels).float().mean()),
            "val_recall": float((score[truth] > 0).mean()) if truth.any() else float("nan"),
            "val_auc": roc_auc(truth, score) if 0 < truth.sum() < len(truth) else float("nan"),
        }
        if self._train:
            losses_, rights, counts = zip(*self._train, strict=True)
            films = sum(counts)
            figures["train_loss"] = float(torch.stack(losses_).sum()) / films
            figures["train_accuracy"] = float(torch.stack(rights).sum()) / films
            self._train.clear()
        self.log_dict(figures)

    def configure_optimizers(self) -> Any:
        """The configured optimiser and schedule."""
        optimizer = make_optimizer(self.network, self.config.optim)
        schedule = make_schedule(optimizer, self.config.optim, int(self.trainer.estimated_stepping_batches))
        return optimizer if schedule is None else {"optimizer": optimizer, "lr_scheduler": schedule}


def predict(network: Network, films: np.ndarray[Any, np.dtype[np.uint8]], batch: int = 64) -> np.ndarray[Any, Any]:
    """Logits of films in full precision: uint8 [N, S, S] -> float32 [N, C]."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(
                normalise(torch.from_numpy(np.ascontiguousarray(films[i : i + batch]))[:, None].to(device), network)
            )
            for i in range(0, len(films), batch)
        ]
    return torch.cat(parts).float().cpu().numpy()


class _ema:  # noqa: N801 - used as a function
    """Exponential average whose decay warms up, so that a short run is not held back by its first weights."""

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def __call__(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        decay = min(self.decay, (1 + float(count)) / (10 + float(count)))
        if not average.is_floating_point():
            return current
        return average.lerp(current, 1 - decay)
