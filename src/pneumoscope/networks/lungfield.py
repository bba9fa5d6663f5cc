"""The lung-field network: a small U-Net that says of each place of a film whether it is lung."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["LungField"]

_WIDTHS = (16, 32, 48, 64, 96)


class LungField(nn.Module):
    """Ronneberger et al., "U-Net", MICCAI 2015, slim: 16 to 96 channels, half of the input's resolution.

    The mask frames the film and weighs the evidence, and neither needs more than 64 x 64. The upward path adds
    where U-Net concatenates (Lin et al., "Feature pyramid networks", CVPR 2017): half of the work.

    Attributes:
        size: Side of the input in pixels.
        mean: The input is ``x = (gray / 255 - mean) / std``.
        std: Likewise.
    """

    def __init__(self, size: int = 128) -> None:
        super().__init__()
        self.size = size
        self.mean, self.std = 0.5, 0.25
        self.stem = _convolve(1, _WIDTHS[0], stride=2)
        self.down = nn.ModuleList(
            nn.Sequential(_convolve(inside, outside, stride=2), _convolve(outside, outside))
            for inside, outside in pairwise(_WIDTHS)
        )
        self.bridge = nn.ModuleList(nn.Conv2d(upper, lower, 1) for lower, upper in pairwise(_WIDTHS))
        self.merge = nn.ModuleList(_convolve(lower, lower) for lower in _WIDTHS[:-1])
        self.last = nn.Conv2d(_WIDTHS[0], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised films [N, 1, S, S] -> logits of lung [N, 1, S / 2, S / 2], features [N, 256].

        The features are the mean of each channel over the film, from every stage of the downward path.
        """
        x = self.stem(x)
        steps = [x]
        for down in self.down:
            x = down(x)
            steps.append(x)
        features = torch.cat([step.mean(dim=(2, 3)) for step in steps], dim=1)
        for level in reversed(range(len(self.bridge))):
            raised = F.interpolate(self.bridge[level](x), scale_factor=2.0, mode="nearest")
            x = self.merge[level](raised + steps[level])
        logits: Tensor = self.last(x)
        return logits, features


def _convolve(inside: int, outside: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )
