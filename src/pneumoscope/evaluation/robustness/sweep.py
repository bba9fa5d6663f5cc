"""The corruption sweep: every film under every corruption at every severity, journalled, then summarised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.evaluation.inference import ordered_map
from pneumoscope.evaluation.journal import Journal
from pneumoscope.evaluation.robustness.corruptions import choose_corruptions, corrupt
from pneumoscope.evaluation.robustness.result import (
    CorruptionInfo,
    RobustnessCell,
    RobustnessPoint,
    RobustnessResult,
    RobustnessSummary,
)
from pneumoscope.stats.bootstrap import bootstrap
from pneumoscope.stats.metrics import Metric, auc_metric, mean_metric, proportion_metric
from pneumoscope.stats.roc import roc_auc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from os import PathLike

    from pneumoscope.evaluation.dataset import LabelledFilm
    from pneumoscope.evaluation.robustness.corruptions import Corruption
    from pneumoscope.model.reader import Reader
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["SweepJournal", "SweepRow", "run_corruption_sweep", "summarize_sweep"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One reading of one film.

    Attributes:
        film: sha256 of the film as it came.
        corruption: By name; "none" for the film as it came.
        severity: 0 for the film as it came.
        strength: So that a changed table of corruptions finds no old row.
        probability: Of the finding; None if refused.
        refusal: The code; None if read.
        mended: Whether the film was put right before it was read.
    """

    film: str
    corruption: str
    severity: int
    strength: float
    probability: float | None
    refusal: str | None = None
    mended: bool = False

    @property
    def key(self) -> tuple[str, str, float]:
        """What the row answers."""
        return (self.film, self.corruption, self.strength)


@dataclass(frozen=True, slots=True)
class _JournalHead:
    format: int
    model: str
    software: str


class SweepJournal(Journal[SweepRow]):
    """An append-only file of rows.

    Args:
        path: The file; it is made if it is not there.
        model: sha256 of the bundle that reads.

    Attributes:
        rows: What was read so far, by key.

    Raises:
        UsageError: The journal is of another bundle or another version of the software.
        StorageError: It cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], model: str) -> None:
        super().__init__(
            path,
            SweepRow,
            _JournalHead(_FORMAT, model, __version__),
            holds="the sweep of another bundle or another version",
            remedy="Give another folder, or delete this file to start again",
        )
        self.rows = {row.key: row for row in self.found}

    def add(self, rows: Sequence[SweepRow]) -> None:
        """Append rows, and know them from now on.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        super().add(rows)
        self.rows.update({row.key: row for row in rows})


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.dataset import LabelledFilm
    from pneumoscope.evaluation.robustness.corruptions import Corruption
    from pneumoscope.model.reader import Reader

    Rows = Mapping[tuple[str, str, float], SweepRow]


_FILMS = "stress"


@dataclass(frozen=True, slots=True, eq=False)
class _CleanFilms:
    """The films that were read as they came.

    Attributes:
        truth: bool [N].
        patients: str [N].
        sha256: N of them.
        clean: The finding's probability as they came: float64 [N].
        presets: Threshold by preset.
        rng: For the bootstrap.
        draws: Of it.
    """

    truth: NDArray[np.bool_]
    patients: NDArray[np.str_]
    sha256: tuple[str, ...]
    clean: NDArray[np.float64]
    presets: dict[str, float]
    rng: np.random.Generator
    draws: int


