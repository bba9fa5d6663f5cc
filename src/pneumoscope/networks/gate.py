"""The gate's network: a small one that says of a picture what it is, and how a chest lies in it."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

__all__ = ["Gate"]

_WIDTHS = ((1, 16, 2), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 80, 2), (80, 64, 1))
"""Channels in, channels out, stride."""


class Gate(nn.Module):
    """Seven convolutions, and a dense layer that keeps the places apart: which way is up is a question of places.

    A global average would answer worse what a gate must know. The picture is halved first: what it is shows at 64
    pixels, and a quarter of the work is left.

    Attributes:
        size: Side of the input in pixels.
        answers: Number of logits.
        seen: Number of features before them.
    """

    def __init__(self, answers: int, size: int = 128, seen: int = 48) -> None:
        super().__init__()
        self.size, self.answers, self.seen = size, answers, seen
        self.body = nn.Sequential(*(_convolve(*width) for width in _WIDTHS))
        places = (size // 32) ** 2
        self.join = nn.Linear(_WIDTHS[-1][1] * places, seen)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(seen, answers)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Gray [N, 1, S, S] in 0..1 -> logits [N, answers] and features [N, seen], at least 0."""
        return self.judge(F.avg_pool2d(gray, 2))

    def judge(self, halved: Tensor) -> tuple[Tensor, Tensor]:
        """The same for pictures that are halved already, [N, 1, S / 2, S / 2]."""
        x = self.body((halved - 0.5) / 0.25)
        seen = F.relu(self.join(x.flatten(1)))
        logits: Tensor = self.head(self.drop(seen))
        return logits, seen


def _convolve(inside: int, outside: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )
