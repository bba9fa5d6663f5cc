"""What the benchmarks share: a folder of films, a bundle, a child process that is timed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np
from PIL import Image

PLAIN = str(Path(__file__).with_name("plain.py"))
READ = [sys.executable, "-m", "pneumoscope", "read"]


@dataclass(frozen=True)
class Run:
    """One run of a command: wall-clock seconds, processor seconds, peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def arguments(text: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="standard", help="a shipped bundle's name, or a path")
    parser.add_argument("--source", type=Path, help="a folder of real films to take; drawn ones without it")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def bundle_file(model: str) -> str:
    from pneumoscope.model.bundle import find_bundle  # noqa: PLC0415 - the children must not pay for this

    return str(find_bundle(model))


def make_films(folder: Path, count: int, source: Path | None) -> Path:
    """A folder of films: links to the source's films, again and again, or drawn ones of 1000 x 800 pixels."""
    folder.mkdir(parents=True)
    if source is None:
        source = _draw(folder.with_name("drawn"))
    found = sorted(path.resolve() for path in source.rglob("*") if path.suffix.lower() in {".jpeg", ".jpg", ".png"})
    for number in range(count):
        film = found[number % len(found)]
        (folder / f"{number:05}{film.suffix}").symlink_to(film)
    return folder


def _draw(folder: Path) -> Path:
    if folder.exists():
        return folder
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(20):
        coarse = Image.fromarray(generator.integers(0, 256, (25, 20), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((800, 1000), Image.Resampling.BICUBIC), np.int16)
        grain = generator.normal(0, 4, smooth.shape)
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(folder / f"{number}.jpeg", quality=90)
    return folder


def run(command: list[str]) -> Run:
    """Run a command to its end, its output thrown away."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} left with {process.returncode}")
    scale = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is bytes there and kB elsewhere
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def side_by_side(commands: dict[str, list[str]], rounds: int) -> dict[str, list[Run]]:
    """Run the commands in turn, round by round, so that what else the machine does falls on all alike."""
    for command in commands.values():
        run(command)  # once for the disk cache
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command))
    return runs


def middle(runs: list[Run], what: Literal["wall", "cpu", "peak"]) -> float:
    return median({"wall": one.wall, "cpu": one.cpu, "peak": one.peak}[what] for one in runs)


def heading(text: str) -> None:
    print(f"{text}\n{os.cpu_count()} CPUs, Python {sys.version.split()[0]}\n")
