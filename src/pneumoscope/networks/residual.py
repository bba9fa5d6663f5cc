"""The house network: a slim residual network on gray films, with a global-average head."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from pneumoscope.networks.base import GlobalAverageHead, Network, options_to_dict

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Residual", "ResidualOptions"]

_STYLED = 2  # stages after which styles are mixed: later features are of the disease rather than of the scanner
_BETA = 0.1  # as in the paper: mostly one film or the other
_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class ResidualOptions:
    """The free numbers of ``residual``.

    Attributes:
        width: Channels of the first stage; each stage after it doubles them. Multiples of 16 are fast.
        blocks: Residual blocks of each stage.
        strides: Of each stage's first block. Times the stem's stride they give the output stride.
        stem: "conv" is 3 x 3 with stride 2; "wide" is 7 x 7 with stride 4; "patch" is 4 x 4 with stride 4,
            without overlap. With the last two, strides of 1, 2, 2, 1 keep the output stride at 16.
        dilation: Of the 3 x 3 convolutions of stages after the first that keep the size (stride 1).
        dropout: Before the last linear layer, 0 to below 1.
        squeeze: Squeeze and excitation in each block.
        blur: Low-pass filter before each stride of a stage.
        instance: In how many stages, from the first, half of the channels of each block's first norm are brought to
            the film's own mean and variance in place of the batch's: contrast and sharpness of a film then matter less.
        style: Probability that a training batch mixes the styles (mean and variance of each channel) of its films
            after each of the first two stages.
    """

    width: int = 32
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    strides: tuple[int, ...] = (2, 2, 2, 1)
    stem: Literal["conv", "wide", "patch"] = "conv"
    dilation: int = 1
    dropout: float = 0.2
    squeeze: bool = False
    blur: bool = False
    instance: int = 0
    style: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what could not be built."""
        if self.width < 1 or self.dilation < 1:
            raise ValueError("width and dilation must be 1 or more")
        if not self.blocks or len(self.blocks) != len(self.strides):
            raise ValueError("blocks and strides need one number a stage")
        if min(self.blocks) < 1 or not set(self.strides) <= {1, 2}:
            raise ValueError("blocks must be 1 or more, and strides 1 or 2")
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be 0 to below 1")
        if not 0 <= self.style <= 1 or not 0 <= self.instance <= len(self.blocks):
            raise ValueError("style must be 0 to 1, and instance at most the number of stages")


