"""Predictions tables as files: Parquet and CSV of ours, and tables of other systems.

Parquet keeps what is no column (classes, thresholds, refused films) in the file's metadata. Any other table needs
the columns path and label, and either one column p_CLASS a class or one column score (the finding's probability).
"""

from __future__ import annotations

import json
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pneumoscope.data.labels import allowed_classes, canonical_label, is_negative, order_classes
from pneumoscope.data.sources.table import find_columns
from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.evaluation.predictions import UNKNOWN, PredictionTable, RefusedFilm, age_band
from pneumoscope.stats.checks import UNKNOWN_CLASS
from pneumoscope.storage import csv_text, open_atomically, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set
    from os import PathLike

    from numpy.typing import NDArray

__all__ = [
    "PredictionColumns",
    "finding_name",
    "float_column",
    "is_predictions",
    "positive_classes",
    "prediction_columns",
    "read_predictions",
    "reference_notes",
    "score_column",
    "write_predictions_csv",
    "write_predictions_parquet",
]

_SCORE_NAMES = ("score", "probability", "prob", "p")
_BITS = frozenset({"0", "1"})
_COLUMNS_REMEDY = "Give one column p_CLASS a class, or one column score with the finding's probability"


class PredictionColumns(NamedTuple):
    """Labels and probabilities in one order of classes.

    Attributes:
        classes: C names.
        positive: Numbers of those that are the finding.
        finding: Its name.
        labels: int64 [N].
        probabilities: float64 [N, C].
    """

    classes: tuple[str, ...]
    positive: tuple[int, ...]
    finding: str
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def prediction_columns(
    columns: Mapping[str, list[str]],
    written: Sequence[str],
    path: Path,
    *,
    about: Mapping[str, Any],
    positive: Sequence[str] | None,
    finding: str | None,
) -> PredictionColumns:
    """Classes, labels and probabilities of a table.

    Args:
        columns: Its cells, by column.
        written: The labels, [N].
        path: The file, for messages.
        about: What a file of ours says of itself; empty for others, whose labels are then spelt as ours.
        positive: Which classes are the finding; None: those that are not named like a negative one.
        finding: What it is called; None: by the classes.

    Raises:
        DatasetError: There are no probabilities, a label is none of the classes, or it cannot be told which class
            is the finding.
    """
    labels = list(written) if about else [canonical_label(label) for label in written]
    wanted = None if positive is None else [name if about else canonical_label(name) for name in positive]
    told = {name if about else canonical_label(name): f"p_{name}" for name in _class_columns(columns, about)}
    if told:
        classes = tuple(told) if about else order_classes(told)
        p = np.stack([float_column(columns[told[name]], told[name], path) for name in classes], axis=1)
        if wanted is None and about:
            wanted = [classes[number] for number in about["positive"]]
        found = positive_classes(classes, wanted, path)
        name = finding or about.get("finding") or finding_name(classes[number] for number in found)
        if name == finding_name(()) and reference_notes(classes, found, name, named=wanted is not None):
            name = f"a class other than {classes[0]}"
        truth = _class_numbers(labels, written, classes, path, unknown={name, *_parents(labels, classes, found)})
        return PredictionColumns(classes, found, name, truth, p)
    return _score_columns(columns, labels, path, wanted, finding)


def _class_columns(columns: Mapping[str, list[str]], about: Mapping[str, Any]) -> list[str]:
    return list(about.get("classes", (name.removeprefix("p_") for name in columns if name.startswith("p_"))))


