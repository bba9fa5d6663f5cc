"""All that ``pneumoscope bench`` measures, in the order in which it does."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope import __version__
from pneumoscope.bench.films import make_films
from pneumoscope.bench.timing import middle, side_by_side
from pneumoscope.errors import PneumoscopeError
from pneumoscope.model.bundle import read_bundle
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pneumoscope.bench.timing import Run

__all__ = ["BenchResult", "BenchRow", "Machine", "bench", "this_machine"]

_PACKAGES = ("numpy", "onnxruntime", "pillow", "pydicom", "torch", "tensorflow-cpu", "keras", "ray")
_HERE = [sys.executable, "-m", "pneumoscope"]
_PEERS = "pneumoscope.bench.peers"


@dataclass(frozen=True, slots=True)
class Machine:
    """What it ran on.

    Attributes:
        processor: Its name.
        cores: CPUs that this process may use.
        memory_gb: Of the machine; None if the system does not tell.
        system: Operating system and its release.
        python: Version.
        packages: Versions of those that matter here.
    """

    processor: str
    cores: int
    memory_gb: float | None
    system: str
    python: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One measurement.

    Attributes:
        what: In words.
        films: Films of one run; 0 where none is read.
        seconds: Wall clock, the median of the rounds.
        cpu_seconds: Processor time, likewise.
        peak_mb: Largest resident memory of the process; None where it is of several processes or of a part of one.
        rate: Films a second; None where no more than one is read.
        against: Name of the row that this one is compared with; "" if with none.
        ratio: The other's seconds a film (or a start) by this one's: above 1, this one is faster.
    """

    what: str
    films: int
    seconds: float
    cpu_seconds: float
    peak_mb: float | None
    rate: float | None
    against: str = ""
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class BenchResult:
    """The table, and all that it depends on.

    Attributes:
        machine: What it ran on.
        software: This package and its version.
        bundle: Name, version and sha256.
        source: Which films, in words.
        rounds: Of each command.
        when: ISO 8601.
        rows: The measurements.
        left_out: What could not be measured, and why.
        notice: On every output.
    """

    machine: Machine
    software: str
    bundle: Mapping[str, str]
    source: str
    rounds: int
    when: str
    rows: Sequence[BenchRow]
    left_out: Sequence[str]
    notice: str = NOTICE

    def to_json(self) -> str:
        """To share."""
        return json.dumps(asdict(self), indent=2)


