"""A search that takes seconds: small phantoms, a tiny network, two epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.config import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

TINY = [
    "data.size=32",
    "data.fractions=[0.6,0.2,0.2]",
    "network.options.width=4",
    "network.options.blocks=[1,1]",
    "network.options.strides=[2,2]",
    "optim.epochs=2",
    "calibration.shifted_copies=0",
]
SPACE = """
[space]
optim.learning_rate = { low = 1e-4, high = 1e-2, log = true }
network.options.width = [4, 8]
augment.strength = { low = 0.0, high = 1.0 }
"""


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 phantoms of 96 pixels."""
    folder = tmp_path_factory.mktemp("small") / "set"
    write_phantoms(folder, count=120, seed=3, size=96)
    return folder


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    return TrainConfig.load(None, TINY)


@pytest.fixture(scope="session")
def space_text() -> str:
    return SPACE