def _score_columns(
    columns: Mapping[str, list[str]],
    labels: list[str],
    path: Path,
    wanted: Sequence[str] | None,
    finding: str | None,
) -> PredictionColumns:
    """Of a table with one score: every class is the finding or it is not, and there are just these two."""
    column = score_column(columns)
    if column is None:
        raise DatasetError("the table has no probabilities", where=path, remedy=_COLUMNS_REMEDY)
    score = float_column(columns[column], column, path)
    if score.min() < 0 or score.max() > 1:
        raise DatasetError(
            f"the column {column} is no probability: it goes from {score.min():.6g} to {score.max():.6g}",
            where=path,
            remedy="Turn scores into probabilities, a logit x into 1 / (1 + exp(-x))",
        )
    there = order_classes(labels)
    if empty := next((line for line, label in enumerate(labels, 2) if not label), None):
        raise DatasetError(f"line {empty} has no label", where=path, remedy="Label the film, or leave it out")
    if wanted is None and set(there) <= _BITS:
        positives = {"1"}
    elif wanted is None:
        positives = {name for name in there if not is_negative(name, there)}
        if len(positives) == len(there) > 1:
            raise DatasetError(
                f"it cannot be told which of the classes {', '.join(there)} is the finding",
                where=path,
                remedy="Say so with --positive",
            )
    else:
        positives = set(wanted)
    name = finding or finding_name(name for name in there if name in positives)
    negatives = [label for label in there if label not in positives and label not in _BITS]
    classes = (negatives[0] if len(negatives) == 1 else f"no {name}", name)
    truth = np.array([label in positives for label in labels], dtype=np.int64)
    return PredictionColumns(classes, (1,), name, truth, np.stack([1 - score, score], axis=1))


def positive_classes(classes: Sequence[str], wanted: Sequence[str] | None, path: Path) -> tuple[int, ...]:
    """Which classes are the finding: the wanted ones, or those that are not named like a negative one.

    Of three classes or more of which none is so named, all but the first: that is the reference class of the two-way
    figures, and the figures over all classes judge the system.

    Raises:
        DatasetError: A wanted one is no class, or all or none would be the finding.
    """
    if wanted is not None and (unknown := [name for name in wanted if name not in classes]):
        raise DatasetError(
            f"there is no class {unknown[0]!r}", where=path, remedy=f"The classes are: {', '.join(classes)}"
        )
    chosen = [name for name in classes if (name in wanted if wanted is not None else not is_negative(name, classes))]
    if wanted is None and len(chosen) == len(classes) > 2:
        chosen = list(classes[1:])
    if not chosen or len(chosen) == len(classes):
        raise DatasetError(
            f"it cannot be told which of the classes {', '.join(classes)} are the finding",
            where=path,
            remedy="Say so with --positive",
        )
    return tuple(number for number, name in enumerate(classes) if name in chosen)


def finding_name(positives: Iterable[str]) -> str:
    """What the finding is called: the only positive class, "pneumonia" if they are its patterns, else "finding"."""
    names = sorted(set(positives))
    if len(names) == 1 and names[0] not in _BITS | {"bacterial", "viral"}:
        return names[0]
    return "pneumonia" if names and set(names) <= {"bacterial", "viral", "pneumonia"} else "finding"


def reference_notes(classes: Sequence[str], positive: Sequence[int], finding: str, *, named: bool) -> tuple[str, ...]:
    """What must be said where the class without the finding is only the first of several; nothing where it is one.

    Args:
        classes: Of the system.
        positive: Numbers of those that are the finding.
        finding: Its name.
        named: Whether a person or a file has said which classes are the finding.
    """
    others = [name for number, name in enumerate(classes) if number not in positive]
    if named or len(others) != 1 or is_negative(others[0], classes):
        return ()
    return (
        f"No class is named like a normal one: the two-way figures tell the others ({finding}) from {others[0]}, and "
        "say nothing of healthy films; the figures over all classes judge the system.",
    )


def score_column(names: Iterable[str]) -> str | None:
    """The column that holds the finding's probability."""
    return next((name for name in names if name.strip().lower() in _SCORE_NAMES), None)


