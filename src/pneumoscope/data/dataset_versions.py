"""Two versions of a labelled data set, and what changed between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["DatasetDifference", "Relabelled", "dataset_difference"]

_REMEDY = "Give folders that pneumoscope dataset export wrote"


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A film whose label changed."""

    path: str
    before: str
    after: str
    by: str


@dataclass(frozen=True, slots=True)
class DatasetDifference:
    """What changed from one version to another.

    Attributes:
        old: Version of the first, by its hash.
        new: Of the second.
        added: Films of the second alone.
        removed: Of the first alone.
        relabelled: Of both, with another label.
        changed: Of both, with the same label and other provenance, patient or facts.
        same: Of both, alike in everything.
        labels_before: Films by label.
        labels_after: Likewise.
    """

    old: str
    new: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    relabelled: tuple[Relabelled, ...]
    changed: tuple[str, ...]
    same: int
    labels_before: dict[str, int]
    labels_after: dict[str, int]


def dataset_difference(old: str | PathLike[str], new: str | PathLike[str]) -> DatasetDifference:
    """Compare two exported data sets, film by film.

    Raises:
        DatasetError: One of them is no exported data set.
    """
    first, second = _films(Path(old)), _films(Path(new))
    both = sorted(first.keys() & second.keys())
    relabelled = tuple(
        Relabelled(path, first[path]["label"], second[path]["label"], second[path].get("labelled_by", ""))
        for path in both
        if first[path]["label"] != second[path]["label"]
    )
    other = {one.path for one in relabelled}
    changed = tuple(path for path in both if path not in other and first[path] != second[path])
    return DatasetDifference(
        _version(Path(old)),
        _version(Path(new)),
        tuple(sorted(second.keys() - first.keys())),
        tuple(sorted(first.keys() - second.keys())),
        relabelled,
        changed,
        len(both) - len(relabelled) - len(changed),
        _counts(first),
        _counts(second),
    )


def _films(folder: Path) -> dict[str, dict[str, str]]:
    names, rows = read_rows(folder / "films.csv")
    if not {"path", "label"} <= set(names):
        raise DatasetError("the table has no columns path and label", where=folder / "films.csv", remedy=_REMEDY)
    table = [dict(zip(names, row, strict=False)) for row in rows]
    return {row["path"]: row for row in table}


def _version(folder: Path) -> str:
    try:
        return str(json.loads((folder / "dataset.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError("this is no exported data set", where=folder, remedy=_REMEDY) from error


def _counts(films: dict[str, dict[str, str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in films.values():
        found[row["label"]] = found.get(row["label"], 0) + 1
    return dict(sorted(found.items()))
