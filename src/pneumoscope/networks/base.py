"""What every network is: options, a body, and a head whose evidence sums to the logits.

Both heads keep one law, which the tests hold them to:

    logits[n, c] = mean over h, w of evidence[n, c, h, w] + evidence_bias[c]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import torch
from torch import nn

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from _typeshed import DataclassInstance
    from torch import Tensor

__all__ = [
    "FlattenHead",
    "GlobalAverageHead",
    "Head",
    "Network",
    "apply_options",
    "options_to_dict",
    "parameters_count",
]

Options = TypeVar("Options", bound="DataclassInstance")


def apply_options(defaults: Options, given: Mapping[str, Any], *, family: str) -> Options:
    """The defaults with what a person gave on top.

    Args:
        defaults: A dataclass; its ``__post_init__`` raises ValueError for impossible values.
        given: By field name, as TOML or JSON would hold them (lists for tuples).
        family: Named in errors.

    Raises:
        ConfigError: A name that the family does not have, or a value that cannot be.
    """
    known = [field.name for field in fields(defaults)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(
            f"the network {family} has no option {', '.join(unknown)}",
            where=f"network {family}",
            remedy=f"Its options are: {', '.join(known) or '(none)'}",
        )
    try:
        return msgspec.convert({**options_to_dict(defaults), **given}, type(defaults))
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"an option cannot be used ({error})",
            where=f"network {family}",
            remedy=f"The defaults are: {options_to_dict(defaults)}",
        ) from error


def options_to_dict(options: DataclassInstance) -> dict[str, Any]:
    """All options by name, in values that JSON and TOML can hold."""
    mapping: dict[str, Any] = msgspec.to_builtins(options)
    return mapping


class Head(nn.Module, ABC):
    """Reads logits off a feature map."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] from features [N, K, h, w]; the way that is learned."""

    @abstractmethod
    def explain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, C] and evidence [N, C, h, w]; without dropout, whatever the mode."""

    @abstractmethod
    def evidence_bias(self) -> list[float]:
        """What the evidence's mean lacks to the logit, one a class."""


class GlobalAverageHead(Head):
    """Mean over the places, then one linear layer.

    Mean and linear layer may change places, and then the linear layer's output before the mean is a map
    that sums to the logit: class activation mapping (Zhou et al., CVPR 2016, section 2).

    Args:
        channels: K, of the feature map.
        classes: C.
        dropout: Of whole channels, before the linear layer.
        standardise: Bring each channel to mean 0 and variance 1 first, for features that were learned
            elsewhere and may have any scale (He et al., "Masked autoencoders", CVPR 2022, appendix A.1).
            In eval mode this is one more fixed affine step, so the evidence stays exact.
    """

    def __init__(self, channels: int, classes: int, *, dropout: float = 0.0, standardise: bool = False) -> None:
        super().__init__()
        self.norm: nn.Module = nn.BatchNorm2d(channels, affine=False) if standardise else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)
        nn.init.normal_(self.linear.weight, std=0.01)  # a fresh network says that it does not know
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C] in float32, under autocast too: the loss needs their last digits."""
        with torch.autocast(features.device.type, enabled=False):
            pooled = self.norm(features.to(self.linear.weight.dtype)).mean(dim=(2, 3))  # [N, K]
            logits: Tensor = self.linear(self.dropout(pooled))
        return logits

    def explain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, C] and evidence [N, C, h, w]."""
        evidence = torch.conv2d(self.norm(features), self.linear.weight[:, :, None, None])
        return evidence.mean(dim=(2, 3)) + self.linear.bias, evidence

    def evidence_bias(self) -> list[float]:
        """The linear layer's own bias."""
        bias: list[float] = self.linear.bias.detach().tolist()
        return bias


class FlattenHead(Head):
    """Flatten, dense layers with ReLU, logits: the head of the classic small networks.

    At a given film such a head is an affine function of the feature map f: every ReLU passes its unit or
    not, which leaves a product of matrices,

        W_eff = W_L D_(L-1) W_(L-1) ... D_1 W_1,    D_i = the 0/1 mask of the units that are on,

    and a constant b_eff. The evidence is h w (sum over k of W_eff f), place by place, with b_eff spread
    evenly, so that its mean is the logit, up to rounding. This is gradient times feature map at the last
    map; that a piecewise linear network is the sum of such terms is Srinivas and Fleuret, "Full-gradient
    representation for neural network visualization", NeurIPS 2019, section 3. It is worked out here with
    plain matrix products, not with autograd, so that ONNX can hold it.

    Args:
        channels: K, of the feature map.
        places: (h, w), of the feature map.
        dense: Units of each hidden layer.
        classes: C.
        dropout: After each hidden layer; one a layer.
    """

    def __init__(
        self, channels: int, places: tuple[int, int], dense: Sequence[int], classes: int, *, dropout: Sequence[float]
    ) -> None:
        super().__init__()
        widths = [channels * places[0] * places[1], *dense]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.dropouts = nn.ModuleList(nn.Dropout(rate) for _, rate in zip(dense, dropout, strict=True))
        self.linear = nn.Linear(widths[-1], classes)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [N, C]."""
        x = features.flatten(1)
        for layer, drop in zip(self.layers, self.dropouts, strict=True):
            x = drop(torch.relu(layer(x)))
        logits: Tensor = self.linear(x)
        return logits

    def explain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, C] and evidence [N, C, h, w]."""
        x = features.flatten(1)
        masks = []
        for layer in self.layers:
            x = layer(x)
            masks.append((x > 0).to(x.dtype))
            x = torch.relu(x)
        logits: Tensor = self.linear(x)

        weight = self.linear.weight[None]  # W_eff so far: [1, C, units], then [N, C, units below]
        constant = self.linear.bias[None]  # b_eff so far: [1, C], then [N, C]
        for layer, mask in zip(reversed(list(self.layers)), reversed(masks), strict=True):
            weight = weight * mask[:, None, :]
            constant = constant + weight @ layer.bias
            weight = weight @ layer.weight
        _, K, h, w = features.shape
        by_place = (weight.reshape(-1, weight.shape[1], K, h, w) * features[:, None]).sum(dim=2)  # [N, C, h, w]
        return logits, by_place * (h * w) + constant[:, :, None, None]

    def evidence_bias(self) -> list[float]:
        """Zero: the constant differs from film to film, so it is inside the evidence."""
        return [0.0] * self.linear.out_features


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
