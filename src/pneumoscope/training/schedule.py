"""Optimisers and learning-rate schedules, from the configuration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.nn import Parameter

    from pneumoscope.networks import Network
    from pneumoscope.training.config import OptimConfig

__all__ = ["make_optimizer", "make_schedule"]


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
