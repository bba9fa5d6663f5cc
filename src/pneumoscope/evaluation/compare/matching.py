"""The films that all systems have, and those on which the systems disagree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pixels import open_film
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.evaluation.compare.result import Disagreement, UnmatchedFilm
from pneumoscope.reports.overlay import thumbnail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["MatchedTables", "find_disagreements", "match_tables", "thumbnails"]

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class MatchedTables:
    """The systems' tables, cut to the films that all of them have, in one order.

    Attributes:
        tables: By system.
        by: "sha256" or "path".
        patients: Of each film, str [N]; None where no system knows them.
        unmatched: The films that not all have.
    """

    tables: dict[str, PredictionTable]
    by: str
    patients: NDArray[np.str_] | None
    unmatched: tuple[UnmatchedFilm, ...]

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Whether each film has the finding, bool [N]; the systems agree on it."""
        return next(iter(self.tables.values())).truth


def match_tables(tables: Mapping[str, PredictionTable]) -> MatchedTables:
    """Cut tables to their common films.

    Films are one if their bytes are (sha256), where every table knows them, else if their paths are. Exact copies
    of a film within a table are paired in the order of their paths.

    Args:
        tables: By system, two or more.

    Raises:
        DatasetError: They have no film in common, they disagree on what a film is, or a film of one name is not
            the same in both.
    """
    by = "sha256" if all(table.sha256 and all(table.sha256) for table in tables.values()) else "path"
    places = {name: _places(table, by) for name, table in tables.items()}
    first = next(iter(places))
    common = [key for key in places[first] if all(key in found for found in places.values())]
    if not common:
        raise _nothing_in_common(tables, by)
    rows = {name: np.array([found[key] for key in common], dtype=np.int64) for name, found in places.items()}
    cut = {name: table.take(rows[name]) for name, table in tables.items()}
    _check_same_labels(cut)
    if by == "path":
        _check_same_files(cut)
    patients = next((table.patients for table in cut.values() if table.patients is not None), None)
    return MatchedTables(cut, by, patients, _unmatched(tables, places, set(common), by))


def _places(table: PredictionTable, by: str) -> dict[_Key, int]:
    """Row of each film by its key: the path or sha256, and a running number among equals."""
    order: Sequence[int] = range(len(table))
    names: Sequence[str] = table.paths
    if by == "sha256" and table.sha256 is not None:
        order, names = np.argsort(np.array(table.paths), kind="stable").tolist(), table.sha256
    seen: Counter[str] = Counter()
    found = {}
    for row in order:
        found[names[row], seen[names[row]]] = row
        seen[names[row]] += 1
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _nothing_in_common(tables: Mapping[str, PredictionTable], by: str) -> DatasetError:
    if by == "path":
        told = "; ".join(f"{name} has {table.paths[0]}" for name, table in tables.items())
        return DatasetError(
            f"no film is in all the tables: their paths differ ({told})",
            remedy="Give the films the same paths in every table, or a column sha256, or judge bundles with --data",
        )
    return DatasetError(
        "no film is in all the tables, by the sha256 of their files",
        where=", ".join(tables),
        remedy="Judge all of them on the same films with --data",
    )


def _check_same_labels(tables: Mapping[str, PredictionTable]) -> None:
    """Hold all systems to one truth: a label that differs would make every difference meaningless."""
    (one, first), *others = tables.items()
    for name, table in others:
        if wrong := np.flatnonzero(table.truth != first.truth).tolist():
            row = wrong[0]
            raise DatasetError(
                f"{len(wrong)} of the {len(first)} common films are of one kind in {one} and of the other in {name} "
                f"(this one is {first.label_names[row]} and {table.label_names[row]})",
                where=first.paths[row],
                remedy="Give both the same labels",
            )


def _check_same_files(tables: Mapping[str, PredictionTable]) -> None:
    known = [(name, table) for name, table in tables.items() if table.sha256 is not None]
    for (one, a), (other, b) in pairwise(known):
        for path, left, right in zip(a.paths, a.sha256 or (), b.sha256 or (), strict=True):
            if left and right and left != right:
                raise DatasetError(
                    f"the film of this name is another file in {one} than in {other}",
                    where=path,
                    remedy="Judge both on the same films",
                )


def _unmatched(
    tables: Mapping[str, PredictionTable], places: Mapping[str, dict[_Key, int]], common: set[_Key], by: str
) -> tuple[UnmatchedFilm, ...]:
    """Every film that at least one system has, or refused, and not all have."""
    found: dict[_Key, list[str]] = {}
    path_of: dict[_Key, str] = {}
    for name, rows in places.items():
        for key, row in rows.items():
            if key not in common:
                found.setdefault(key, []).append(name)
                path_of.setdefault(key, tables[name].paths[row])
    refused: dict[str, list[str]] = {}
    for name, table in tables.items():
        for film in table.refused:
            refused.setdefault(film.path, []).append(name)
    listed = [
        UnmatchedFilm(path_of[key], tuple(names), tuple(refused.pop(path_of[key], ()))) for key, names in found.items()
    ]
    # What is left was refused by some and is known to no other; or, matched by bytes, goes by another name there.
    known = {path for key in common for path in ([key[0]] if by == "path" else [])}
    listed += [UnmatchedFilm(path, (), tuple(names)) for path, names in refused.items() if path not in known]
    return tuple(sorted(listed, key=lambda film: film.path))


def find_disagreements(matched: MatchedTables, thresholds: Mapping[str, float]) -> tuple[Disagreement, ...]:
    """All films on which the calls differ, those first whose probabilities lie furthest apart."""
    first = next(iter(matched.tables.values()))
    truth, labels = matched.truth, first.label_names
    found = []
    for row, path in enumerate(first.paths):
        probability = {name: float(table.score[row]) for name, table in matched.tables.items()}
        called = {name: value >= thresholds[name] for name, value in probability.items()}
        if len(set(called.values())) > 1:
            label = labels[row]
            found.append(Disagreement(path, label, bool(truth[row]), probability, called))
    return tuple(sorted(found, key=lambda film: (-film.spread, film.path)))


def thumbnails(
    disputes: Sequence[Disagreement], matched: MatchedTables, side: int = 176
) -> dict[str, NDArray[np.uint8]]:
    """Small pictures of films by path, uint8 with the longer side ``side``; films that are not at hand have none."""
    first = next(iter(matched.tables.values()))
    places = {path: row for row, path in enumerate(first.paths)}
    found = {}
    for film in disputes:
        for table in matched.tables.values():
            if not table.root:
                continue
            try:
                radiograph = open_film(Path(table.root), table.paths[places[film.path]])
            except FilmError:
                continue
            found[film.path] = np.asarray(thumbnail(radiograph, side))
            break
    return found