def float_column(cells: Sequence[str], column: str, path: Path, *, empty: bool = False) -> NDArray[np.float64]:
    """A column's numbers, float64 [N]; with ``empty`` an empty cell is NaN.

    Raises:
        DatasetError: A cell is no number.
    """
    found = np.empty(len(cells))
    for place, cell in enumerate(cells):
        try:
            found[place] = np.nan if empty and not cell else float(cell)
        except ValueError:
            found[place] = np.nan
        if not np.isfinite(found[place]) and not (empty and not cell):
            raise DatasetError(
                f"line {place + 2} has {repr(cell) if cell else 'nothing'} in the column {column}, which is no number",
                where=path,
                remedy="Correct it, or leave the film out",
            )
    return found


def _class_numbers(
    labels: Sequence[str], written: Sequence[str], classes: Sequence[str], path: Path, *, unknown: Set[str]
) -> NDArray[np.int64]:
    """The class of each film; ``UNKNOWN_CLASS`` for the labels of ``unknown``: of the finding, nobody knows which."""
    place = dict.fromkeys(unknown, UNKNOWN_CLASS) | {name: number for number, name in enumerate(classes)}
    for film, label in enumerate(labels):
        if label not in place:
            raise DatasetError(
                f"line {film + 2} has the label {written[film]!r}, which is none of the classes {', '.join(classes)}",
                where=path,
                remedy="Correct the label, or leave the film out",
            )
    return np.array([place[label] for label in labels], dtype=np.int64)


def _parents(labels: Sequence[str], classes: Sequence[str], positive: Sequence[int]) -> set[str]:
    """The labels that stand for several classes, all of them of the finding."""
    found = set()
    positives = {classes[number] for number in positive}
    for label in set(labels) - set(classes):
        with suppress(ValueError):
            if set(compress(classes, allowed_classes(label, classes))) <= positives:
                found.add(label)
    return found


_METADATA_KEY = b"pneumoscope.predictions"
_FORMAT = 1
_STRATUM_COLUMNS = (
    "source", "resolution", "aspect", "age", "sex", "view", "site", "hospital", "scanner", "ethnicity", "agreement",
)  # fmt: skip
_TABLE_REMEDY = "Give the columns path and label, and one column p_CLASS a class or one column score (a probability)"


def write_predictions_parquet(table: PredictionTable, path: str | PathLike[str]) -> None:
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
    arrow = pa.table(_table_columns(table)).replace_schema_metadata({_METADATA_KEY: json.dumps(about).encode()})
    with open_atomically(path) as file:
        pq.write_table(arrow, file)


def write_predictions_csv(table: PredictionTable, path: str | PathLike[str]) -> None:
    """Write the rows for other programs; probabilities with all their digits, so that nothing is lost.

    Raises:
        StorageError: The disk is full or the folder cannot be written.
    """
    columns = _table_columns(table)
    text = csv_text([list(columns), *zip(*columns.values(), strict=True)])
    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def read_predictions(
    path: str | PathLike[str],
    *,
    part: str | None = None,
    every_part: bool = False,
    positive: Sequence[str] | None = None,
    finding: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    renames: Mapping[str, str] | None = None,
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
        renames: Labels to be taken for another; "" leaves the films out, and a name may have * and ?.

    Raises:
        DatasetError: The file cannot be read, a column is missing, several parts and none is asked for, or the
            table is not sound (see ``PredictionTable``).
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    path = Path(path)
    about = _read_metadata(path)
    names, rows = read_rows(path)
    if not rows:
        raise DatasetError("the table has no films", where=path, remedy=_TABLE_REMEDY)
    if short := next((number for number, row in enumerate(rows, 2) if len(row) < len(names)), None):
        raise DatasetError(f"line {short} has fewer cells than the header", where=path, remedy="Complete the line")
    columns = {name: [row[place].strip() for row in rows] for place, name in enumerate(names)}
    if renames:
        columns = _renamed(columns, names, renames, path)
        rows = rows[: len(columns[names[0]])]  # only their number counts from here on
    known = {key: columns[names[place]] for key, place in find_columns(names).items()}
    if missing := [key for key in ("path", "label") if key not in known]:
        raise DatasetError(
            f"the table has no column {' and no column '.join(missing)} (it has: {', '.join(names)})",
            where=path,
            remedy="Separate the columns by commas, not by semicolons" if ";" in names[0] else _TABLE_REMEDY,
        )
    kept = _rows_of_part(None if every_part else known.get("part"), len(rows), part, path)
    said = prediction_columns(columns, known["label"], path, about=about, positive=positive, finding=finding)
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
        inside_lungs=None if inside is None else float_column(inside, "inside_lungs", path, empty=True)[kept],
        strata={name: groups[kept] for name, groups in _strata(columns, about).items()},
        system=about.get("system", f"the table {path.name}"),
        films=about.get("films", "") if part is None else f"the {part} films of {path.name}",
        refused=tuple(RefusedFilm(*film) for film in about.get("refused", ())),
        root=about.get("root", ""),
        band=None if about.get("band") is None or thresholds is not None else (about["band"][0], about["band"][1]),
        notes=tuple(about.get("notes", ()))
        or reference_notes(said.classes, said.positive, said.finding, named=positive is not None or bool(about)),
    )


