"""A peer: DenseNet-121 at 224 px in PyTorch's eager mode, batches of 16, as most published code reads films.

Huang et al. 2017, "Densely Connected Convolutional Networks"; the weights are random, which does not change the time.
No quality control, no calibration, no evidence.

    python -m pneumoscope.bench.peers.densenet FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

__all__ = ["main"]


class _Layer(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 128, 1, bias=False)),
            *(nn.BatchNorm2d(128), nn.ReLU(), nn.Conv2d(128, 32, 3, padding=1, bias=False)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def _densenet(classes: int) -> nn.Module:
    """Blocks of 6, 12, 24 and 16 layers, growth 32; 8 million weights."""
    parts: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    parts.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for index, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            parts.append(_Layer(channels))
            channels += 32
        if index < 3:
            parts += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False)]
            parts.append(nn.AvgPool2d(2))
            channels //= 2
    parts += [nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
    return nn.Sequential(*parts)


def main(folder: str) -> None:
    """Read all films of a folder."""
    network = _densenet(3).eval()
    films = sorted(Path(folder).iterdir())
    with torch.inference_mode():
        for start in range(0, len(films), 16):
            batch = []
            for path in films[start : start + 16]:
                with Image.open(path) as picture:
                    batch.append(np.asarray(picture.convert("RGB").resize((224, 224)), np.float32) / 255)
            found = network(torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)).softmax(1)
            print(*found.argmax(1).tolist())  # noqa: T201 - what such a script does


if __name__ == "__main__":
    main(*sys.argv[1:])