def summarize_sweep(
    reader: Reader,
    films: Sequence[LabelledFilm],
    pairs: Sequence[tuple[Corruption, int]],
    rows: Rows,
    *,
    draws: int,
    seed: int,
) -> RobustnessResult:
    """Count.

    Args:
        reader: Names the bundle and its operating points.
        films: All films of the sweep.
        pairs: Corruption and severity, each in the journal for each film that could be read.
        rows: The journal.
        draws: Of the bootstrap.
        seed: Of it.

    Raises:
        DatasetError: No film could be read as it came.
    """
    first = [rows[film.sha256, "none", 0.0] for film in films]
    kept = [film for film, row in zip(films, first, strict=True) if row.probability is not None]
    left_out = tuple((f.path, r.refusal or "") for f, r in zip(films, first, strict=True) if r.probability is None)
    if not kept:
        raise DatasetError(
            f"none of the {len(films)} films can be read",
            where=films[0].path,
            remedy=f"The first was refused as {left_out[0][1]!r}",
        )
    base = _CleanFilms(
        truth=np.array([film.positive for film in kept]),
        patients=np.array([film.patient for film in kept]),
        sha256=tuple(film.sha256 for film in kept),
        clean=_probabilities([rows[film.sha256, "none", 0.0] for film in kept]),
        presets={point.preset: point.threshold for point in reader.meta.operating_points},
        rng=np.random.default_rng(seed),
        draws=draws,
    )
    degrees = [(c, s) for c, s in pairs if len(c.strengths) > 1]
    table = {(c.name, s): [rows[key, c.name, c.strengths[s - 1]] for key in base.sha256] for c, s in pairs}
    chosen = dict.fromkeys(corruption for corruption, _ in pairs)
    return RobustnessResult(
        model=reader.model,
        finding=reader.meta.finding,
        films=len(kept),
        positives=int(base.truth.sum()),
        negatives=int((~base.truth).sum()),
        patients=len(set(base.patients.tolist())),
        corruptions=tuple(CorruptionInfo(c.name, c.what, c.unit, c.strengths) for c in chosen),
        clean=_cell(base, "none", 0, 0.0, [rows[key, "none", 0.0] for key in base.sha256]),
        cells=tuple(_cell(base, c.name, s, c.strengths[s - 1], table[c.name, s]) for c, s in pairs),
        summary=tuple(
            _summary(base, level, {c.name: _probabilities(table[c.name, s]) for c, s in degrees if s == level})
            for level in sorted({s for _, s in degrees})
        ),
        left_out=left_out,
    )


def _probabilities(rows: Sequence[SweepRow]) -> NDArray[np.float64]:
    """float64 [N]; NaN for a refused film, for use in this file alone."""
    return np.array([np.nan if row.probability is None else row.probability for row in rows])


def _cell(base: _CleanFilms, name: str, severity: int, strength: float, rows: Sequence[SweepRow]) -> RobustnessCell:
    p = _probabilities(rows)
    read = np.isfinite(p)
    truth, people, now, before = base.truth[read], base.patients[read], p[read], base.clean[read]
    points = []
    for preset, threshold in base.presets.items():
        called = now >= threshold
        points.append(
            RobustnessPoint(
                preset=preset,
                threshold=threshold,
                recall=proportion_metric(f"recall ({preset})", called, people, _FILMS, among=truth),
                specificity=proportion_metric(f"specificity ({preset})", ~called, people, _FILMS, among=~truth),
                flipped=proportion_metric(f"flipped calls ({preset})", called != (before >= threshold), people, _FILMS),
            )
        )
    moved = now - before
    groups = {"": np.ones(len(truth), bool), ", with the finding": truth, ", without the finding": ~truth}
    shifts = [
        mean_metric(f"probability shift{name}", moved[part], people[part], _FILMS, rng=base.rng, draws=base.draws)
        for name, part in groups.items()
    ]
    return RobustnessCell(
        corruption=name,
        severity=severity,
        strength=strength,
        n=int(read.sum()),
        refused=(int((~read & base.truth).sum()), int((~read & ~base.truth).sum())),
        refusals=dict(sorted(Counter(row.refusal for row in rows if row.refusal).items())),
        mended=sum(row.mended for row in rows),
        points=tuple(points),
        auc=auc_metric("AUC", truth, now, people, _FILMS),
        shift=(shifts[0], shifts[1], shifts[2]),
    )


def _summary(base: _CleanFilms, severity: int, by_name: dict[str, NDArray[np.float64]]) -> RobustnessSummary:
    """Means over the corruptions. Patients are drawn once for all of them, since they share their films."""
    scores = np.stack(list(by_name.values()), axis=1)  # [N, corruptions]
    truth = base.truth
    why = _why_not(truth, by_name)

    def over(name: str, statistic: Callable[[NDArray[np.bool_], NDArray[np.float64]], float]) -> Metric:
        try:
            found = bootstrap(statistic, (truth, scores), base.patients, min(base.draws, 500), generator=base.rng)
        except ValueError as error:  # one class only, or a corruption whose every film was refused
            return Metric(name, None, None, None, len(truth), None, "bootstrap", _FILMS, why or str(error))
        return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", _FILMS)

    auc = over("AUC, mean over corruptions", lambda t, s: float(np.mean([_auc(t, column) for column in s.T])))
    worst = None
    if auc.value is not None:
        name = min(by_name, key=lambda name: _auc(truth, by_name[name]))
        worst = (name, _auc(truth, by_name[name]))
    recall, specificity = {}, {}
    for preset, at in base.presets.items():
        recall[preset] = over(f"recall ({preset}), mean over corruptions", partial(_recall, at))
        specificity[preset] = over(f"specificity ({preset}), mean over corruptions", partial(_specificity, at))
    return RobustnessSummary(severity=severity, auc=auc, worst=worst, recall=recall, specificity=specificity)


