"""The loss, the optimizer and its schedule, and the Lightning module that learns by them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import lightning
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from pneumoscope.errors import TrainingError
from pneumoscope.networks.extensions import Extensions
from pneumoscope.stats.roc import recall_at_specificity, roc_auc
from pneumoscope.training.augment import apply_augmentation, draw_parameters, find_augmentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray
    from torch.nn import Parameter

    from pneumoscope.networks.base import Network
    from pneumoscope.training.background_swap import BackgroundSwap
    from pneumoscope.training.batches import UnlabelledFilms
    from pneumoscope.training.config import OptimConfig, TrainConfig

__all__ = [
    "Learner",
    "Objective",
    "allowed_mask",
    "find_loss",
    "finding_logit",
    "make_optimizer",
    "make_schedule",
    "normalize",
    "register_loss",
]


def finding_logit(logits: Tensor, positive: Tensor) -> Tensor:
    """Log-odds of the finding against its absence: [N, C] -> [N].

    The softmax probabilities of the positive classes summed, as log-odds.

    Args:
        logits: float [N, C].
        positive: bool [C].
    """
    return torch.logsumexp(logits[:, positive], dim=1) - torch.logsumexp(logits[:, ~positive], dim=1)


def allowed_mask(labels: Tensor, classes: int) -> Tensor:
    """The classes that each film may be of, bool [N, C], from these or from class numbers, int64 [N]."""
    return labels.bool() if labels.dim() == 2 else F.one_hot(labels, classes).bool()


_LOSSES: Extensions[Callable[[Tensor, Tensor], Tensor]] = Extensions(
    "loss", "pneumoscope.losses", ("cross_entropy", "binary_cross_entropy")
)
register_loss = _LOSSES.register
"""``register_loss(name, function)``: logits float [N, C] and labels, int64 [N] (or bool [N, C] of the classes that each
film may be of, where labels leave classes open) -> loss of each film, float [N]. For ``optim.loss``."""


def find_loss(name: str) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The own loss of that name; None for those that are built in.

    Raises:
        ConfigError: There is none.
    """
    return None if name in {"cross_entropy", "binary_cross_entropy"} else _LOSSES.find(name)


class Objective(torch.nn.Module):
    """The loss of a batch.

    Args:
        positive: One bool a class.
        weights: One weight a class, or None.
        label_smoothing: 0 to 1 (Szegedy et al., CVPR 2016, section 7).
        finding_weight: Share of the finding's binary cross-entropy; 1 leaves nothing else.
        own: Takes the place of all this: logits float [N, C] and labels -> loss of each film, float [N].
    """

    def __init__(
        self,
        positive: Sequence[bool],
        *,
        weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        finding_weight: float = 0.0,
        own: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.own = own
        self.positive: Tensor
        self.weights: Tensor | None
        self.register_buffer("positive", torch.tensor(list(positive)), persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.finding_weight = finding_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each film: float [N] (weighted by class, so that its mean is the batch's loss).

        A film that may be of several classes is asked for the sum of their probabilities, and weighs as their mean.

        Args:
            logits: float [N, C].
            labels: int64 [N], or bool [N, C] of the classes that each film may be of.
        """
        if self.own is not None:
            return self.own(logits, labels)
        allowed = allowed_mask(labels, logits.shape[1])
        share = self.finding_weight
        loss = logits.new_zeros(len(logits))
        if share < 1:
            loss = loss + (1 - share) * self._categorical(logits, allowed)
        if share > 0:
            target = (allowed & self.positive).any(dim=1).to(logits.dtype)
            smooth = target * (1 - self.label_smoothing) + self.label_smoothing / 2
            binary = F.binary_cross_entropy_with_logits(finding_logit(logits, self.positive), smooth, reduction="none")
            loss = loss + share * (binary if self.weights is None else binary * self._weight_of(allowed))
        return loss

    def _categorical(self, logits: Tensor, allowed: Tensor) -> Tensor:
        """-log of the allowed classes' probability, with a share of the mean over all classes: float [N]."""
        every = -F.log_softmax(logits, dim=1)
        own = -torch.logsumexp((-every).masked_fill(~allowed, -torch.inf), dim=1)
        if self.weights is not None:
            own, every = own * self._weight_of(allowed), every * self.weights
        return (1 - self.label_smoothing) * own + self.label_smoothing * every.mean(dim=1)

    def _weight_of(self, allowed: Tensor) -> Tensor:
        """Each film's weight: the mean of those of its classes, float [N]."""
        if self.weights is None:
            return allowed.new_ones(len(allowed), dtype=torch.float32)
        return (allowed * self.weights).sum(dim=1) / allowed.sum(dim=1)


def make_optimizer(network: Network, config: OptimConfig) -> torch.optim.Optimizer:
    """The optimiser, with weight decay on matrices and kernels only, and a slower body where it was pre-trained."""
    head = list(network.head_parameters())
    in_head = {id(p) for p in head}
    body = [p for p in network.parameters() if id(p) not in in_head]
    body_rate = config.learning_rate * (config.body_rate if network.pretrained else 1.0)
    groups = [*_groups(head, config.learning_rate, config), *_groups(body, body_rate, config)]
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups)
        case "adam":
            return torch.optim.Adam(groups)
        case "rmsprop":
            return torch.optim.RMSprop(groups)
        case "sgd":
            return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)


def _groups(parameters: Iterable[Parameter], rate: float, config: OptimConfig) -> list[dict[str, Any]]:
    parameters = list(parameters)
    decayed = [p for p in parameters if p.ndim > 1]
    free = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": decayed, "lr": rate, "weight_decay": config.weight_decay},
        {"params": free, "lr": rate, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def make_schedule(optimizer: torch.optim.Optimizer, config: OptimConfig, steps: int) -> dict[str, Any] | None:
    """Lightning's description of the schedule; None for a constant rate.

    Args:
        optimizer: Whose rates are scheduled.
        config: Names the schedule.
        steps: Of the whole run.
    """
    if config.schedule == "plateau":
        plateau = ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
        return {"scheduler": plateau, "monitor": "val_loss", "interval": "epoch"}
    if config.schedule == "constant":
        return None
    rising = max(1, round(config.warmup * steps))

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = min(1.0, (step - rising) / max(1, steps - rising))
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))  # Loshchilov and Hutter, ICLR 2017, equation 5

    return {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}


