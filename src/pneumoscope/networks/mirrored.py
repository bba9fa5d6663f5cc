"""A network that looks at each film and at its mirror image, and says the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import GlobalAverageHead, Network
from pneumoscope.networks.ensemble import MeanHead

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Mirrored"]


class Mirrored(Network):
    """The mean of a trained network's features of a film and, mirrored back, of its mirror image.

    The head is linear in the features, so that this is the mean of both logits, and of both maps of evidence.

    Args:
        network: Trained.

    Raises:
        ConfigError: Its head is not linear.
    """

    def __init__(self, network: Network) -> None:
        if not isinstance(network.head, GlobalAverageHead | MeanHead):
            raise ConfigError(
                "a network with hidden dense layers cannot take the mean of a film and its mirror image",
                where=f"network {network.name}",
                remedy="Set network.flip=false",
            )
        super().__init__(
            name=network.name,
            classes=network.classes,
            size=network.size,
            options={**network.options, "flip": True},
            mean=network.mean,
            std=network.std,
        )
        self.network = network
        self.head = network.head

    def features(self, x: Tensor) -> Tensor:
        """[N, K, h, w]."""
        # One after the other: a batch twice as large has no free size any more in the exported graph.
        return (self.network.features(x) + self.network.features(x.flip(3)).flip(3)) / 2
