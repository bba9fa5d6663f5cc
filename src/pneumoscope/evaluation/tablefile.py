"""Predictions tables as files: Parquet with all that is known, CSV for other programs, and tables of other systems.

Parquet keeps what is no column (classes, thresholds, refused films) in the file's metadata. Any other table needs
the columns path and label, and either one column p_CLASS a class or one column score (the finding's probability).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.dataset.sources.table import find_columns, read_rows
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.evaluation.predictions import UNKNOWN, PredictionTable, RefusedFilm
from pneumoscope.evaluation.saidby import numbers, predicted, score_column
from pneumoscope.evaluation.strata import age_band
from pneumoscope.storage import csv_text, open_atomically, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from numpy.typing import NDArray

__all__ = ["is_predictions", "read_table", "write_csv", "write_parquet"]

_METADATA_KEY = b"pneumoscope.predictions"
_FORMAT = 1
_STRATA = ("source", "resolution", "aspect", "age", "sex", "view", "site", "hospital", "scanner", "ethnicity")
_FOREIGN = "Give the columns path and label, and one column p_CLASS a class or one column score (a probability)"


def write_parquet(table: PredictionTable, path: str | PathLike[str]) -> None:
    """Write everything that a table holds.

    Raises:
        MissingExtra: pyarrow is not installed.
        StorageError: The disk is full or the folder cannot be written.
    """
    pa, pq = _arrow()
    about = {
        "format": _FORMAT,
        "classes": table.classes,
        "positive": table.positive,
        "finding": table.finding,
        "thresholds": table.thresholds,
        "chosen": table.chosen,
        "band": table.band,
        "strata": list(table.strata),
        "system": table.system,
        "films": table.films,
        "root": table.root,
        "notes": table.notes,
        "refused": [[film.path, film.label, film.code, film.reason] for film in table.refused],
    }
    arrow = pa.table(_columns(table)).replace_schema_metadata({_METADATA_KEY: json.dumps(about).encode()})
    with open_atomically(path) as file:
        pq.write_table(arrow, file)


def write_csv(table: PredictionTable, path: str | PathLike[str]) -> None:
    """Write the rows for other programs; probabilities with all their digits, so that nothing is lost.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    columns = _columns(table)
    text = csv_text([list(columns), *zip(*columns.values(), strict=True)])
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def read_table(
    path: str | PathLike[str],
    *,
    part: str | None = None,
    every_part: bool = False,
    positive: Sequence[str] | None = None,
    finding: str | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> PredictionTable:
    """Read a predictions table: ours, a run's, or another system's.

    Args:
        path: A .parquet, .csv or .tsv file.
        part: Of a table with a column part (or split): keep these films.
        every_part: Keep the films of all parts.
        positive: Which classes are the finding; without it, those that are not named like a negative one.
        finding: What it is called; without it, the only positive class, or "pneumonia" of bacterial and viral,
            or "finding".
        thresholds: Frozen operating points, by preset, in place of the file's.

    Raises:
        DatasetError: The file cannot be read, a column is missing, several parts and none is asked for, or the
            table is not sound (see ``PredictionTable``).
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    about = _about(path)
    names, rows = read_rows(path)
    if not rows:
        raise DatasetError("the table has no films", where=path, remedy=_FOREIGN)
    if short := next((number for number, row in enumerate(rows, 2) if len(row) < len(names)), None):
        raise DatasetError(f"line {short} has fewer cells than the header", where=path, remedy="Complete the line")
    columns = {name: [row[place].strip() for row in rows] for place, name in enumerate(names)}
    known = {key: columns[names[place]] for key, place in find_columns(names).items()}
    if missing := [key for key in ("path", "label") if key not in known]:
        raise DatasetError(
            f"the table has no column {' and no column '.join(missing)} (it has: {', '.join(names)})",
            where=path,
            remedy="Separate the columns by commas, not by semicolons" if ";" in names[0] else _FOREIGN,
        )
    kept = _of_part(None if every_part else known.get("part"), len(rows), part, path)
    said = predicted(columns, known["label"], path, about=about, positive=positive, finding=finding)
    patients = known.get("patient")
    inside = columns.get("inside_lungs")
    digests = columns.get("sha256")
    return PredictionTable(
        paths=tuple(known["path"][row] for row in kept),
        labels=said.labels[kept],
        probabilities=said.probabilities[kept],
        classes=said.classes,
        positive=said.positive,
        finding=said.finding,
        thresholds=dict(about.get("thresholds", {}) if thresholds is None else thresholds),
        chosen=dict(about.get("chosen", {})) if thresholds is None else {},
        patients=None if patients is None else _patients(patients, known["path"])[kept],
        sha256=None if digests is None or not all(digests) else tuple(digests[row] for row in kept),
        inside_lungs=None if inside is None else numbers(inside, "inside_lungs", path, empty=True)[kept],
        strata={name: groups[kept] for name, groups in _strata(columns, about).items()},
        system=about.get("system", f"the table {path.name}"),
        films=about.get("films", "") if part is None else f"the {part} films of {path.name}",
        refused=tuple(RefusedFilm(*film) for film in about.get("refused", ())),
        root=about.get("root", ""),
        band=None if about.get("band") is None or thresholds is not None else (about["band"][0], about["band"][1]),
        notes=tuple(about.get("notes", ())),
    )


def is_predictions(path: str | PathLike[str]) -> bool:
    """Whether a file is a table with predictions, and not a table of films that are still to be read."""
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".tsv", ".parquet"} or not path.is_file():
        return False
    names = read_rows(path, header_only=True)[0]
    return any(name.startswith("p_") for name in names) or score_column(names) is not None


def _columns(table: PredictionTable) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"path": list(table.paths)}
    if table.sha256 is not None:
        columns["sha256"] = list(table.sha256)
    if table.patients is not None:
        columns["patient"] = table.patients.tolist()
    columns["label"] = [table.classes[number] for number in table.labels]
    columns |= {f"p_{name}": table.probabilities[:, c].tolist() for c, name in enumerate(table.classes)}
    columns["score"] = table.score.tolist()
    for preset in table.thresholds:
        columns[f"call_{preset}"] = table.called(preset).astype(int).tolist()
    if table.inside_lungs is not None:
        columns["inside_lungs"] = [None if np.isnan(share) else share for share in table.inside_lungs.tolist()]
    return columns | {name: groups.tolist() for name, groups in table.strata.items()}


def _about(path: Path) -> dict[str, Any]:
    """What stands in a Parquet file of ours beside its columns; nothing of any other file.

    Raises:
        DatasetError: A newer pneumoscope wrote it, or it cannot be read.
    """
    if path.suffix.lower() != ".parquet":
        return {}
    pa, pq = _arrow()
    try:
        text = (pq.read_schema(path).metadata or {}).get(_METADATA_KEY, b"{}")
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"the table cannot be read ({reason})", where=path, remedy=_FOREIGN) from error
    about: dict[str, Any] = json.loads(text)
    if about.get("format", 0) > _FORMAT:
        raise DatasetError(
            f"the table has format {about['format']}, and this pneumoscope knows {_FORMAT}",
            where=path,
            remedy="Upgrade with: pip install --upgrade pneumoscope",
        )
    return about


def _of_part(parts: list[str] | None, n: int, wanted: str | None, path: Path) -> NDArray[np.int64]:
    """The rows of the asked part; all, if there are no parts.

    Raises:
        DatasetError: Several parts and none asked for, or none of its films.
    """
    there = sorted(set(parts or ()))
    if wanted is None:
        if len(there) > 1:
            raise DatasetError(
                f"the table has the parts {', '.join(name or '(empty)' for name in there)}",
                where=path,
                remedy="Say which of them to judge with --part: films that were learned from judge nothing",
            )
        return np.arange(n)
    rows = np.flatnonzero(np.array(parts or [""] * n) == wanted)
    if not len(rows):
        told = ", ".join(name for name in there if name)
        raise DatasetError(
            f"the table has no films of the part {wanted}",
            where=path,
            remedy=f"Its parts: {told}" if told else "It has no column part; judge it without --part",
        )
    return rows


def _strata(columns: Mapping[str, list[str]], about: Mapping[str, Any]) -> dict[str, NDArray[np.str_]]:
    """The groups that the table knows; a foreign table's ages in years become bands."""
    names = about.get("strata", [name for name in _STRATA if name in columns])
    found = {}
    for name in names:
        groups = columns[name]
        if name == "age" and not about:
            groups = [age_band(cell) for cell in groups]
        if any(group != UNKNOWN for group in groups):
            found[name] = np.array(groups, dtype=np.str_)
    return found


def _patients(cells: list[str], paths: list[str]) -> NDArray[np.str_]:
    """The patient of each film; a film whose patient is not told is its own."""
    return np.array([cell or f"film:{path}" for cell, path in zip(cells, paths, strict=True)], dtype=np.str_)


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="evaluate", needed_for="a Parquet table") from error
    return pa, pq
