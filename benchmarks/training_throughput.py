"""Processor seconds an epoch: our whole pipeline against a plain PyTorch loop of the same network and augmentation.

    python benchmarks/training_throughput.py [--size 192] [--films 640] [--rounds 3]

The plain loop is what a script would do: the same network, batch, precision, optimiser and (or without) augmentation on
tensors that are already in memory, without moving average, validation, logging or checkpoints. Ours is ``fit`` on the
decoded cache; an epoch of it is what a run of two takes longer than a run of one. The four are run in turn; ratios are
of the fastest rounds. Processor time, so that other programs on the machine count little. Films are phantoms.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import torch

from pneumoscope.networks.registry import build
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.training.augment import apply_augmentation, draw_parameters
from pneumoscope.training.config import AugmentConfig, TrainConfig
from pneumoscope.training.fit import TrainingData, fit
from pneumoscope.training.learner import Objective, make_optimizer

POSITIVE = (False, True, True)


def plain(images: np.ndarray, labels: np.ndarray, config: TrainConfig) -> float:
    """Processor seconds of one epoch."""
    network = build("residual", classes=3, size=images.shape[1]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    films, truth = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    optimizer = make_optimizer(network, config.optim)
    objective = Objective(POSITIVE)
    augmented, generator = config.augment != AugmentConfig.none(), torch.Generator().manual_seed(0)
    network.train()
    started = time.process_time()
    for start in range(0, len(films), config.optim.batch):
        x = films[start : start + config.optim.batch].float() / 255
        if augmented:
            x = apply_augmentation(x, draw_parameters(config.augment, len(x), generator))
        x = (x - 0.5) / 0.25
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x.contiguous(memory_format=torch.channels_last)).float()
        loss = objective(logits, truth[start : start + config.optim.batch]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.process_time() - started


def ours(images: np.ndarray, labels: np.ndarray, config: TrainConfig) -> float:
    """Processor seconds of one epoch: of a run of two, less those of a run of one."""
    return fitted(images, labels, config, 2) - fitted(images, labels, config, 1)


def fitted(images: np.ndarray, labels: np.ndarray, config: TrainConfig, epochs: int) -> float:
    config = msgspec.structs.replace(config, optim=msgspec.structs.replace(config.optim, epochs=epochs))
    network = build("residual", classes=3, size=images.shape[1])
    rows = np.arange(len(images), dtype=np.int64)
    with tempfile.TemporaryDirectory() as run, redirect_stderr(StringIO()):
        started = time.process_time()
        fit(network, TrainingData(images, labels, rows, rows[:2]), POSITIVE, config, Path(run))
        return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--films", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    some = [draw_phantom(i, "normal", rows=arguments.size, columns=arguments.size).pixels for i in range(16)]
    images = np.stack([some[i % len(some)] for i in range(arguments.films)])
    labels = np.arange(arguments.films, dtype=np.int64) % 3
    config = TrainConfig()
    bare = msgspec.structs.replace(config, augment=AugmentConfig.none())
    ways = {
        "plain PyTorch, no augmentation": (plain, bare),
        "ours, no augmentation": (ours, bare),
        "plain PyTorch, default augmentation": (plain, config),
        "ours, default augmentation": (ours, config),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (way, chosen) in ways.items():
            seconds[name].append(way(images, labels, chosen))
    best = {name: min(values) for name, values in seconds.items()}
    print(
        f"residual, {arguments.films} films of {arguments.size} px, batch {config.optim.batch}, "
        f"{torch.get_num_threads()} threads; processor seconds an epoch, least of {arguments.rounds}"
    )
    for name, value in best.items():
        base = best[name.replace("ours", "plain PyTorch")]
        print(f"{name:36s} {value:7.2f} s   ratio to plain {value / base:.2f}")


if __name__ == "__main__":
    main()
