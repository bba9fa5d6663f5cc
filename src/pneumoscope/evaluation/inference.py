"""Inference: films through a system into a predictions table, resumable, on an ordered pool of threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from pneumoscope import __version__
from pneumoscope.data.patients import join_patients
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.dataset import film_sites, map_labels
from pneumoscope.evaluation.journal import Journal
from pneumoscope.evaluation.predictions import (
    PredictionTable,
    RefusedFilm,
    age_band,
    aspect_band,
    normalize_sex,
    resolution_band,
)
from pneumoscope.evaluation.systems import FilmPrediction
from pneumoscope.model.learned_films import overlap_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.layout import Candidate
    from pneumoscope.evaluation.dataset import EvaluationFilms, MappedLabels
    from pneumoscope.evaluation.systems import System

__all__ = [
    "PredictionJournal",
    "ordered_map",
    "predict",
]

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Give ``work(item)`` for each item, in their order; twice as many items as threads are in hand.

    What ``work`` raises comes out at its item's place. When the taker stops, nothing more is begun.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="films")
    in_hand: deque[Future[R]] = deque()
    try:
        for item in items:
            if len(in_hand) == 2 * threads:
                yield in_hand.popleft().result()
            in_hand.append(pool.submit(work, item))
        while in_hand:
            yield in_hand.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _JournalHead:
    format: int
    system: str
    root: str
    software: str


class PredictionJournal(Journal[FilmPrediction]):
    """An append-only file of answers.

    Args:
        path: The file; made if it is not there.
        system: sha256 of the system that answers.
        root: Of the films.
        fresh: Throw away what is there.

    Attributes:
        answers: By the film's path.

    Raises:
        UsageError: The file is of another system, other films, or another version of the software.
        StorageError: It cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], system: str, root: Path, *, fresh: bool = False) -> None:
        super().__init__(
            path,
            FilmPrediction,
            _JournalHead(_FORMAT, system, str(root), __version__),
            holds="the answers of another system, on other films, or of another version",
            remedy="Give another folder, or start again with --fresh",
            fresh=fresh,
        )
        self.answers = {answer.path: answer for answer in self.found}


def predict(
    system: System,
    films: EvaluationFilms,
    *,
    parts: str | PathLike[str] | None = None,
    fresh: bool = False,
    renames: Mapping[str, str] | None = None,
    progress: bool = False,
) -> PredictionTable:
    """Read films and put what the system says of them into a table.

    Films are streamed, a few in hand at once. Labels are looked at before the first film is read.

    Args:
        system: A bundle, or a foreign classifier.
        films: See ``films_to_judge``.
        parts: A file that keeps each answer as it comes: after a kill the same call reads only what is missing.
        fresh: Throw away what is in it.
        renames: Labels to be taken for another; see ``fit_labels``.
        progress: Show a bar if a person looks at standard error.

    Raises:
        DatasetError: Labels that the system does not know, or no film could be read.
        UsageError: The file of parts is of another system or other films.
        StorageError: It cannot be written; what was read stays.
    """
    fitted = map_labels([film.label for film in films.films], system.facts, renames=renames, where=films.root)
    kept = [(film, number) for film, number in zip(films.films, fitted.numbers, strict=True) if number is not None]
    answers = _film_predictions(
        system, films.root, [film.path for film, _ in kept], parts, fresh=fresh, progress=progress
    )
    return _prediction_table(system, films, fitted, kept, answers)


def _film_predictions(
    system: System,
    root: Path,
    paths: Sequence[str],
    parts: str | PathLike[str] | None,
    *,
    fresh: bool,
    progress: bool,
) -> dict[str, FilmPrediction]:
    """What the system says of each film, from the file of parts where it is there and current."""
    stamps = {path: _stamp(root, path) for path in paths}
    with (
        nullcontext() if parts is None else PredictionJournal(parts, system.facts.sha256, root, fresh=fresh) as journal
    ):
        there = {} if journal is None else journal.answers
        found = {path: there[path] for path in paths if path in there and there[path].stamp == stamps[path]}
        missing = [path for path in paths if path not in found]
        answers = ordered_map(lambda path: system.answer(root, path, stamps[path]), missing, system.threads)
        for answer in track_progress(answers, total=len(missing), title="Reading", show=progress):
            if journal is not None:
                journal.add([answer])
            found[answer.path] = answer
    return found


