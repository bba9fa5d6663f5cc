"""Score many films into one table: the whole story in one function."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.reports.csv import columns
from pneumoscope.scoring.film_search import find_film_refs
from pneumoscope.scoring.ledger import LEDGER, Ledger
from pneumoscope.scoring.outcome import Failure, FilmRef, Outcome
from pneumoscope.scoring.table import FOLDERS, ScoreTable
from pneumoscope.settings import NOTICE
from pneumoscope.storage import lock_file, make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.outcome import Chunk

__all__ = ["Engine", "ScoreSummary", "count_films", "score"]

CHUNK = 16
"""Films that a worker takes at a time."""

_LOCK = "_lock"
_SUMMARY = "_run.json"
_PART_SECONDS = 60.0  # a part is closed after this long, so that a kill costs a minute at most
_OURS = {LEDGER, _LOCK, _SUMMARY, "failed.csv", *FOLDERS.values()}


class Engine(Protocol):
    """What reads chunks: processes here, or a cluster."""

    def run(self, chunks: Iterator[Chunk]) -> Iterator[list[Outcome]]:
        """Read chunks, taken as there is room for them; an outcome for each film, in any order."""


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """What a run did.

    Attributes:
        read: Films read in this run.
        refused: Films refused in this run.
        failed: Films and shards that could not be come by; the next run tries them again.
        before: Films that were in the table before this run, and were asked for again.
        lost_parts: Parts of the table that had gone missing, and were read again.
        seconds: Of this run.
        total_read: Films read in the table.
        total_refused: Films refused in the table.
    """

    read: int
    refused: int
    failed: int
    before: int
    lost_parts: int
    seconds: float
    total_read: int
    total_refused: int


def score(
    inputs: Sequence[str],
    out: Path,
    spec: ReaderSpec,
    engine: Engine,
    *,
    form: Literal["parquet", "csv"] = "parquet",
    part_size: int = 4096,
    tell: Callable[[int], None] | None = None,
) -> ScoreSummary:
    """Score films into a table; begun again with the same arguments, it goes on where it stopped.

    Args:
        inputs: As for ``find_film_refs``.
        out: The table's folder: new, empty, or one that this function began.
        spec: Of the readers.
        engine: What reads.
        form: Of the parts.
        part_size: Films of a part.
        tell: Called with the number of films that have got their outcome, those of earlier runs included.

    Raises:
        UsageError: Something else is in the folder, another run works on it, or it was begun with another bundle.
        BundleError: The bundle cannot be used.
        StorageError: The disk is full, or the films cannot be listed. What is in the table is whole.
    """
    started = time.monotonic()
    reader = spec.reader()  # says no to the bundle here, and not in every worker
    _check_folder(out)
    make_folder(out)
    with ExitStack() as stack:
        if not stack.enter_context(lock_file(out / _LOCK)):
            raise UsageError("another run writes this table", where=out, remedy="Wait for it, or give another --out")
        ledger = stack.enter_context(Ledger(out / LEDGER))
        ledger.settle(
            {
                "bundle": reader.model.sha256,
                "preset": reader.point.preset,
                "coverage": None if spec.coverage is None else str(spec.coverage),
                "mend": str(spec.mend),
                "force": str(spec.force),
                "format": form,
            }
        )
        table = ScoreTable(out, ledger, columns(reader.meta.class_names, reader.meta.finding), form)
        ledger.forget_failures()
        run = _Run(ledger, table, part_size, tell)
        try:
            for outcomes in engine.run(run.chunks(find_film_refs(inputs))):
                run.take(outcomes)
        except KeyboardInterrupt:
            run.close()
            raise
        run.close()
        read, refused = ledger.counts()
        left = table.write_failures()
        summary = ScoreSummary(
            read=run.counts["read"],
            refused=run.counts["refused"],
            failed=len(left),
            before=run.before,
            lost_parts=table.lost_parts,
            seconds=time.monotonic() - started,
            total_read=read,
            total_refused=refused,
        )
        _write_summary(out / _SUMMARY, summary, reader.model.name, reader.model.version, reader.model.sha256)
    return summary


def count_films(inputs: Sequence[str]) -> int:
    """How many films the inputs mean; for a progress bar."""
    return sum(isinstance(film, FilmRef) for film in find_film_refs(inputs))


class _Run:
    """The state of one run between its engine and its table."""

    def __init__(self, ledger: Ledger, table: ScoreTable, part_size: int, tell: Callable[[int], None] | None) -> None:
        self._ledger, self._table, self._part_size, self._tell = ledger, table, part_size, tell
        self._on_the_way: set[str] = set()
        self._settled: set[str] = set()  # have an outcome that is not in the ledger: held, or failed
        self._held: list[Outcome] = []
        self._opened = time.monotonic()
        self.counts = {"read": 0, "refused": 0, "failed": 0}
        self.before = 0

    def chunks(self, films: Iterator[FilmRef | Failure]) -> Iterator[Chunk]:
        """The films that are not in the table yet, each once however often the inputs name it."""
        chunk: list[FilmRef] = []
        for film in films:
            if isinstance(film, Failure):
                self._hold([Outcome(film.name, "failed", failure=film)])
                continue
            if film.name in self._on_the_way or film.name in self._settled:
                continue
            if film.name in self._ledger:
                self.before += 1
                self._told()
                continue
            self._on_the_way.add(film.name)
            chunk.append(film)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def take(self, outcomes: list[Outcome]) -> None:
        """Keep outcomes until a part is full or old enough; those of a film that has one already are dropped."""
        self._hold([each for each in outcomes if each.name in self._on_the_way])
        self._told()
        if len(self._held) >= self._part_size or time.monotonic() - self._opened > _PART_SECONDS:
            self.close()

    def _hold(self, outcomes: list[Outcome]) -> None:
        for each in outcomes:
            self._on_the_way.discard(each.name)
            self._settled.add(each.name)
            self.counts[each.status] += 1
        self._held += outcomes

    def _told(self) -> None:
        if self._tell is not None:
            self._tell(self.before + sum(self.counts.values()))

    def close(self) -> None:
        """Write what is held as one part."""
        if self._held:
            self._table.write(self._held)
            self._settled -= {each.name for each in self._held if each.status != "failed"}
        self._held, self._opened = [], time.monotonic()


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError("this is a file, and the table is a folder of parts", where=out, remedy="Give another --out")
    if out.is_dir() and not (out / LEDGER).exists():
        others = [path.name for path in out.iterdir() if path.name not in _OURS]
        if others:
            raise UsageError(
                f"the folder holds something else ({others[0]})", where=out, remedy="Give a new or empty folder"
            )


def _write_summary(path: Path, summary: ScoreSummary, name: str, version: str, sha256: str) -> None:
    about = {
        "films": {"read": summary.total_read, "refused": summary.total_refused, "failed": summary.failed},
        "bundle": {"name": name, "version": version, "sha256": sha256},
        "software": f"pneumoscope {__version__}",
        "notice": NOTICE,
    }
    write_atomically(path, json.dumps(about, indent=2) + "\n")
