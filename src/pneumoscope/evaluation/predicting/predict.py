"""Read films with a system, and put what it says into a table."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.patients import join_patients
from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.predicting.labelling import fit_labels
from pneumoscope.evaluation.predicting.parts import Parts
from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm
from pneumoscope.evaluation.strata import age_band, aspect_band, resolution_band, sex_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.dataset.sources.layout import Candidate
    from pneumoscope.evaluation.predicting.films import FilmsToJudge
    from pneumoscope.evaluation.predicting.labelling import Fitted
    from pneumoscope.evaluation.predicting.system import Answer, System

__all__ = ["predict"]


def predict(
    system: System,
    films: FilmsToJudge,
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
    fitted = fit_labels([film.label for film in films.films], system.facts, renames=renames, where=films.root)
    kept = [(film, number) for film, number in zip(films.films, fitted.numbers, strict=True) if number is not None]
    answers = _answers(system, films.root, [film.path for film, _ in kept], parts, fresh=fresh, progress=progress)
    return _table(system, films, fitted, kept, answers)


def _answers(
    system: System,
    root: Path,
    paths: Sequence[str],
    parts: str | PathLike[str] | None,
    *,
    fresh: bool,
    progress: bool,
) -> dict[str, Answer]:
    """What the system says of each film, from the file of parts where it is there and current."""
    stamps = {path: _stamp(root, path) for path in paths}
    with nullcontext() if parts is None else Parts(parts, system.facts.sha256, root, fresh=fresh) as journal:
        there = {} if journal is None else journal.answers
        found = {path: there[path] for path in paths if path in there and there[path].stamp == stamps[path]}
        missing = [path for path in paths if path not in found]
        answers = stream(lambda path: system.answer(root, path, stamps[path]), missing, system.threads)
        for answer in counted(answers, total=len(missing), title="Reading", show=progress):
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


def _table(
    system: System,
    films: FilmsToJudge,
    fitted: Fitted,
    kept: Sequence[tuple[Candidate, int]],
    answers: Mapping[str, Answer],
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
    if len(fitted.classes) != p.shape[1]:
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
        strata=_strata(films, fitted, [(film, a) for film, _, a in read]),
        system=facts.name,
        films=films.words,
        refused=refused,
        root=str(films.root),
        band=facts.band,
        notes=(*films.notes, *fitted.notes),
    )


def _strata(
    films: FilmsToJudge, fitted: Fitted, read: Sequence[tuple[Candidate, Answer]]
) -> dict[str, NDArray[np.str_]]:
    """The groups that are known; what is known of no film is left out."""
    found = {
        "labelled": [film.label for film, _ in read] if fitted.joined else [],
        "source": [film.source or films.source for film, _ in read],
        "resolution": [resolution_band(a.rows, a.columns) if a.rows and a.columns else "" for _, a in read],
        "aspect": [aspect_band(a.rows, a.columns) if a.rows and a.columns else "" for _, a in read],
        "age": [age_band(film.age or "") for film, _ in read],
        "sex": [sex_of(film.sex or "") for film, _ in read],
        "view": [(film.view or "").strip().upper() for film, _ in read],
    }
    return {name: np.array(groups, dtype=np.str_) for name, groups in found.items() if any(groups)}
