"""A picture grid of the augmentation: people look before they read."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from pneumoscope.dataset import read_film
from pneumoscope.networks import default_size
from pneumoscope.preprocess import PreprocessSpec, preprocess
from pneumoscope.storage import write_atomically
from pneumoscope.training.augment import apply, draw
from pneumoscope.training.outside import Outside

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.dataset import Manifest
    from pneumoscope.training.config import TrainConfig

__all__ = ["preview"]

_GAP = 4


def preview(manifest: Manifest, config: TrainConfig, out: Path, *, films: int, looks: int, seed: int) -> None:
    """Write the grid: one row a film, the plain film first, then ``looks`` augmented ones.

    Args:
        manifest: Films are taken evenly from it.
        config: Its ``augment`` and ``data`` sections.
        out: The PNG.
        films: Rows.
        looks: Columns after the first.
        seed: Of the draw.
    """
    size = config.data.size or default_size(config.network.name)
    spec = PreprocessSpec(size=size, low=config.data.low, high=config.data.high)
    rows = np.linspace(0, len(manifest) - 1, min(films, len(manifest))).astype(np.int64)
    plain = np.stack([preprocess(read_film(manifest, manifest.films[int(row)]), spec) for row in rows])
    batch = torch.from_numpy(plain)[:, None].float() / 255
    generator = torch.Generator().manual_seed(seed)
    numbers = np.arange(len(rows), dtype=np.int64)
    outside = Outside(plain, numbers, config.augment.outside, progress=False)
    columns = [batch]
    for _ in range(looks):
        drawn = draw(config.augment, len(rows), generator)
        columns.append(apply(outside.swap(batch, torch.from_numpy(numbers), generator), drawn))
    cell = size + _GAP
    sheet = np.full((len(rows) * cell - _GAP, len(columns) * cell - _GAP), 255, dtype=np.uint8)
    for i, column in enumerate(columns):
        shown = torch.round(column[:, 0] * 255).to(torch.uint8).numpy()
        for j, film in enumerate(shown):
            sheet[j * cell : j * cell + size, i * cell : i * cell + size] = film
    png = BytesIO()
    Image.fromarray(sheet).save(png, format="PNG")
    write_atomically(out, png.getvalue())
