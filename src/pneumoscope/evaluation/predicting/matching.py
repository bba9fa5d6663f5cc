"""A table of another system beside the data set that it speaks of: labels checked, patients and groups added."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.predicting.labelling import fit_labels
from pneumoscope.evaluation.predicting.system import Facts
from pneumoscope.evaluation.predictions import RefusedFilm
from pneumoscope.evaluation.strata import age_band, sex_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pneumoscope.dataset.sources.layout import Candidate
    from pneumoscope.evaluation.predicting.films import FilmsToJudge
    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["match_films"]


def match_films(
    table: PredictionTable, films: FilmsToJudge, *, renames: Mapping[str, str] | None = None
) -> PredictionTable:
    """Hold a table against the films that it speaks of.

    Films are found by their path, from the data set's root or absolute. What the table does not know (patients, age,
    sex, view) is taken from the data set. A film of the data set without a prediction is listed with the refused ones,
    so that nobody can leave out the hard ones unseen.

    Args:
        table: Of any system.
        films: The data set.
        renames: Labels to be taken for another; see ``fit_labels``.

    Raises:
        DatasetError: The table has films that the data set has not, or labels them otherwise.
    """
    by_path = {film.path: film for film in films.films}
    paths = [_from_root(path, films.root) for path in table.paths]
    if strangers := [old for old, new in zip(table.paths, paths, strict=True) if new not in by_path]:
        raise DatasetError(
            f"{len(strangers)} of {len(table)} films of the table are not in the data set (the first: {strangers[0]})",
            where=films.root,
            remedy="Give the data set that the table was made on; paths start from its folder",
        )
    mine = [by_path[path] for path in paths]
    facts = Facts(table.system, "", table.classes, table.positive, table.finding)
    fitted = fit_labels([film.label for film in mine], facts, renames=renames, where=films.root)
    truth = np.array([-1 if number is None else number for number in fitted.numbers])
    joined = fitted.classes != table.classes
    said = table.truth.astype(np.int64) if joined else table.labels
    ours = np.where(truth < 0, -1, np.isin(truth, fitted.positive)) if joined else truth
    wrong = np.flatnonzero(ours != said)
    if len(wrong):
        first = int(wrong[0])
        raise DatasetError(
            f"{len(wrong)} of {len(table)} films have another label in the table than in the data set (the first is "
            f"{table.classes[int(table.labels[first])]} in the table and {mine[first].label} in the data set)",
            where=table.paths[first],
            remedy="Correct the table; a label can be taken for another with --label LABEL=CLASS",
        )
    there = set(paths)
    silent = tuple(
        RefusedFilm(film.path, film.label, "no-prediction", "The table has no row for this film.")
        for film in films.films
        if film.path not in there
    )
    return replace(
        table,
        paths=tuple(paths),
        patients=_patients(mine) if table.patients is None else table.patients,
        strata=_strata(mine) | table.strata,
        films=table.films or films.words,
        refused=(*table.refused, *silent),
        root=str(films.root),
        notes=(*table.notes, *films.notes),
    )


def _from_root(path: str, root: Path) -> str:
    """A path as the data set writes it."""
    whole = os.path.normpath(root / path)
    base = os.path.normpath(root)
    return Path(whole).relative_to(base).as_posix() if Path(whole).is_relative_to(base) else path


def _patients(films: list[Candidate]) -> NDArray[np.str_] | None:
    """As far as the data set tells them; None if it tells none."""
    if not any(film.patient for film in films):
        return None
    return np.array([film.patient or f"film:{film.path}" for film in films], dtype=np.str_)


def _strata(films: list[Candidate]) -> dict[str, NDArray[np.str_]]:
    found = {
        "age": [age_band(film.age or "") for film in films],
        "sex": [sex_of(film.sex or "") for film in films],
        "view": [(film.view or "").strip().upper() for film in films],
        "source": [film.source or "" for film in films],
    }
    return {name: np.array(groups, dtype=np.str_) for name, groups in found.items() if any(groups)}
