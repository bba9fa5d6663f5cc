"""Every network under one protocol: films, split, augmentation and optimizer are the same.

The runs differ in the network and in the seed, and in nothing else: same films, split, preprocessing, augmentation,
optimizer, epochs, calibration and choice of thresholds.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import torch

from pneumoscope.errors import ConfigError, TrainingError
from pneumoscope.networks.classic import BASELINES
from pneumoscope.networks.registry import build
from pneumoscope.settings import Settings
from pneumoscope.training.augment import apply_augmentation, draw_parameters
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.folder import RunFolder, config_differences, run_head
from pneumoscope.training.learner import Learner, make_optimizer, normalize
from pneumoscope.training.run import train
from pneumoscope.training.setup import preprocess_spec_for, split_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest

__all__ = ["DEFAULT_NETWORKS", "PlannedRun", "finished_runs", "plan_runs", "run_planned"]

DEFAULT_NETWORKS = (*BASELINES, "residual")
"""The classic small networks, then the house network."""

_SETTING_UP = 12.0  # seconds of export, parity and pictures of a run, as seen on 2 CPU cores
_TIMED_STEPS = 2
_TOLD = 3  # keys that a folder is named after


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that is to be.

    Attributes:
        name: Of its folder.
        folder: Its place.
        config: The protocol, with this network and seed.
        finished: It is there already, and will not be run again.
        seconds: What it will about take on this machine; 0 if it is finished.
    """

    name: str
    folder: Path
    config: TrainConfig
    finished: bool
    seconds: float


def plan_runs(
    manifest: Manifest, out: Path, protocol: TrainConfig, networks: Sequence[str], seeds: Sequence[int]
) -> list[PlannedRun]:
    """Name the runs, refuse what could not be run before anything is, and say what each will take.

    The time is measured: a few steps of learning with each network, and not looked up.

    Args:
        manifest: The films.
        out: Folder of the runs' folders.
        protocol: Everything but the network and the seed.
        networks: Families; ``transfer`` needs options of its own and is trained by itself.
        seeds: Each network is trained with each of them.

    Raises:
        ConfigError: A network twice, an unknown one, or one that cannot be built at this size.
        DatasetError: The films cannot be split.
    """
    for what, values in (("network", networks), ("seed", seeds)):
        if len(set(values)) != len(values) or not values:
            raise ConfigError(f"each {what} is named once", where=f"--{what}s", remedy="Name at least one")
    films = {part: len(rows) for part, rows in split_for(manifest, protocol).parts.items()}
    planned = []
    for network in networks:
        seconds = None
        for seed in seeds:
            config = _config(protocol, network, seed)
            folder = RunFolder(_place(out, f"{network}-seed{seed}", manifest, config))
            name = folder.path.name
            finished = folder.summary.exists()
            if not finished and seconds is None:
                seconds = _SETTING_UP + _learning_seconds(config, len(manifest.classes), manifest.positive, films)
            planned.append(PlannedRun(name, folder.path, config, finished, 0.0 if finished else seconds or 0.0))
    return planned


def run_planned(
    manifest: Manifest, planned: Sequence[PlannedRun], *, progress: bool = True, tell: Callable[[str], None] = print
) -> Iterator[tuple[PlannedRun, str | None]]:
    """Run what is planned, one after the other; what was killed goes on, what is finished is opened.

    Args:
        manifest: The films.
        planned: By ``plan``.
        progress: Show bars.
        tell: Takes a line a run.

    Yields:
        Each run with None, or with the reason why learning failed; the others go on.

    Raises:
        UsageError: A folder holds something else.
        StorageError: The disk is full; the same call goes on from there.
    """
    for number, run in enumerate(planned, 1):
        tell(f"{number} of {len(planned)}: {run.name}{' (finished before)' if run.finished else ''}")
        try:
            train(manifest, run.folder, run.config, progress=progress)
        except TrainingError as error:
            yield run, str(error)
        else:
            yield run, None


def finished_runs(manifest: Manifest, out: Path) -> list[Path]:
    """The folders of finished runs on these films, those of earlier starts with other settings among them."""
    head = run_head(manifest)
    return [
        config.parent
        for config in sorted(out.glob("*/config.toml"))
        if RunFolder(config.parent).summary.exists() and config.read_text().startswith(f"{head}\n")
    ]


def _place(out: Path, name: str, manifest: Manifest, config: TrainConfig) -> Path:
    """The run's folder: where another configuration has taken the name, what differs joins it."""
    found = out / name
    held = found / "config.toml"
    if not held.exists() or not held.read_text().startswith(run_head(manifest)):
        return found
    differences = config_differences(TrainConfig.load(held), config)
    if not differences:
        return found
    words = [f"{key.rpartition('.')[2]}={asked}" for key, (_, asked) in sorted(differences.items())]
    suffix = "-".join(words)
    if len(words) > _TOLD or not re.fullmatch(r"[\w.=-]+", suffix):
        suffix = hashlib.sha256(config.to_toml().encode()).hexdigest()[:8]
    return out / f"{name}-{suffix}"


def _config(protocol: TrainConfig, network: str, seed: int) -> TrainConfig:
    options = protocol.network.options if network == protocol.network.name else {}
    return msgspec.structs.replace(
        protocol,
        name=network,
        seed=seed,
        network=msgspec.structs.replace(protocol.network, name=network, options=options),
    )


def _learning_seconds(config: TrainConfig, classes: int, positive: tuple[bool, ...], films: dict[str, int]) -> float:
    """Time a few steps, and count how many there will be."""
    torch.set_num_threads(config.threads or Settings.from_environment().cpu_threads())
    size = preprocess_spec_for(config).size
    network = build(config.network.name, classes=classes, size=size, options=config.network.options, seed=config.seed)
    learner = Learner(network, config, positive)
    optimizer = make_optimizer(network, config.optim)
    generator = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (config.optim.batch, 1, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, classes, (config.optim.batch,), generator=generator)

    def step() -> None:
        with torch.random.fork_rng(devices=()):
            seen = apply_augmentation(batch.float() / 255, draw_parameters(config.augment, len(batch), generator)) * 255
            logits = network(normalize(seen, network).contiguous(memory_format=torch.channels_last))
            learner.objective(logits, labels).mean().backward()
            optimizer.step()

    def look() -> None:
        with torch.inference_mode():
            network.eval()(normalize(batch, network).contiguous(memory_format=torch.channels_last))

    learning, looking = (_seconds(work) for work in (step, look))
    batches = {part: math.ceil(count / config.optim.batch) for part, count in films.items()}
    looks = batches["val"] * (config.optim.epochs + 1 + config.calibration.shifted_copies) + batches["test"]
    return learning * batches["train"] * config.optim.epochs + looking * looks


def _seconds(work: Callable[[], None]) -> float:
    """Of the fastest of some calls, after a first one that sets things up."""
    work()
    found = []
    for _ in range(_TIMED_STEPS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)