def _why_not(truth: NDArray[np.bool_], by_name: dict[str, NDArray[np.float64]]) -> str:
    """The corruptions that left no film of a kind to read, in words; empty if there are none."""
    empty = [name for name, p in by_name.items() if not np.isfinite(p[truth]).any() or not np.isfinite(p[~truth]).any()]
    return f"under {', '.join(empty)} no film of a kind was read" if empty else ""


def _recall(threshold: float, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return _rate(scores[truth] >= threshold, scores[truth])


def _specificity(threshold: float, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return _rate(scores[~truth] < threshold, scores[~truth])


def _auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    read = np.isfinite(scores)
    return roc_auc(truth[read], scores[read])


def _rate(right: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Mean over the corruptions (columns) of the share of the read films (rows) that are right."""
    read = np.isfinite(scores)
    if not read.any(axis=0).all():
        raise ValueError("a corruption has no film of this kind that was read")
    return float(((right & read).sum(axis=0) / read.sum(axis=0)).mean())


_JOURNAL = "stress.jsonl"
_CLEAN = ("none", 0, 0.0)


@dataclass(frozen=True, slots=True)
class _Task:
    """One film, and what is still to be read of it."""

    film: LabelledFilm
    clean: bool
    todo: tuple[tuple[Corruption, int], ...]


def run_corruption_sweep(
    reader: Reader,
    films: Sequence[LabelledFilm],
    out: str | PathLike[str],
    *,
    corruptions: Iterable[str] | None = None,
    severities: Iterable[int] | None = None,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = True,
) -> RobustnessResult:
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
    chosen = choose_corruptions(corruptions)
    levels = None if severities is None else frozenset(severities)
    pairs = [(c, s) for c in chosen for s in c.severities if levels is None or s in levels or len(c.strengths) == 1]
    folder = Path(out)
    with SweepJournal(folder / _JOURNAL, reader.model.sha256) as journal:
        tasks = list(_tasks(films, pairs, journal))
        done = ordered_map(partial(_read_all, reader), tasks, reader.settings.cpu_threads())
        for rows in track_progress(done, total=len(tasks), title="corrupting", show=progress):
            journal.add(rows)
        result = summarize_sweep(reader, films, pairs, journal.rows, draws=draws, seed=seed)
    result.save(folder / "stress.json")
    return result


def _tasks(
    films: Sequence[LabelledFilm], pairs: Sequence[tuple[Corruption, int]], journal: SweepJournal
) -> Iterator[_Task]:
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


def _read_all(reader: Reader, task: _Task) -> list[SweepRow]:
    """All that is missing of one film."""
    film = task.film
    try:
        radiograph = film.open()
    except FilmError as error:
        return [SweepRow(film.sha256, *_CLEAN, None, error.code)]
    rows = []
    if task.clean:
        rows.append(_read(reader, radiograph, film, _CLEAN))
        if rows[0].probability is None:
            return rows
    for corruption, severity in task.todo:
        worse = corrupt(radiograph, corruption, severity)
        rows.append(_read(reader, worse, film, (corruption.name, severity, corruption.strengths[severity - 1])))
    return rows


def _read(reader: Reader, radiograph: Radiograph, film: LabelledFilm, done: tuple[str, int, float]) -> SweepRow:
    """One reading; ``done`` is the corruption's name, the severity and the strength."""
    try:
        reading = reader.read(radiograph.pixels, name=film.path)
    except FilmError as error:
        return SweepRow(film.sha256, *done, None, error.code)
    if reading.finding is None:
        return SweepRow(film.sha256, *done, None, reading.refusal.code if reading.refusal else "refused")
    return SweepRow(film.sha256, *done, reading.finding.probability, None, bool(reading.corrections))
