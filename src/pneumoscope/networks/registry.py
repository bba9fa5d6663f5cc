"""All families of networks by name, and the one way to build a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import apply_options
from pneumoscope.networks.classic import BASELINE_SIZE, BASELINES, Plain
from pneumoscope.networks.efficientnet import EFFICIENTNETS, EfficientNetLite, EfficientNetLiteOptions
from pneumoscope.networks.extensions import Extensions
from pneumoscope.networks.residual import Residual, ResidualOptions
from pneumoscope.networks.transfer import Transfer, TransferOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pneumoscope.networks.base import Network

__all__ = ["Family", "build", "default_size", "families", "register_network"]


@dataclass(frozen=True, slots=True)
class Family:
    """How to make a network of one name; what an entry point of the group "pneumoscope.networks" names.

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


_OTHERS: Extensions[Family] = Extensions("network", "pneumoscope.networks", tuple(_FAMILIES))


def register_network(name: str, family: Family) -> None:
    """Make a family of networks known by a name, to Python and in this process to every verb.

    Args:
        name: For ``network.name``.
        family: Its ``make`` gives a ``Network``: a body and a head whose evidence sums to the logits.

    Raises:
        ConfigError: The name is one of ours.
    """
    _OTHERS.register(name, family)


def families() -> tuple[str, ...]:
    """Names of all families, the house network first, those of other packages last."""
    return (*_FAMILIES, *_OTHERS.names())


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
    return _FAMILIES[name] if name in _FAMILIES else _OTHERS.find(name)
