"""One network learned by PyTorch and by Keras under one protocol.

What stays different is the arithmetic's order of sums, and the numbers that dropout draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pneumoscope.errors import ConfigError
from pneumoscope.networks.classic import BASELINES
from pneumoscope.training.config import AugmentConfig, TrainConfig
from pneumoscope.training.fit import TORCH
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.training.fit import Engine

__all__ = ["FrameworkRun", "framework_config", "plan_framework_runs", "run_framework_runs"]

_PROTOCOL = {
    "optimizer": "adam",
    "schedule": "constant",
    "weight_decay": 0.0,
    "ema": 0.0,
    "clip": 0.0,
    "precision": "fp32",
}


@dataclass(frozen=True, slots=True)
class FrameworkRun:
    """One run of a framework.

    Attributes:
        name: Of its folder: "classic-3conv-keras-seed0".
        folder: Its place.
        engine: The framework.
        config: Of the run; those of one seed differ in their name alone.
    """

    name: str
    folder: Path
    engine: Engine
    config: TrainConfig


def framework_config(network: str, *, epochs: int, size: int, seed: int, labels: str = "pattern") -> TrainConfig:
    """The protocol that both frameworks can keep to the letter.

    Raises:
        ConfigError: The network has no twin in Keras, or a value cannot be.
    """
    if network not in BASELINES:
        raise ConfigError(
            f"the network {network} has no twin in Keras", where="--network", remedy=f"Take {', '.join(BASELINES)}"
        )
    changes = [f"network.name={network}", f"optim.epochs={epochs}", f"data.size={size}", f"seed={seed}"]
    config = TrainConfig.load(None, [*changes, f"data.labels={labels}"])
    return msgspec.structs.replace(
        config,
        augment=AugmentConfig.none(),
        optim=msgspec.structs.replace(config.optim, **_PROTOCOL),
        # Looks that are not augmented would be the same films again.
        calibration=msgspec.structs.replace(config.calibration, shifted_copies=0),
    )


def plan_framework_runs(
    out: Path, engines: Sequence[tuple[str, Engine]], config: TrainConfig, seeds: Sequence[int]
) -> list[FrameworkRun]:
    """The runs: seed by seed, each framework in turn, so that a slow hour of the machine falls on both.

    Args:
        out: Folder of the runs' folders.
        engines: Short name and framework.
        config: The protocol.
        seeds: Of first weights, order of films and dropout.
    """
    found = []
    for seed in seeds:
        for short, engine in engines:
            name = f"{config.network.name}-{short}-seed{seed}"
            own = msgspec.structs.replace(config, seed=seed, name=f"{config.network.name}-{short}")
            found.append(FrameworkRun(name, out / name, engine, own))
    return found


def run_framework_runs(
    manifest: Manifest, planned: Sequence[FrameworkRun], *, progress: bool = True
) -> Iterator[FrameworkRun]:
    """Train what is planned; what is finished is opened, what was killed goes on.

    Yields:
        Each run before it begins.

    Raises:
        PneumoscopeError: As ``train`` does.
    """
    for run in planned:
        yield run
        train(manifest, run.folder, run.config, progress=progress, engine=run.engine)


def torch_engine() -> tuple[str, Engine]:
    """PyTorch, with its short name."""
    return "torch", TORCH
