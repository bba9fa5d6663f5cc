"""``pneumoscope score``: many films into one table, resumed after any kill."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pneumoscope.errors import PneumoscopeError, UsageError
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.score import Engine, ScoreSummary

__all__ = ["score"]

_LINE_SECONDS = 30.0  # between lines of progress where no person looks at a bar


class _Format(StrEnum):
    parquet = "parquet"
    csv = "csv"


class _Engine(StrEnum):
    local = "local"
    ray = "ray"


def score(  # noqa: PLR0917 - typer makes them options
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Films, folders, patterns in quotes, lists (.txt, .csv), manifests (.parquet), shards (.tar, .tar.gz, "
            ".zip), and URLs of all these (s3://, https://, ...).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The table: new, or begun by this command.")],
    form: Annotated[_Format, typer.Option("--format", help="Of the table's parts.")] = _Format.parquet,
    model: Annotated[str | None, typer.Option(help="A shipped bundle's name, or a bundle's path.")] = None,
    preset: Annotated[str | None, typer.Option(help="The operating point: three-way, screening or balanced.")] = None,
    coverage: Annotated[float | None, typer.Option(help="Nominal coverage of the prediction set: 0.9 or 0.95.")] = None,
    no_mend: Annotated[bool, typer.Option("--no-mend", help="Correct nothing: refuse such films.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Read films that quality control refuses, too.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; one per CPU (of the cluster, with ray) without it.")
    ] = None,
    part_size: Annotated[int, typer.Option("--part-size", min=1, help="Films of one part of the table.")] = 4096,
    engine: Annotated[_Engine, typer.Option(help="This machine's processes, or a Ray cluster's.")] = _Engine.local,
    address: Annotated[
        str | None,
        typer.Option("--ray-address", help="Of the Ray cluster; without it RAY_ADDRESS, or one on this machine."),
    ] = None,
) -> None:
    """Score many films into one table of Parquet or CSV parts; the same command again goes on after any kill.

    Refused films stand in a side table with their reasons; what could not be come by (a cut shard, a bucket that does
    not answer) stands in failed.csv, and the same command tries it again. No film is in the table twice.
    Research use only.

    Exit code 0: all films read; 3: some refused or failed; 2: wrong usage, another run on this table, a table of
    another bundle; 4: the bundle cannot be used; 5: disk full, or films that cannot be listed.

    Example: pneumoscope score s3://bucket/films/ shards/*.tar --out table/
    """
    from dataclasses import replace

    from pneumoscope.model.bundle import find_bundle
    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.score import score as score_films
    from pneumoscope.settings import Settings

    settings = Settings.from_environment()
    spec = ReaderSpec(
        bundle=find_bundle(model or settings.model),
        preset=preset,
        coverage=coverage,
        mend=not no_mend,
        force=force,
        settings=replace(settings, threads=1),
    )
    chosen = _engine(engine, spec, workers or (settings.cpu_threads() if engine is _Engine.local else 0), address)
    if address is not None and engine is not _Engine.ray:
        raise UsageError("--ray-address is of the Ray engine", remedy="Give --engine ray too")
    with _progress(inputs) as tell:
        summary = score_films(inputs, out, spec, chosen, form=form.value, part_size=part_size, tell=tell)
    _print(summary, out)
    if summary.refused or summary.failed:
        raise typer.Exit(3)


def _engine(kind: _Engine, spec: ReaderSpec, workers: int, address: str | None) -> Engine:
    if kind is _Engine.ray:
        from pneumoscope.cli.console import require_packages
        from pneumoscope.scoring.ray_engine import RayEngine

        require_packages("ray", needed_for="--engine ray", extra="ray")
        return RayEngine(spec, workers or None, address)
    from pneumoscope.scoring.local_engine import LocalEngine

    return LocalEngine(spec, workers)


def _print(summary: ScoreSummary, out: Path) -> None:
    rate = (summary.read + summary.refused) / summary.seconds if summary.seconds else 0.0
    before = f", {summary.before} there before" if summary.before else ""
    lost = f"; {summary.lost_parts} parts had gone missing and were read again" if summary.lost_parts else ""
    print(  # noqa: T201 - standard output is the product
        f"{summary.read} read, {summary.refused} refused, {summary.failed} failed{before} "
        f"({summary.seconds:.1f} s, {rate:.1f} films/s){lost}\n"
        f"{out}: {summary.total_read} read, {summary.total_refused} refused in all\n{NOTICE}",
        flush=True,
    )


@contextmanager
def _progress(inputs: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """A bar with rate and time left on a terminal, a line now and then elsewhere. The films are counted meanwhile."""
    from pneumoscope.cli.console import progress

    line = _ProgressLine()
    total: list[int] = []
    with progress(None) as bar:

        def count() -> None:
            from pneumoscope.scoring.score import count_films

            try:
                total.append(count_films(inputs))
            except (PneumoscopeError, OSError):  # the run itself says what is wrong
                return

        def tell(done: int) -> None:
            known = total[0] if total else None
            if bar is None:
                line.tell(done, known)
            else:
                rate = line.rate(done)
                bar.update(bar.task_ids[0], completed=done, total=known, description=f"films, {rate:.0f}/s")

        threading.Thread(target=count, daemon=True).start()
        yield tell


class _ProgressLine:
    def __init__(self) -> None:
        self._started = self._last = time.monotonic()
        self._first: int | None = None

    def rate(self, done: int) -> float:
        """Films a second since the first that were told of."""
        if self._first is None:
            self._first = done
        return (done - self._first) / max(time.monotonic() - self._started, 1e-3)

    def tell(self, done: int, total: int | None) -> None:
        """Say how far it is, if that was not said just now."""
        rate = self.rate(done)
        now = time.monotonic()
        if now - self._last < _LINE_SECONDS:
            return
        self._last = now
        left = "" if total is None or not rate else f", {max(total - done, 0) / rate / 60:.0f} min left"
        of = "" if total is None else f" of {total}"
        print(f"{done}{of} films, {rate:.0f}/s{left}", file=sys.stderr, flush=True)  # noqa: T201 - progress
