"""Several networks as one: the mean of their logits, and so of their evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import Head, Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["Ensemble", "MeanHead"]


class Ensemble(Network):
    """The mean of trained networks.

    Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles", NeurIPS 2017;
    here the mean is of the logits, so that the evidence still sums to them.

    Args:
        members: Trained networks of one input, one set of classes, and feature maps of one height and width.

    Raises:
        ConfigError: They do not fit together.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        first = members[0]
        same = {(member.classes, member.size, member.mean, member.std) for member in members}
        if len(same) > 1:
            raise ConfigError(
                "the networks of an ensemble must have one input and one set of classes",
                where="ensemble",
                remedy="Join runs of the same data.size, labels and kind of network",
            )
        super().__init__(
            name="ensemble",
            classes=first.classes,
            size=first.size,
            options={"members": [{"network": member.name, **member.options} for member in members]},
            mean=first.mean,
            std=first.std,
        )
        self.members = nn.ModuleList(members)
        self.head = MeanHead([member.head for member in members], _channels(members))

    def features(self, x: Tensor) -> Tensor:
        """The members' feature maps, one after the other: [N, K of all, h, w]."""
        return torch.cat([member.features(x) for member in self.members], dim=1)  # type: ignore[operator]  # ModuleList forgets the kind


class MeanHead(Head):
    """Each head reads its own member's channels; the mean keeps the law of evidence, being linear."""

    def __init__(self, heads: Sequence[Head], channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.channels = list(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C]."""
        parts = torch.split(features, self.channels, dim=1)
        return torch.stack([head(part) for head, part in zip(self.heads, parts, strict=True)]).mean(dim=0)

    def explain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, C] and evidence [N, C, h, w]."""
        parts = torch.split(features, self.channels, dim=1)
        pairs = [head.explain(part) for head, part in zip(self.heads, parts, strict=True)]  # type: ignore[operator]
        logits, evidence = (torch.stack(column).mean(dim=0) for column in zip(*pairs, strict=True))
        return logits, evidence

    def evidence_bias(self) -> list[float]:
        """The mean of the members' constants."""
        biases = [head.evidence_bias() for head in self.heads]  # type: ignore[operator]
        return torch.tensor(biases, dtype=torch.float64).mean(dim=0).tolist()


def _channels(members: Sequence[Network]) -> list[int]:
    """Channels of each member's feature map.

    Raises:
        ConfigError: The maps differ in height or width.
    """
    with torch.inference_mode():
        size = members[0].size
        shapes = [tuple(member.eval().features(torch.zeros(1, 1, size, size)).shape) for member in members]
    if len({shape[2:] for shape in shapes}) > 1:
        raise ConfigError(
            "the feature maps of the networks of an ensemble must have one height and width",
            where="ensemble",
            remedy="Join networks with the same strides",
        )
    return [shape[1] for shape in shapes]