def _stamp(root: Path, path: str) -> str:
    try:
        about = (root / path.partition(".npz#")[0]).stat() if ".npz#" not in path else None
    except OSError:
        return ""  # reading it will say what is wrong
    return "" if about is None else f"{about.st_size} {about.st_mtime_ns}"


def _prediction_table(
    system: System,
    films: EvaluationFilms,
    fitted: MappedLabels,
    kept: Sequence[tuple[Candidate, int]],
    answers: Mapping[str, FilmPrediction],
) -> PredictionTable:
    facts = system.facts
    read = [(film, number, answers[film.path]) for film, number in kept if answers[film.path].code is None]
    refused = tuple(
        RefusedFilm(film.path, film.label, answer.code, answer.reason)
        for film, _ in kept
        if (answer := answers[film.path]).code is not None
    ) + tuple(RefusedFilm(path, "", "not-judged", reason) for path, reason in films.problems)
    if not read:
        first = f" (the first: {refused[0].path}: {refused[0].reason})" if refused else ""
        raise DatasetError(f"none of the {len(kept)} films could be read{first}", where=films.root, remedy="Check them")
    p = np.array([answer.probabilities for _, _, answer in read], dtype=np.float64)
    if fitted.joined and p.shape[1] == 2:
        # The system may name the finding first: its columns are taken by what they mean.
        p = p[:, [1 - facts.positive[0], facts.positive[0]]]
    elif fitted.joined:
        score = np.clip(p[:, list(facts.positive)].sum(axis=1), 0, 1)
        p = np.stack([1 - score, score], axis=1)
    inside = np.array([np.nan if a.inside_lungs is None else a.inside_lungs for _, _, a in read])
    return PredictionTable(
        paths=tuple(film.path for film, _, _ in read),
        labels=np.array([number for _, number, _ in read], dtype=np.int64),
        probabilities=p,
        classes=fitted.classes,
        positive=fitted.positive,
        finding=facts.finding,
        thresholds=dict(facts.thresholds),
        chosen=dict(facts.chosen),
        patients=np.array(join_patients((film.path, film.patient, a.sha256 or film.path) for film, _, a in read)),
        sha256=tuple(a.sha256 or "" for _, _, a in read),
        inside_lungs=None if np.isnan(inside).all() else inside,
        strata=_film_strata(films, fitted, [(film, a) for film, _, a in read]),
        system=facts.name,
        films=films.words,
        refused=refused,
        root=str(films.root),
        band=facts.band,
        notes=(
            *facts.notes,
            *films.notes,
            *fitted.notes,
            *overlap_notes(facts.learned, [a.sha256 or "" for _, _, a in read]),
        ),
    )


def _film_strata(
    films: EvaluationFilms, fitted: MappedLabels, read: Sequence[tuple[Candidate, FilmPrediction]]
) -> dict[str, NDArray[np.str_]]:
    """The groups that are known; what is known of no film is left out."""
    found = {
        "labelled": [film.label for film, _ in read] if fitted.joined else [],
        "source": [film.source or films.source for film, _ in read],
        "site": film_sites([film for film, _ in read]),
        "resolution": [resolution_band(a.rows, a.columns) if a.rows and a.columns else "" for _, a in read],
        "aspect": [aspect_band(a.rows, a.columns) if a.rows and a.columns else "" for _, a in read],
        "age": [age_band(film.age or "") for film, _ in read],
        "sex": [normalize_sex(film.sex or "") for film, _ in read],
        "view": [(film.view or "").strip().upper() for film, _ in read],
    }
    return {name: np.array(groups, dtype=np.str_) for name, groups in found.items() if any(groups)}
