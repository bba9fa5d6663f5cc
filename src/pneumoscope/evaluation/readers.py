"""Human readers of the same films, as points beside the ROC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.figures.discrimination import ReaderPoint
from pneumoscope.stats.proportions import clustered_rate

if TYPE_CHECKING:
    from os import PathLike

    from pneumoscope.evaluation.predictions import PredictionTable

__all__ = ["reader_points"]

_YES, _NO = frozenset({"1", "yes", "true", "positive", "y"}), frozenset({"0", "no", "false", "negative", "n"})
_REMEDY = "Write one row a reading, with the columns reader, path and call (1 or 0)"


def reader_points(file: str | PathLike[str], table: PredictionTable) -> tuple[ReaderPoint, ...]:
    """Read the calls of persons, and count them against the table's labels.

    Args:
        file: A .csv, .tsv or .parquet table with the columns reader, path and call.
        table: The films. A film that a reader did not read is not counted for them.

    Raises:
        DatasetError: The file cannot be read, a call is none, a film is read twice by one reader, or a reader has no
            film of the table.
    """
    file = Path(file)
    names, rows = read_rows(file)
    plain = [name.strip().lower() for name in names]
    if missing := [name for name in ("reader", "path", "call") if name not in plain]:
        raise DatasetError(f"the table of readers has no column {missing[0]}", where=file, remedy=_REMEDY)
    places = [plain.index(name) for name in ("reader", "path", "call")]
    row_of = {path: row for row, path in enumerate(table.paths)}
    calls: dict[str, dict[int, bool]] = {}
    for line, cells in enumerate(rows, 2):
        reader, path, call = ((cells[place].strip() if place < len(cells) else "") for place in places)
        if call.lower() not in _YES | _NO or not reader:
            raise DatasetError(f"line {line} is no reading ({reader!r} calls {call!r})", where=file, remedy=_REMEDY)
        mine = calls.setdefault(reader, {})
        if path not in row_of:
            continue
        if row_of[path] in mine:
            raise DatasetError(f"{reader} read {path} twice", where=file, remedy="Keep one reading a film and reader")
        mine[row_of[path]] = call.lower() in _YES
    points = []
    for reader, mine in calls.items():
        if not mine:
            raise DatasetError(
                f"the reader {reader} read none of the {len(table)} films",
                where=file,
                remedy="Write paths as in predictions.csv",
            )
        films = np.array(sorted(mine))
        called, truth = np.array([mine[row] for row in films.tolist()]), table.truth[films]
        people = films if table.patients is None else table.patients[films]
        points.append(
            ReaderPoint(
                reader,
                clustered_rate(called[truth], people[truth]),
                clustered_rate(~called[~truth], people[~truth]),
            )
        )
    return tuple(points)
