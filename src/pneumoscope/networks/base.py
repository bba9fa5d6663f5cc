"""What every network is to the rest of the house."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from pneumoscope.networks.heads import Head

__all__ = ["Network", "parameters_count"]


class Network(nn.Module, ABC):
    """A body that makes a feature map, and a head that reads logits and evidence off it.

    A subclass sets ``head`` in its constructor and gives ``features``.

    Attributes:
        name: Of the family.
        classes: C, number of logits.
        size: Side of the input in pixels.
        options: Every free number of the family, in values that JSON can hold.
        mean: The input is ``x = (gray / 255 - mean) / std``.
        std: Likewise.
        head: Reads the logits.
        pretrained: Whether the body brings weights from elsewhere, so that it should learn more slowly.
    """

    head: Head
    pretrained: bool = False

    def __init__(
        self,
        *,
        name: str,
        classes: int,
        size: int,
        options: Mapping[str, Any],
        mean: float = 0.5,
        std: float = 0.25,
    ) -> None:
        super().__init__()
        self.name = name
        self.classes = classes
        self.size = size
        self.options = dict(options)
        self.mean = mean
        self.std = std
        self._frozen = False

    @abstractmethod
    def features(self, x: Tensor) -> Tensor:
        """The last feature map, [N, K, h, w], of normalised films [N, 1, size, size]."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, C] of normalised films, float [N, 1, size, size]."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def explain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the evidence that they are made of; for eval mode and for export.

        Args:
            x: Normalised films, float [N, 1, size, size].

        Returns:
            Logits [N, C], and evidence [N, C, h, w] with
            ``logits[n, c] = evidence[n, c].mean() + evidence_bias()[c]``.
        """
        return self.head.explain(self.features(x))

    def evidence_bias(self) -> list[float]:
        """The constant part of each logit, one a class."""
        return self.head.evidence_bias()

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """What is learned even while the body is frozen."""
        return self.head.parameters()

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """All but the head."""
        head = {id(parameter) for parameter in self.head.parameters()}
        return (parameter for parameter in self.parameters() if id(parameter) not in head)

    def freeze(self, frozen: bool = True) -> None:
        """Hold the body still, batch statistics and dropout included, or let it learn again."""
        self._frozen = frozen
        for parameter in self.body_parameters():
            parameter.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Network:
        """Set the mode; a frozen body stays in eval mode."""
        super().train(mode)
        if self._frozen:
            for child in self.children():
                if child is not self.head:
                    child.eval()
        return self


def parameters_count(network: nn.Module) -> int:
    """Number of weights, frozen ones included."""
    return sum(parameter.numel() for parameter in network.parameters())
