"""A clean set of drawn films, and ways to plant faults in it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pneumoscope.phantom.write import write_phantoms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms in the public set's layout, 90 of them; do not write here."""
    root = tmp_path_factory.mktemp("drawn") / "phantoms"
    write_phantoms(root, count=90, seed=5, size=144)
    shutil.rmtree(root / "masks")
    (root / "phantoms.csv").unlink()
    return root


@pytest.fixture
def clean(drawn: Path, tmp_path: Path) -> Path:
    """A copy of ``drawn`` to plant faults in."""
    return shutil.copytree(drawn, tmp_path / "phantoms")


@pytest.fixture
def films_of() -> Callable[[Path, str], list[Path]]:
    """``films_of(root, "train/NORMAL")``: the films, sorted."""

    def find(root: Path, folder: str) -> list[Path]:
        return sorted((root / folder).iterdir())

    return find


@pytest.fixture
def noise_films() -> Callable[..., np.ndarray]:
    """Thumbnails of smooth noise: uint8 [N, 64, 64], each another picture."""

    def draw(count: int, seed: int = 0) -> np.ndarray:
        generator = np.random.default_rng(seed)
        films = []
        for _ in range(count):
            coarse = Image.fromarray(generator.integers(0, 256, (14, 14), dtype=np.uint8))
            smooth = coarse.resize((64, 64), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
            films.append(np.asarray(smooth))
        return np.stack(films)

    return draw
