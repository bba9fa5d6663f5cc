"""Phantoms to learn from, and a configuration that learns them fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.config import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

LIGHT = """
[data]
size = 96
fractions = [0.7, 0.1, 0.2]
[network.options]
width = 16
[optim]
epochs = 10
learning_rate = 0.003
ema = 0.9
batch = 16
finding_weight = 0.3
[calibration]
shifted_copies = 1
[augment]
rotation = 4
translation = 0.04
zoom = 0.05
aspect = 0.05
shear = 0
crop = 0
contrast = 0.1
brightness = 0.03
gamma = 0.1
curve = 0
local_probability = 0
blur_probability = 0
sharpen_probability = 0
coarse_probability = 0
jpeg_probability = 0
noise_probability = 0
erase_probability = 0
marker_probability = 0
border_probability = 0
"""
"""Phantoms are clean and alike, so that a minute's learning needs little augmentation."""


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 phantom films in the public set's layout, with their lesion masks."""
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    write_phantoms(folder, count=700, seed=5, size=160)
    return folder


@pytest.fixture(scope="session")
def light_config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    file = tmp_path_factory.mktemp("config") / "light.toml"
    file.write_text(LIGHT)
    return TrainConfig.load(file)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves films in the person's own cache."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
