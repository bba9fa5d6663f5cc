"""A table with a row for each film."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.dataset.labels import canonical_label
from pneumoscope.dataset.patients import patient_of
from pneumoscope.dataset.sources.layout import PARTS, Candidate, Listing
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.storage import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Table", "find_columns", "read_rows"]

_TEXT = {".csv": ",", ".tsv": "\t"}
_SUFFIXES = {*_TEXT, ".parquet"}
_COLUMNS = {
    "path": ("path", "film", "films", "image", "images", "file", "filename", "file name", "image path"),
    "label": ("label", "labels", "class"),
    "patient": ("patient", "patient id", "patientid"),
    "part": ("split", "part", "set"),
    "age": ("age", "patient age"),
    "sex": ("sex", "gender", "patient sex", "patient gender"),
    "view": ("view", "view position"),
    "source": ("source", "site", "hospital", "institution", "centre", "center"),
}
"""What we call a column, and what tables call it; small letters, spaces for underscores."""


class Table:
    """A CSV, TSV or Parquet file; a folder with just one such file stands for it."""

    name = "table"
    description = (
        "a .csv, .tsv or .parquet table (or a folder with one in it) with the columns path and label, "
        "and if known patient, split, age, sex, view and source"
    )

    def matches(self, path: Path) -> bool:
        """Whether the file is a table, or the folder has one with a path and a label."""
        return path.suffix.lower() in _SUFFIXES if path.is_file() else _table_in(path) is not None

    def films(self, path: Path) -> Listing:
        """List the rows. A path in the table starts from the table's folder, if it is not absolute.

        Raises:
            DatasetError: The table cannot be read, or has no path or no label column.
            MissingExtra: It is Parquet, and pyarrow is not installed.
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
                remedy=f"Name the columns {', '.join(_COLUMNS)}",
            )
        listing = Listing(table.parent)
        seen: set[str] = set()
        for number, row in enumerate(rows, start=1):
            cells = {key: _cell(row, place) for key, place in columns.items()}
            place = _relative(cells["path"] or "", table.parent)
            if reason := _wrong(cells, place, seen):
                listing.problems.append((place or f"row {number}", reason))
                continue
            seen.add(place)
            part = PARTS.get((cells.get("part") or "").lower())
            patient = cells.get("patient") or patient_of(place)
            label = canonical_label(cells["label"] or "")
            age, sex, view, source = (cells.get(key) for key in ("age", "sex", "view", "source"))
            listing.films.append(Candidate(place, label, patient, part, age, sex, view, source))
        return listing


def _wrong(cells: dict[str, str | None], place: str, seen: set[str]) -> str | None:
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
    return None


def _table_in(folder: Path) -> Path | None:
    """The only table of a folder that has a path and a label column.

    Raises:
        DatasetError: There are several.
    """
    fitting = []
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix.lower() in _SUFFIXES and not file.name.startswith("."):
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
    return fitting[0] if fitting else None


def find_columns(names: Iterable[str]) -> dict[str, int]:
    """Where our columns are in a table. A label may also be the only column whose name ends in "label" or "labels"."""
    plain = [" ".join(name.replace("_", " ").lower().split()) for name in names]
    found = {}
    for key, aliases in _COLUMNS.items():
        places = [plain.index(alias) for alias in aliases if alias in plain]
        if places:
            found[key] = places[0]
    endings = [place for place, name in enumerate(plain) if name.endswith(("label", "labels"))]
    if "label" not in found and len(endings) == 1:
        found["label"] = endings[0]
    return found


def read_rows(table: Path, *, header_only: bool = False) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a .csv, .tsv or .parquet file, as text; an empty cell of Parquet is "".

    Raises:
        DatasetError: It cannot be read.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    remedy = "Write it as UTF-8 text with a header line, or as Parquet"
    try:
        if table.suffix.lower() == ".parquet":
            return _read_parquet(table, header_only=header_only)
        with table.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter=_TEXT.get(table.suffix.lower(), ","))
            header = next(lines, [])
            return header, [] if header_only else [[csv_cell(cell) for cell in line] for line in lines if any(line)]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DatasetError(f"the table cannot be read ({reason})", where=table, remedy=remedy) from error
    except (ValueError, csv.Error) as error:
        raise DatasetError(f"the table cannot be understood ({error})", where=table, remedy=remedy) from error


def _read_parquet(table: Path, *, header_only: bool) -> tuple[list[str], list[list[str]]]:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and only learning needs it
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a Parquet table") from error
    if header_only:
        return list(pq.read_schema(table).names), []
    content = pq.read_table(table)
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in content.columns]
    return list(content.column_names), [list(row) for row in zip(*columns, strict=True)]


def _cell(row: list[str], place: int) -> str | None:
    return (row[place].strip() or None) if place < len(row) else None


def _relative(path: str, root: Path) -> str:
    """The path from the root with forward slashes; absolute if it lies elsewhere."""
    if not path:
        return ""
    whole = Path(os.path.normpath(root / path))
    base = Path(os.path.normpath(root))
    return (whole.relative_to(base) if whole.is_relative_to(base) else whole.absolute()).as_posix()
