"""Plain convolutional networks, and the classic small ones of this field's notebooks.

Each is a ``Plain`` network with its own numbers. Where notebooks differ among themselves, the numbers
here are the common ones, and all of them are options.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from torch import nn

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import FlattenHead, Network, options_to_dict

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BASELINES", "BASELINE_SIZE", "Plain", "PlainOptions"]


@dataclass(frozen=True, slots=True)
class PlainOptions:
    """The free numbers of a plain network.

    Attributes:
        blocks: Channels of each convolution, block by block; each block ends with a 2 x 2 max pooling.
        dilated: How many of the last blocks have their last convolution dilated by 2.
        separable: How many of the last blocks are made of depthwise separable convolutions.
        batch_norm: Before each block's pooling; of the separable blocks alone, where there are any.
        dropout: After each block's pooling; one for all, or one a block.
        dense: Units of the hidden dense layers.
        dense_dropout: After each hidden dense layer; one for all, or one a layer.
    """

    blocks: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]
    dilated: int = 0
    separable: int = 0
    batch_norm: bool = False
    dropout: float | tuple[float, ...] = 0.0
    dense_dropout: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        """Refuse what could not be built."""
        if not self.blocks or not all(self.blocks):
            raise ValueError("blocks need one convolution or more each")
        if min([*self.dense, *(width for block in self.blocks for width in block)]) < 1:
            raise ValueError("the widths in blocks and dense must be 1 or more")
        if not (0 <= self.dilated <= len(self.blocks) and 0 <= self.separable <= len(self.blocks)):
            raise ValueError(f"dilated and separable count blocks, so they are 0 to {len(self.blocks)}")
        for name, rates, count in (
            ("dropout", self.dropout, len(self.blocks)),
            ("dense_dropout", self.dense_dropout, len(self.dense)),
        ):
            each = _rate_per_layer(rates, count)
            if len(each) != count or not all(0 <= rate < 1 for rate in each):
                raise ValueError(f"{name} must be one rate of 0 to below 1, or {count} of them")


class Plain(Network):
    """The classic small network, from its options.

    Convolutions keep the size (zero padding), so that any input works whose side is at least 2 to the
    number of blocks. Weights start as Keras starts them (Glorot and Bengio, AISTATS 2010, section 4.2.1,
    biases at zero), since the notebooks that these networks come from are written in Keras.
    """

    def __init__(self, *, classes: int, size: int, options: PlainOptions, name: str) -> None:
        super().__init__(name=name, classes=classes, size=size, options=options_to_dict(options))
        count = len(options.blocks)
        side = size // 2**count
        if side < 1:
            raise ConfigError(
                f"{count} poolings leave nothing of {size} pixels",
                where=f"network {name}",
                remedy=f"Take a size of {2**count} or more, or fewer blocks",
            )
        layers: list[nn.Module] = []
        channels = 1
        for index, (widths, dropout) in enumerate(
            zip(options.blocks, _rate_per_layer(options.dropout, count), strict=True)
        ):
            separable = index >= count - options.separable
            dilated = index >= count - options.dilated
            for position, width in enumerate(widths):
                dilation = 2 if dilated and position == len(widths) - 1 else 1
                layers += [_convolution(channels, width, dilation=dilation, separable=separable), nn.ReLU()]
                channels = width
            if options.batch_norm and (separable or not options.separable):
                layers.append(nn.BatchNorm2d(channels))
            layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
        self.body = nn.Sequential(*layers)
        dropouts = _rate_per_layer(options.dense_dropout, len(options.dense))
        self.head = FlattenHead(channels, (side, side), options.dense, classes, dropout=dropouts)
        self.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """[N, K, side, side], the side halved (rounded down) by each block."""
        features: Tensor = self.body(x)
        return features


def _convolution(inside: int, outside: int, *, dilation: int, separable: bool) -> nn.Module:
    """A 3 x 3 convolution that keeps the size, whole or as depthwise and pointwise."""
    if not separable:
        return nn.Conv2d(inside, outside, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(
        nn.Conv2d(inside, inside, 3, padding=dilation, dilation=dilation, groups=inside, bias=False),
        nn.Conv2d(inside, outside, 1),
    )


def _rate_per_layer(rates: float | tuple[float, ...], count: int) -> tuple[float, ...]:
    return rates if isinstance(rates, tuple) else (rates,) * count


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


BASELINE_SIZE = 150
"""Pixels a side: what most of the notebooks resize to."""

BASELINES = MappingProxyType(
    {
        # Two convolutions to a pooling, and nothing against overfitting.
        "classic-2conv": PlainOptions(blocks=((32, 32), (64, 64), (128, 128)), dense=(128,)),
        # Four convolutions, two poolings, batch norm and dropout.
        "classic-4conv": PlainOptions(
            blocks=((32, 32), (64, 64)), dense=(128,), batch_norm=True, dropout=0.25, dense_dropout=0.5
        ),
        # Three convolutions, one pooling: nearly all of its weights are in the dense layer.
        "classic-3conv": PlainOptions(blocks=((32, 32, 32),), dense=(64,), dropout=0.25, dense_dropout=0.5),
        # Five blocks, the last two dilated; dense 64 or 256 and dropout 0.4 or 0.5 are both met with.
        "dilated-5": PlainOptions(
            blocks=((16, 16), (32, 32), (64, 64), (96, 96), (128, 128)), dilated=2, dense=(64,), dense_dropout=0.4
        ),
        # Keras examples, "Pneumonia classification on TPU" (A. Jang, 2020): two plain convolutions, then
        # separable blocks with batch norm, the last two with dropout.
        "separable-5": PlainOptions(
            blocks=((16, 16), (32, 32), (64, 64), (128, 128), (256, 256)),
            separable=4,
            batch_norm=True,
            dropout=(0.0, 0.0, 0.0, 0.2, 0.2),
            dense=(512, 128, 64),
            dense_dropout=(0.7, 0.5, 0.3),
        ),
    }
)
