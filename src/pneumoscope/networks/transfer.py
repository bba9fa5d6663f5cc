"""Transfer learning: a body that was learned on other pictures, under our evidence head."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING

import torch

from pneumoscope.errors import ConfigError
from pneumoscope.networks.base import Network
from pneumoscope.networks.checkpoint import load_checkpoint
from pneumoscope.networks.heads import GlobalAverageHead
from pneumoscope.networks.options import as_mapping

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Transfer", "TransferOptions"]


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """The free numbers of ``transfer``.

    Attributes:
        checkpoint: A folder that transformers' ``save_pretrained`` wrote, or a hub name; must be given.
        revision: Of the hub repository.
        pretrained: False takes the architecture alone, with fresh weights.
        allow_pickle: Accept weights that must be unpickled. Only for checkpoints that you made yourself.
        dropout: Before the last linear layer, 0 to below 1.
    """

    checkpoint: str = ""
    revision: str | None = None
    pretrained: bool = True
    allow_pickle: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what could not be built."""
        if not 0 <= self.dropout < 1:
            raise ValueError("dropout must be 0 to below 1")


class Transfer(Network):
    """Any image model of the transformers library that ends in a feature map or in patch tokens.

    Tried with ResNet, ConvNeXt V2, MobileNetV2, ViT and DINOv2 (of which RAD-DINO is one). Patch tokens are laid out as
    the grid that they came from; class and register tokens are dropped, for they have no place. Position
    encodings are interpolated, so that any multiple of the patch is a size.

    Gray goes to every channel that the body wants, each normalised as in its first training. ``mean`` and
    ``std`` of this network are the averages over the channels; what a channel differs is put right inside.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, *, classes: int, size: int, options: TransferOptions, name: str = "transfer") -> None:
        if not options.checkpoint:
            raise ConfigError(
                "the option checkpoint is missing",
                where=f"network {name}",
                remedy="Give a folder that save_pretrained wrote, or a hub name such as microsoft/resnet-18",
            )
        loaded = load_checkpoint(
            options.checkpoint,
            revision=options.revision,
            pretrained=options.pretrained,
            allow_pickle=options.allow_pickle,
        )
        mean, std = torch.tensor(loaded.mean), torch.tensor(loaded.std)
        super().__init__(
            name=name,
            classes=classes,
            size=size,
            options=as_mapping(options),
            mean=float(mean.mean()),
            std=float(std.mean()),
        )
        self.pretrained = options.pretrained
        self.body = loaded.body
        self.register_buffer("scale", (self.std / std).reshape(1, -1, 1, 1))
        self.register_buffer("shift", ((self.mean - mean) / std).reshape(1, -1, 1, 1))
        # ViT is asked to interpolate its position encodings; the others do it, or have none.
        ask = "interpolate_pos_encoding" in signature(loaded.body.forward).parameters
        self._asked = {"interpolate_pos_encoding": True} if ask else {}
        self._side, self._prefix, channels = self._layout(loaded.patch)
        self.head = GlobalAverageHead(channels, classes, dropout=options.dropout, standardise=True)
        self.train()

    def features(self, x: Tensor) -> Tensor:
        """The last feature map, or the patch tokens as one: [N, K, h, w]."""
        output = self._output(x)
        if output.dim() == 4:
            return output
        patches = output[:, self._prefix :].transpose(1, 2)  # [N, K, h w]
        return patches.reshape(-1, patches.shape[1], self._side, self._side)

    def _output(self, x: Tensor) -> Tensor:
        """What the body says last: a map [N, K, h, w], or tokens [N, prefix + h w, K]."""
        output = self.body(pixel_values=x * self.scale + self.shift, **self._asked)
        maps = getattr(output, "feature_maps", None)
        last: Tensor = output.last_hidden_state if maps is None else maps[-1]
        return last

    def _layout(self, patch: int | None) -> tuple[int, int, int]:
        """Patches a side, tokens before the first patch, and channels K; found by one empty film."""
        where = f"network {self.name}"
        self.eval()
        try:
            with torch.no_grad():
                output = self._output(torch.zeros(1, 1, self.size, self.size))
        except (RuntimeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"the checkpoint cannot take films of {self.size} x {self.size} ({error})",
                where=where,
                remedy="Take the size that it was trained at, or another checkpoint",
            ) from error
        if output.dim() == 4:
            return 0, 0, output.shape[1]
        if patch is None or output.shape[1] < (self.size // patch) ** 2:
            raise ConfigError(
                f"the checkpoint's tokens {list(output.shape)} do not lie on the grid of its patches",
                where=where,
                remedy="Take a ResNet, ConvNeXt V2, MobileNetV2, ViT or DINOv2",
            )
        if self.size % patch:
            low = self.size // patch * patch
            raise ConfigError(
                f"a size of {self.size} is no multiple of the checkpoint's patch of {patch} pixels",
                where=where,
                remedy=f"Take {low} or {low + patch}",
            )
        side = self.size // patch
        return side, output.shape[1] - side**2, output.shape[2]
