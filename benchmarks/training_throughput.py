"""Training films a second: our whole pipeline against a plain PyTorch loop on the same network.

    python benchmarks/training_throughput.py [--size 192] [--films 640] [--rounds 3]

The plain loop is what a script would do: the same network, batch, precision and optimiser on tensors that are
already in memory, without augmentation, moving average, logging or checkpoints. Ours is ``fit`` on the decoded
cache, once with the default augmentation and once with all of it off. The three are run in turn; ratios are of the
fastest rounds. Films are phantoms.
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
from pneumoscope.training.config import AugmentConfig, TrainConfig
from pneumoscope.training.fit import TrainingData, fit
from pneumoscope.training.learner import Objective, make_optimizer

POSITIVE = (False, True, True)


def plain(images: np.ndarray, labels: np.ndarray, config: TrainConfig) -> float:
    network = build("residual", classes=3, size=images.shape[1]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
    films, truth = torch.from_numpy(images)[:, None], torch.from_numpy(labels)
    optimizer = make_optimizer(network, config.optim)
    objective = Objective(POSITIVE)
    network.train()
    started = time.monotonic()
    for start in range(0, len(films), config.optim.batch):
        x = (films[start : start + config.optim.batch].float() / 255 - 0.5) / 0.25
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x.contiguous(memory_format=torch.channels_last)).float()
        loss = objective(logits, truth[start : start + config.optim.batch]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.monotonic() - started


def ours(images: np.ndarray, labels: np.ndarray, config: TrainConfig) -> float:
    network = build("residual", classes=3, size=images.shape[1])
    rows = np.arange(len(images), dtype=np.int64)
    with tempfile.TemporaryDirectory() as run, redirect_stderr(StringIO()):
        fit(network, TrainingData(images, labels, rows, rows[:2]), POSITIVE, config, Path(run))
        lines = (Path(run) / "history.csv").read_text().splitlines()
    return float(lines[-1].split(",")[-1])  # the epoch's seconds, without start and checkpoint


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
    config = msgspec.structs.replace(TrainConfig(), optim=msgspec.structs.replace(TrainConfig().optim, epochs=1))
    bare = msgspec.structs.replace(config, augment=AugmentConfig.none())
    ways = {"plain PyTorch": plain, "ours, no augmentation": ours, "ours, default augmentation": ours}
    configs = dict(zip(ways, (config, bare, config), strict=True))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            seconds[name].append(way(images, labels, configs[name]))
    best = {name: min(values) for name, values in seconds.items()}
    print(f"residual, {arguments.size} px, batch {config.optim.batch}, {torch.get_num_threads()} threads")
    for name, value in best.items():
        rate = arguments.films / value
        print(f"{name:28s} {rate:7.1f} films a second   ratio to plain {best['plain PyTorch'] / value:.2f}")


if __name__ == "__main__":
    main()
