"""Which films all systems have, and that they agree on what these films are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.compare.result import Unmatched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["Matched", "match"]

_Key = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
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
    unmatched: tuple[Unmatched, ...]

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Whether each film has the finding, bool [N]; the systems agree on it."""
        return next(iter(self.tables.values())).truth


def match(tables: Mapping[str, PredictionTable]) -> Matched:
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
    _same_truth(cut)
    if by == "path":
        _same_bytes(cut)
    patients = next((table.patients for table in cut.values() if table.patients is not None), None)
    return Matched(cut, by, patients, _unmatched(tables, places, set(common), by))


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


def _same_truth(tables: Mapping[str, PredictionTable]) -> None:
    """Hold all systems to one truth: a label that differs would make every difference meaningless."""
    (one, first), *others = tables.items()
    for name, table in others:
        if wrong := np.flatnonzero(table.truth != first.truth).tolist():
            row = wrong[0]
            raise DatasetError(
                f"{len(wrong)} of the {len(first)} common films are of one kind in {one} and of the other in {name} "
                f"(this one is {first.classes[first.labels[row]]} and {table.classes[table.labels[row]]})",
                where=first.paths[row],
                remedy="Give both the same labels",
            )


def _same_bytes(tables: Mapping[str, PredictionTable]) -> None:
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
) -> tuple[Unmatched, ...]:
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
        Unmatched(path_of[key], tuple(names), tuple(refused.pop(path_of[key], ()))) for key, names in found.items()
    ]
    # What is left was refused by some and is known to no other; or, matched by bytes, goes by another name there.
    known = {path for key in common for path in ([key[0]] if by == "path" else [])}
    listed += [Unmatched(path, (), tuple(names)) for path, names in refused.items() if path not in known]
    return tuple(sorted(listed, key=lambda film: film.path))