def _renamed(
    columns: dict[str, list[str]], names: Sequence[str], renames: Mapping[str, str], path: Path
) -> dict[str, list[str]]:
    """The cells with other labels, without the films that are left out.

    Raises:
        DatasetError: No film is left.
    """
    place = find_columns(names).get("label")
    if place is None:
        return columns
    column = names[place]

    def renamed(label: str) -> str:
        plain = canonical_label(label)
        return next((name for old, name in renames.items() if plain == old or fnmatchcase(plain, old)), label)

    labels = [renamed(label) for label in columns[column]]
    kept = [row for row, label in enumerate(labels) if label]
    if not kept:
        raise DatasetError("all films are left out", where=path, remedy="Keep the films of at least one label")
    return {name: [(labels if name == column else cells)[row] for row in kept] for name, cells in columns.items()}


def is_predictions(path: str | PathLike[str]) -> bool:
    """Whether a file is a table with predictions, and not a table of films that are still to be read."""
    path = Path(path)
    if path.suffix.lower() not in {".csv", ".tsv", ".parquet"} or not path.is_file():
        return False
    names = read_rows(path, header_only=True)[0]
    return any(name.startswith("p_") for name in names) or score_column(names) is not None


def _table_columns(table: PredictionTable) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"path": list(table.paths)}
    if table.sha256 is not None:
        columns["sha256"] = list(table.sha256)
    if table.patients is not None:
        columns["patient"] = table.patients.tolist()
    columns["label"] = list(table.label_names)
    columns |= {f"p_{name}": table.probabilities[:, c].tolist() for c, name in enumerate(table.classes)}
    columns["score"] = table.score.tolist()
    for preset in table.thresholds:
        columns[f"call_{preset}"] = table.called(preset).astype(int).tolist()
    if table.inside_lungs is not None:
        columns["inside_lungs"] = [None if np.isnan(share) else share for share in table.inside_lungs.tolist()]
    return columns | {name: groups.tolist() for name, groups in table.strata.items()}


def _read_metadata(path: Path) -> dict[str, Any]:
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
        raise DatasetError(f"the table cannot be read ({reason})", where=path, remedy=_TABLE_REMEDY) from error
    about: dict[str, Any] = json.loads(text)
    if about.get("format", 0) > _FORMAT:
        raise DatasetError(
            f"the table has format {about['format']}, and this pneumoscope knows {_FORMAT}",
            where=path,
            remedy="Upgrade with: pip install --upgrade pneumoscope",
        )
    return about


def _rows_of_part(parts: list[str] | None, n: int, wanted: str | None, path: Path) -> NDArray[np.int64]:
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
    names = about.get("strata", [name for name in _STRATUM_COLUMNS if name in columns])
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
