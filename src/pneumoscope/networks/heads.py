"""From the last feature map to the logits, and the logits taken apart by place.

Both heads keep one law, which the tests hold them to:

    logits[n, c] = mean over h, w of evidence[n, c, h, w] + evidence_bias[c]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["FlattenHead", "GlobalAverageHead", "Head"]


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
