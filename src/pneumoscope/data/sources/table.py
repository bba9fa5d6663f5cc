"""A table of films that anybody may write: a path and a label, and what else is known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.data.labels import ClassNames
from pneumoscope.data.layout import PARTS, Candidate, Listing, ListingOptions, folders
from pneumoscope.data.patients import patient_of
from pneumoscope.data.tables import FilmFinder, plain_column, read_rows, table_suffix
from pneumoscope.errors import DatasetError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Table", "boxes_problem", "find_columns", "tables_in"]

_ROUNDING = 0.01
_NONE = ListingOptions()
_COLUMNS = {
    "path": (
        *("path", "film", "films", "image", "images", "file", "filename", "file name", "image path", "file path"),
        *("filepath", "img path", "img", "image name", "imagename", "image file", "image index", "image id", "imageid"),
        *("dicom path", "x ray image name", "full path", "relative path"),
    ),
    "label": (
        "label",
        "labels",
        "class",
        "read",
        "class name",
        "finding labels",
        "finding label",
        "diagnosis",
        "category",
    ),
    "patient": ("patient", "patient id", "patientid", "patient number", "patient key", "subject", "subject id", "mrn"),
    "part": ("split", "part", "set", "dataset type", "partition"),
    "age": ("age", "patient age", "age years", "age in years"),
    "sex": ("sex", "gender", "patient sex", "patient gender"),
    "view": ("view", "view position", "viewposition", "projection"),
    "source": ("source", "site", "hospital", "institution", "centre", "center", "copy"),
    "site": ("site", "hospital", "institution", "centre", "center"),
    "boxes": ("boxes", "bounding boxes"),
}
"""What we call a column, and what tables call it; small letters, spaces for underscores and hyphens."""


class Table:
    """A CSV, TSV, Excel or Parquet file; a folder with just one such file stands for it."""

    name = "table"
    description = (
        "a .csv, .tsv, .xlsx or .parquet table (or a folder with one in it) with the columns path and label, "
        "and if known patient, split, age, sex, view, source, site and boxes"
    )
    needs = "one row a film; paths from the table's folder, or bare names of films below it"

    def matches(self, path: Path) -> bool:
        """Whether the file is a table, or the folder has one with a path and a label."""
        return table_suffix(path) is not None if path.is_file() else _table_in(path) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the rows. A path in the table starts from the table's folder, if it is not absolute.

        Raises:
            DatasetError: The table cannot be read, or has no path or no label column.
            MissingExtra: It is Parquet or Excel, and what reads it is not installed.
        """
        table = path if path.is_file() else _table_in(path)
        if table is None:
            raise DatasetError("there is no table in this folder", where=path, remedy=f"Give {self.description}")
        names, rows = read_rows(table)
        columns = find_columns(names)
        missing = {"path", "label"} - set(columns)
        if missing:
            raise DatasetError(
                f"the table has no column {' and no column '.join(sorted(missing))} (it has: {', '.join(names)})",
                where=table,
                remedy=f"Name the columns {', '.join(_COLUMNS)}; `pneumoscope sources` lists the known sets' tables",
            )
        listing = Listing(table.parent, names=ClassNames(options.labels))
        finder, seen = FilmFinder(table.parent), set[str]()
        for number, row in enumerate(rows, start=1):
            cells = {key: _cell_text(row, place) for key, place in columns.items()}
            place = finder.find(cells["path"] or "")
            if reason := _row_problem(cells, place, seen):
                listing.problems.append((place or f"row {number}", reason))
                continue
            seen.add(place)
            label = listing.names(cells["label"] or "")
            if not label:
                listing.passed[f"film of {cells['label']}"] += 1
                continue
            patient, named = cells.get("patient"), patient_of(place)
            listing.films.append(
                Candidate(
                    path=place,
                    label=label,
                    patient=patient or named,
                    part=PARTS.get((cells.get("part") or "").lower()),
                    age=cells.get("age"),
                    sex=cells.get("sex"),
                    view=cells.get("view"),
                    source=cells.get("source"),
                    site=cells.get("site"),
                    boxes=cells.get("boxes"),
                    patient_from="table" if patient else "name" if named else "none",
                )
            )
        listing.notes.extend(finder.sentences())
        return listing


def _row_problem(cells: dict[str, str | None], place: str, seen: set[str]) -> str | None:
    """Why a row cannot be used, if it cannot."""
    if not place:
        return "The row has no path."
    if place in seen:
        return "The film is in the table more than once; its first row counts."
    if not cells["label"]:
        return "The row has no label."
    part = cells.get("part")
    if part and part.lower() not in PARTS:
        return f"The split is {part!r}. Write train, val or test, or leave it empty."
    return boxes_problem(cells.get("boxes"))


def boxes_problem(boxes: str | None) -> str | None:
    """Why a text is no boxes as ``FilmRow.boxes`` wants them; None if it is some, or empty."""
    if not boxes:
        return None
    try:
        found = [[float(number) for number in box.split()] for box in boxes.split(";") if box.strip()]
    except ValueError:
        found = [[]]
    if all(len(box) == 4 and all(-_ROUNDING <= number <= 1 + _ROUNDING for number in box) for box in found):
        return None
    return f"The boxes are {boxes!r}. Write x, y, width and height as shares of the film, a semicolon between boxes."


def tables_in(folder: Path) -> list[Path]:
    """The tables just in a folder, sorted."""
    try:
        with os.scandir(folder) as entries:  # there may be a hundred thousand films beside them
            return sorted(Path(e.path) for e in entries if table_suffix(Path(e.name)) is not None and e.is_file())
    except OSError:
        return []


def _table_in(folder: Path) -> Path | None:
    """The only table of a folder that has a path and a label column.

    Raises:
        DatasetError: There are several.
    """
    fitting = []
    for file in tables_in(folder):
        try:
            names = read_rows(file, header_only=True)[0]
        except (DatasetError, MissingExtra):
            continue
        if {"path", "label"} <= set(find_columns(names)):
            fitting.append(file)
    if len(fitting) > 1:
        raise DatasetError(
            f"there are {len(fitting)} tables of films in this folder",
            where=folder,
            remedy=f"Name one of them: {', '.join(file.name for file in fitting[:5])}",
        )
    if fitting:
        return fitting[0]
    below = folders(folder)
    return _table_in(below[0]) if len(below) == 1 else None  # a wrapping, as archives leave it


def find_columns(names: Iterable[str]) -> dict[str, int]:
    """Where our columns are in a table. A label may also be the only column whose name ends in "label" or "labels"."""
    plain = [plain_column(name) for name in names]
    found = {}
    for key, aliases in _COLUMNS.items():
        places = [plain.index(alias) for alias in aliases if alias in plain]
        if places:
            found[key] = places[0]
    endings = [place for place, name in enumerate(plain) if name.endswith(("label", "labels"))]
    if "label" not in found and len(endings) == 1:
        found["label"] = endings[0]
    return found


def _cell_text(row: list[str], place: int) -> str | None:
    return (row[place].strip() or None) if place < len(row) else None