def bench(
    bundle: Path,
    *,
    films: int = 200,
    rounds: int = 3,
    source: Path | None = None,
    peers: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> BenchResult:
    """Measure start-up, reading, scoring, the floor, a training step, and peers where they are installed.

    Every command is a whole process from start to end. Those that are compared run in turn.

    Args:
        bundle: Its file.
        films: Films of a run.
        rounds: Of each command, after one that does not count.
        source: A folder of JPEG or PNG films; None draws some.
        peers: Whether other programs are timed too.
        tell: Called with the name of each step as it begins.

    Raises:
        BundleError: The bundle cannot be used.
        PneumoscopeError: A command that was to be timed failed.
    """
    _, meta, sha256 = read_bundle(bundle)
    rows: list[BenchRow] = []
    left_out: list[str] = []
    cores = this_machine().cores
    with tempfile.TemporaryDirectory(prefix="pneumoscope-bench-") as scratch:
        folder = str(make_films(Path(scratch) / "films", films, source))
        one = str(sorted(Path(folder).iterdir())[0])
        tell("start-up and one film")
        rows += _start_up(str(bundle), one, rounds)
        tell(f"{films} films")
        commands: dict[str, Sequence[str]] = {
            f"read, {films} films, 1 core": [*_HERE, "read", folder, "--json", "--threads", "1", "--model", str(bundle)]
        }
        if cores > 1:
            commands[f"read, {films} films, {cores} cores"] = [*_HERE, "read", folder, "--json", "--model", str(bundle)]
        for workers in sorted({1, cores}):
            command = _score_command(folder, str(bundle), workers, scratch)
            if command is None:
                left_out.append("score: pyarrow is not installed (pip install 'pneumoscope[score]')")
                break
            commands[f"score, {films} films, {workers} core{'s'[: workers > 1]}"] = command
        if peers:
            commands |= _peers(folder, left_out)
        timed = side_by_side(commands, rounds)
        base = middle(timed[f"read, {films} films, 1 core"], "wall")
        rows += [_row(name, runs, films, f"read, {films} films, 1 core", base) for name, runs in timed.items()]
        tell("the floor: decoding and the network alone")
        rows += _floor(str(bundle), folder, middle(timed[f"read, {films} films, 1 core"], "cpu"))
        if find_spec("torch") is None:
            left_out.append("training step: torch is not installed (pip install 'pneumoscope[train]')")
        else:
            tell("a training step")
            found = _child(f"{_PEERS}.training_step")
            rate = found["films"] / found["seconds"]
            rows.append(BenchRow("training step (residual, 192 px)", found["films"], found["seconds"], 0.0, None, rate))
    return BenchResult(
        machine=this_machine(),
        software=f"pneumoscope {__version__}",
        bundle={"name": meta.name, "version": meta.version, "sha256": sha256},
        source="drawn films of 1000 x 800 pixels" if source is None else f"films of {source.name}",
        rounds=rounds,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=tuple(rows),
        left_out=tuple(left_out),
    )


def _start_up(bundle: str, film: str, rounds: int) -> list[BenchRow]:
    bare = "bare Python"
    commands: dict[str, Sequence[str]] = {
        bare: [sys.executable, "-c", "pass"],
        "pneumoscope --help": [*_HERE, "--help"],
        "one film from nothing": [*_HERE, "read", film, "--json", "--model", bundle],
    }
    timed = side_by_side(commands, rounds)
    base = middle(timed[bare], "wall")
    return [_row(name, runs, int("film" in name), "" if name == bare else bare, base) for name, runs in timed.items()]


def _score_command(folder: str, bundle: str, workers: int, scratch: str) -> Sequence[str] | None:
    """Each run needs a new table, so that the name is chosen as it starts."""
    if find_spec("pyarrow") is None:
        return None
    code = (
        "import sys, tempfile; from pneumoscope.cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main([*sys.argv[2:], '--out', tempfile.mkdtemp(dir=sys.argv[1])]))"
    )
    return [sys.executable, "-c", code, scratch, "score", folder, "--model", bundle, "--workers", str(workers)]


def _peers(folder: str, left_out: list[str]) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    known = {
        "peer: DenseNet-121, 224 px, PyTorch eager": ("densenet", "torch"),
        "peer: classic CNN, 150 px, Keras": ("classic_cnn", "keras"),
    }
    for name, (module, package) in known.items():
        if find_spec(package) is None:
            left_out.append(f"{name}: {package} is not installed")
        else:
            found[name] = [sys.executable, "-W", "ignore", "-m", f"{_PEERS}.{module}", folder]
    return found


def _floor(bundle: str, folder: str, read_seconds: float) -> list[BenchRow]:
    """Processor seconds of decoding and of the network, on one thread; beside all of ``read``'s, start-up included."""
    found = _child(f"{_PEERS}.floor", bundle, folder)
    films, whole = found["films"], found["decode"] + found["network"]
    base = f"read, {films} films, 1 core"

    def row(what: str, seconds: float) -> BenchRow:
        return BenchRow(
            what, films, seconds, seconds, None, films / seconds if seconds else None, base,
            read_seconds / seconds if seconds else None,
        )  # fmt: skip

    return [
        row("floor: decoding", found["decode"]),
        row("floor: network", found["network"]),
        row("floor: decoding and network", whole),
    ]


def _row(name: str, runs: Sequence[Run], films: int, against: str, base: float) -> BenchRow:
    seconds = middle(runs, "wall")
    # A child's peak starts at what its parent held when it was begun: it says nothing of a program that holds less.
    untold = name.startswith("score") or not films
    return BenchRow(
        what=name,
        films=films,
        seconds=seconds,
        cpu_seconds=middle(runs, "cpu"),
        peak_mb=None if untold else middle(runs, "peak"),
        rate=films / seconds if films > 1 else None,
        against="" if name == against else against,
        ratio=None if not against or name == against else base / seconds,
    )


def _child(module: str, *arguments: str) -> Any:
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-W", "ignore", "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PneumoscopeError(f"a measurement failed ({last[0][:200]})", where=module, remedy="Run it by itself")
    return json.loads(done.stdout.splitlines()[-1])


def this_machine() -> Machine:
    """The machine that this process runs on."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not tell the affinity
        cores = os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        memory = None
    return Machine(
        processor=_processor(),
        cores=cores,
        memory_gb=None if memory is None else round(memory, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=packages,
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