class Residual(Network):
    """He et al., CVPR 2016, with what was learned since.

    The stride sits on the 3 x 3 convolution (as in "ResNet v1.5"), and the last batch norm of each block
    starts at zero, so that a fresh network is shallow (Goyal et al. 2017, section 5.1). Shortcuts average
    before they convolve, so that a stride drops no pixel (He et al., "Bag of tricks for image
    classification", CVPR 2019, section 4.2, ResNet-D). Squeeze and excitation: Hu et al., CVPR 2018.
    Blurred strides: Zhang, "Making convolutional networks shift-invariant again", ICML 2019. Instance norm: Pan et al.,
    "Two at once: enhancing learning and generalization capacities via IBN-Net", ECCV 2018. Mixed styles: Zhou et al.,
    "Domain generalization with MixStyle", ICLR 2021.

    The output stride is 16 rather than 32, because a consolidation of a child's lung is small and the
    evidence is read by place.
    """

    def __init__(self, *, classes: int, size: int, options: ResidualOptions, name: str = "residual") -> None:
        super().__init__(name=name, classes=classes, size=size, options=options_to_dict(options))
        widths = [options.width * 2**stage for stage in range(len(options.blocks))]
        kernel, stride, padding = {"conv": (3, 2, 1), "wide": (7, 4, 3), "patch": (4, 4, 0)}[options.stem]
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], kernel, stride=stride, padding=padding, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        for index, (before, width) in enumerate(pairwise([widths[0], *widths])):
            stride = options.strides[index]
            dilation = options.dilation if stride == 1 and index else 1
            stages += [
                Block(
                    width if position else before,
                    width,
                    stride=1 if position else stride,
                    dilation=dilation,
                    squeeze=options.squeeze,
                    blur=options.blur,
                    instance=index < options.instance,
                )
                for position in range(options.blocks[index])
            ]
            if options.style > 0 and index < _STYLED:
                stages.append(MixStyle(options.style))
        self.stages = nn.Sequential(*stages)
        self.head = GlobalAverageHead(widths[-1], classes, dropout=options.dropout)
        self.stages.apply(_initialise)
        self.stem.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """[N, 8 width, size / 16, size / 16] with the default options."""
        features: Tensor = self.stages(self.stem(x))
        return features


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: [N, inside, H, W] to [N, outside, H / stride, W / stride]."""

    def __init__(
        self,
        inside: int,
        outside: int,
        *,
        stride: int,
        dilation: int = 1,
        squeeze: bool = False,
        blur: bool = False,
        instance: bool = False,
    ) -> None:
        super().__init__()
        blurred = blur and stride > 1
        step = 1 if blurred else stride
        self.conv1 = nn.Conv2d(inside, outside, 3, stride=step, padding=dilation, dilation=dilation, bias=False)
        self.norm1: nn.Module = HalfInstanceNorm(outside) if instance else nn.BatchNorm2d(outside)
        self.blur1: nn.Module = Blur(stride) if blurred else nn.Identity()
        self.conv2 = nn.Conv2d(outside, outside, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.squeeze: nn.Module = Squeeze(outside) if squeeze else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inside != outside:
            shrink = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(
                Blur(stride) if blurred else shrink,
                nn.Conv2d(inside, outside, 1, bias=False),
                nn.BatchNorm2d(outside),
            )

    def forward(self, x: Tensor) -> Tensor:
        """The shortcut plus what the two convolutions add."""
        y = self.blur1(torch.relu(self.norm1(self.conv1(x))))
        y = self.squeeze(self.norm2(self.conv2(y)))
        return torch.relu(self.shortcut(x) + y)


class HalfInstanceNorm(nn.Module):
    """Instance norm on the first half of the channels, batch norm on the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.instance = nn.InstanceNorm2d(self.first, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        """[N, K, H, W] to the same."""
        return torch.cat([self.instance(x[:, : self.first]), self.batch(x[:, self.first :])], dim=1)


class MixStyle(nn.Module):
    """While learning, give films the style of a mixture of themselves and another film of the batch.

    The style is the mean and the standard deviation of each channel; the share of the film itself is drawn from
    Beta(0.1, 0.1). Chance comes from torch's global generator, which a training step seeds.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """[N, K, H, W] to the same."""
        if not self.training or torch.rand(()) >= self.probability:
            return x
        mean = x.mean(dim=(2, 3), keepdim=True)
        deviation = (x.var(dim=(2, 3), keepdim=True) + _TINY).sqrt()
        plain = (x - mean) / deviation
        mean, deviation = mean.detach(), deviation.detach()
        share = torch.distributions.Beta(_BETA, _BETA).sample((len(x), 1, 1, 1)).to(x.device, x.dtype)
        other = torch.randperm(len(x)).to(x.device)
        mixed = share * mean + (1 - share) * mean[other]
        spread = share * deviation + (1 - share) * deviation[other]
        return plain * spread + mixed


class Squeeze(nn.Module):
    """Weigh each channel by what all channels say on average; a quarter of them in between."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        between = max(8, channels // 4)
        self.down = nn.Conv2d(channels, between, 1)
        self.up = nn.Conv2d(between, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, K, H, W] to the same."""
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean(dim=(2, 3), keepdim=True)))))
        return x * gate


class Blur(nn.AvgPool2d):
    """Mean of 3 x 3 with a stride: the cheapest low-pass filter, and it has no weights.

    The border is averaged over the pixels that are there, so that it does not darken.
    """

    def __init__(self, stride: int) -> None:
        super().__init__(3, stride=stride, padding=1, count_include_pad=False)


def _initialise(module: nn.Module) -> None:
    """He et al., ICCV 2015, section 2.2, and a zero at the end of each block."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, Block):
        nn.init.zeros_(module.norm2.weight)
