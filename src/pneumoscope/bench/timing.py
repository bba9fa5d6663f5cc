"""Commands, run in turn and timed: wall clock, processor seconds and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Run", "middle", "run", "side_by_side"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command.

    Attributes:
        wall: Seconds.
        cpu: Processor seconds, of the command and of its children that it waited for.
        peak: Largest resident memory of its process, MB.
    """

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end, its output thrown away.

    Args:
        command: Program and arguments.
        environment: Added to this process's.

    Raises:
        PneumoscopeError: It left with another code than 0, or 3 (some films were refused).
    """
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 3}:
        raise PneumoscopeError(
            f"a command that was to be timed left with code {process.returncode}",
            where=" ".join(command)[:200],
            remedy="Run it by itself to see why",
        )
    scale = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is bytes there and kB elsewhere
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def side_by_side(
    commands: Mapping[str, Sequence[str]], rounds: int, environment: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, list[Run]]:
    """Run the commands in turn, round by round, so that what else the machine does falls on all alike.

    Args:
        commands: By name. Each runs once more beforehand, for the disk's cache.
        rounds: How often each is timed.
        environment: By name of the command.
    """
    environment = environment or {}
    for name, command in commands.items():
        run(command, environment.get(name))
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(run(command, environment.get(name)))
    return runs


def middle(runs: Sequence[Run], what: Literal["wall", "cpu", "peak"]) -> float:
    """The median of one measure."""
    return median({"wall": one.wall, "cpu": one.cpu, "peak": one.peak}[what] for one in runs)