def normalize(films: Tensor, network: Network) -> Tensor:
    """uint8 or float [N, 1, S, S] in 0 to 255 -> float, as the network takes it."""
    return (films.float() / 255 - network.mean) / network.std


def _recall_at_90(truth: NDArray[np.bool_], score: NDArray[np.float32]) -> float:
    """Recall at a specificity of 90 %: an epoch that calls everything has none. NaN without films of both kinds."""
    return recall_at_specificity(truth, score, 0.9) if 0 < truth.sum() < len(truth) else float("nan")


class Learner(lightning.LightningModule):
    """The network, its moving average, and how both learn.

    Args:
        network: What learns.
        config: The whole run's.
        positive: One bool a class.
        weights: Class weights for the loss, float [C], or None.
        background_swap: Swaps what surrounds the lungs, or None.
        unlabelled: Films without labels that sit in each batch, or None.
    """

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        positive: Sequence[bool],
        weights: Tensor | None = None,
        *,
        background_swap: BackgroundSwap | None = None,
        unlabelled: UnlabelledFilms | None = None,
    ) -> None:
        super().__init__()
        self.background_swap = background_swap
        self.unlabelled = unlabelled
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.average = (
            AveragedModel(network, avg_fn=_ema(config.optim.ema), use_buffers=True) if config.optim.ema else None
        )
        self.config = config
        self.extra = [find_augmentation(name) for name in config.augment.extra]
        optim = config.optim
        self.objective = Objective(
            positive,
            weights=weights,
            label_smoothing=optim.label_smoothing,
            finding_weight=1.0 if optim.loss == "binary_cross_entropy" else optim.finding_weight,
            own=find_loss(optim.loss),
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
        if self.unlabelled is not None:
            strangers, numbers = self.unlabelled.drawn(len(films), generator)
            films, rows = torch.cat([films, strangers.to(films)]), torch.cat([rows, numbers.to(rows)])
        drawn = draw_parameters(self.config.augment, len(films), generator)
        plain = films.float() / 255
        if self.background_swap is not None:
            plain = self.background_swap.swap(plain, rows, generator)
        seen = apply_augmentation(plain, drawn)
        for own in self.extra:
            seen = own(seen, generator)
        seen = seen * 255
        logits = self.network(normalize(seen, self.network).contiguous(memory_format=torch.channels_last)).float()
        logits = logits[: len(labels)]  # the others have no label
        loss = self.objective(logits, labels)
        if self.config.augment.mixup > 0:
            share = drawn.weight.to(loss.device)
            partner = drawn.partner.to(loss.device)
            loss = share * loss + (1 - share) * self.objective(logits, labels[partner])
        right = _among(logits.detach(), allowed_mask(labels, logits.shape[1])).sum()
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
        logits = network(normalize(films, network).contiguous(memory_format=torch.channels_last)).float()
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
        allowed = allowed_mask(labels, logits.shape[1])
        truth = (allowed & positive).any(dim=1).numpy()
        figures = {
            "val_loss": float(losses.mean()),
            "val_accuracy": float(_among(logits, allowed).float().mean()),
            "val_recall": float((score[truth] > 0).mean()) if truth.any() else float("nan"),
            "val_recall_at_90": _recall_at_90(truth, score),
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


def _among(logits: Tensor, allowed: Tensor) -> Tensor:
    """Whether the likeliest class of each film is one that it may be of: bool [N]."""
    return allowed.gather(1, logits.argmax(dim=1, keepdim=True))[:, 0]


def predict(network: Network, films: np.ndarray[Any, np.dtype[np.uint8]], batch: int = 64) -> np.ndarray[Any, Any]:
    """Logits of films in full precision: uint8 [N, S, S] -> float32 [N, C]."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(
                normalize(torch.from_numpy(np.ascontiguousarray(films[i : i + batch]))[:, None].to(device), network)
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
