"""The sweep: every film under every corruption at every severity, through the reading path that users have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.stress.corruptions import choose, corrupt
from pneumoscope.evaluation.stress.journal import Journal, Row
from pneumoscope.evaluation.stress.tally import tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike

    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.evaluation.labelled import LabelledFilm
    from pneumoscope.evaluation.stress.corruptions import Corruption
    from pneumoscope.evaluation.stress.result import StressResult
    from pneumoscope.reading import Reader

__all__ = ["run_stress"]

_JOURNAL = "stress.jsonl"
_CLEAN = ("none", 0, 0.0)


@dataclass(frozen=True, slots=True)
class _Task:
    """One film, and what is still to be read of it."""

    film: LabelledFilm
    clean: bool
    todo: tuple[tuple[Corruption, int], ...]


def run_stress(
    reader: Reader,
    films: Sequence[LabelledFilm],
    out: str | PathLike[str],
    *,
    corruptions: Iterable[str] | None = None,
    severities: Iterable[int] | None = None,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = True,
) -> StressResult:
    """Read every film as it came and under every corruption, and count.

    Each film is decoded once and corrupted at its own resolution; every reading is ``reader.read``, with framing,
    gate and mending as they are. A few films are in hand at once, one a thread. Each reading is a line of
    ``OUT/stress.jsonl``; after a kill the same call reads only what is missing, and more films or more corruptions
    in the same folder cost only what is new. The result is also written, as ``OUT/stress.json``.

    Args:
        reader: The bundle; all its operating points are judged, whatever the reader's preset.
        films: See ``evaluation.labelled``. A film that is refused as it came is listed and left out.
        out: The folder.
        corruptions: By name; None: all. See ``corruptions.CORRUPTIONS``.
        severities: Which of 1 to 5; None: all. A corruption without degrees has its one.
        draws: Of the bootstrap.
        seed: Of the bootstrap. The corruptions take their chance from the films.
        progress: Show a bar if a person looks at standard error.

    Raises:
        DatasetError: There are no films, or none that can be read as it came.
        UsageError: An unknown corruption, or a folder with the sweep of another bundle.
        StorageError: The folder cannot be written; what was read stays.
    """
    if not films:
        raise DatasetError("there are no films to corrupt", remedy="Give at least one film of each class")
    chosen = choose(corruptions)
    levels = None if severities is None else frozenset(severities)
    pairs = [(c, s) for c in chosen for s in c.severities if levels is None or s in levels or len(c.strengths) == 1]
    folder = Path(out)
    with Journal(folder / _JOURNAL, reader.model.sha256) as journal:
        tasks = list(_tasks(films, pairs, journal))
        done = stream(partial(_read_all, reader), tasks, reader.settings.cpu_threads())
        for rows in counted(done, total=len(tasks), title="corrupting", show=progress):
            journal.add(rows)
        result = tally(reader, films, pairs, journal.rows, draws=draws, seed=seed)
    result.save(folder / "stress.json")
    return result


def _tasks(films: Sequence[LabelledFilm], pairs: Sequence[tuple[Corruption, int]], journal: Journal) -> Iterator[_Task]:
    """What is not in the journal. Films of the same bytes are read once, and refused ones are not asked again."""
    seen: set[str] = set()
    for film in films:
        if film.sha256 in seen:
            continue
        seen.add(film.sha256)
        clean = journal.rows.get((film.sha256, _CLEAN[0], _CLEAN[2]))
        if clean is not None and clean.probability is None:
            continue
        todo = tuple((c, s) for c, s in pairs if (film.sha256, c.name, c.strengths[s - 1]) not in journal.rows)
        if clean is None or todo:
            yield _Task(film, clean is None, todo)


def _read_all(reader: Reader, task: _Task) -> list[Row]:
    """All that is missing of one film."""
    film = task.film
    try:
        radiograph = film.open()
    except FilmError as error:
        return [Row(film.sha256, *_CLEAN, None, error.code)]
    rows = []
    if task.clean:
        rows.append(_read(reader, radiograph, film, _CLEAN))
        if rows[0].probability is None:
            return rows
    for corruption, severity in task.todo:
        worse = corrupt(radiograph, corruption, severity)
        rows.append(_read(reader, worse, film, (corruption.name, severity, corruption.strengths[severity - 1])))
    return rows


def _read(reader: Reader, radiograph: Radiograph, film: LabelledFilm, done: tuple[str, int, float]) -> Row:
    """One reading; ``done`` is the corruption's name, the severity and the strength."""
    try:
        reading = reader.read(radiograph.pixels, name=film.path)
    except FilmError as error:
        return Row(film.sha256, *done, None, error.code)
    if reading.finding is None:
        return Row(film.sha256, *done, None, reading.refusal.code if reading.refusal else "refused")
    return Row(film.sha256, *done, reading.finding.probability, None, bool(reading.mended))
