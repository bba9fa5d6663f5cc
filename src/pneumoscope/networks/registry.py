"""All families of networks by name, and the one way to build a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import apply_options
from pneumoscope.networks.classic import BASELINE_SIZE, BASELINES, Plain
from pneumoscope.networks.efficientnet import EFFICIENTNETS, EfficientNetLite, EfficientNetLiteOptions
from pneumoscope.networks.residual import Residual, ResidualOptions
from pneumoscope.networks.transfer import Transfer, TransferOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pneumoscope.networks.base import Network

__all__ = ["build", "default_size", "families"]


@dataclass(frozen=True, slots=True)
class Family:
    """How to make a network of one name.

    Attributes:
        make: Called with ``classes``, ``size``, ``options`` and ``name``.
        options: The defaults.
        size: The input's side, in pixels, that it is usually trained at.
    """

    make: Callable[..., Network]
    options: Any
    size: int


_FAMILIES = {
    "residual": Family(Residual, ResidualOptions(), 192),
    **{name: Family(Plain, options, BASELINE_SIZE) for name, options in BASELINES.items()},
    **{name: Family(EfficientNetLite, EfficientNetLiteOptions(), 160) for name in EFFICIENTNETS},
    "transfer": Family(Transfer, TransferOptions(), 224),
}


def families() -> tuple[str, ...]:
    """Names of all families, the house network first."""
    return tuple(_FAMILIES)


def default_size(name: str) -> int:
    """The input's side, in pixels, that a family is usually trained at.

    Raises:
        ConfigError: There is no such family.
    """
    return _family(name).size


def build(name: str, *, classes: int, size: int, options: Mapping[str, Any] | None = None, seed: int = 0) -> Network:
    """Make a network with fresh weights.

    Args:
        name: One of ``families()``.
        classes: Number of logits, 2 or more.
        size: Side of the input in pixels.
        options: What differs from the family's defaults.
        seed: Of the first weights: the same seed gives the same network. The caller's random numbers
            are left as they were.

    Raises:
        ConfigError: No such family or option, or a value that cannot be.
        MissingExtra: ``transfer`` without the transformers package, ``efficientnet-lite0`` to ``2`` without the one
            that holds their weights.
        TrainingError: ``transfer`` with a checkpoint that cannot be had.
    """
    family = _family(name)
    if classes < 2:
        raise ConfigError(f"a network needs 2 classes or more, not {classes}", where=f"network {name}")
    chosen = apply_options(family.options, options or {}, family=name)
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, where all weights are made
        return family.make(classes=classes, size=size, options=chosen, name=name)


def _family(name: str) -> Family:
    if name not in _FAMILIES:
        raise ConfigError(
            f"there is no network {name!r}", where="network", remedy=f"The networks are: {', '.join(families())}"
        )
    return _FAMILIES[name]
