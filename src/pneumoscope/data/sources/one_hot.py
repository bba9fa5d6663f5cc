"""A table with a column of zeros and ones for each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.labels import NEGATIVE, NO_PNEUMONIA, canonical_label
from pneumoscope.data.layout import PARTS
from pneumoscope.data.patients import patient_of
from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, load_rows
from pneumoscope.data.sources.table import find_columns, tables_in
from pneumoscope.data.synonyms import known_class
from pneumoscope.data.tables import read_rows, table_suffix
from pneumoscope.errors import DatasetError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["OneHot"]

_LOOKED_AT = 200  # rows
_VALUES = frozenset({"0", "1", "-1", "0.0", "1.0", "-1.0", "true", "false", ""})
_YES = frozenset({"1", "1.0", "true"})
_UNCERTAIN = frozenset({"-1", "-1.0"})


class OneHot:
    """A path, and a column for each finding, with 1 where the film has it and 0 where not (-1: uncertain)."""

    name = "one-hot"
    description = "a table with a path and a column of 0 and 1 for each finding (normal, pneumonia, effusion ...)"
    needs = "a column for the film, and one or more of 0 and 1 of which one is named like a class that is known"

    def matches(self, path: Path) -> bool:
        """Whether there is one such table."""
        return _table(path) is not None

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films.

        Raises:
            DatasetError: There is no such table.
        """
        table = _table(path)
        if table is None:
            raise DatasetError("there is no table of zeros and ones", where=path, remedy=f"Give {self.description}")
        (rows,) = load_rows([table])
        columns = find_columns(rows.names)
        findings = _findings(rows.names, rows.rows, columns)
        known = KnownSet(path, table, options)
        has_negative = any(canonical_label(rows.names[place]) in NEGATIVE for place in findings)
        about_pneumonia = {canonical_label(rows.names[place]) for place in findings} & {
            "pneumonia",
            "bacterial",
            "viral",
        }
        absent = NO_PNEUMONIA if about_pneumonia else "no finding"
        for row in rows.rows:
            cells = {key: (row[place].strip() or None) if place < len(row) else None for key, place in columns.items()}
            said = {rows.names[place]: row[place].strip().lower() for place in findings if place < len(row)}
            found = [name for name, value in said.items() if value in _YES]
            unsure = [name for name, value in said.items() if value in _UNCERTAIN]
            if unsure and not found:
                if options.uncertain == "leave-out":
                    known.leave_out("uncertain")
                    continue
                found = unsure if options.uncertain == "positive" else []
            if not found and has_negative:
                known.leave_out("no column says what it is")
                continue
            place = cells.get("path") or ""
            known.add(
                place,
                found or [absent],
                patient=cells.get("patient") or patient_of(place.replace("\\", "/")),
                part=PARTS.get((cells.get("part") or "").lower()),
                age=cells.get("age"),
                sex=cells.get("sex"),
                view=cells.get("view"),
                source=cells.get("source"),
                boxes=cells.get("boxes"),
            )
        return known.finish()


def _findings(names: list[str], rows: list[list[str]], columns: dict[str, int]) -> list[int]:
    """Places of the columns of zeros and ones; none if no name among them is a class that is known."""
    ours = set(columns.values())
    head = rows[:_LOOKED_AT]
    places = [
        place
        for place, name in enumerate(names)
        if name
        and place not in ours
        and all(place >= len(row) or row[place].strip().lower() in _VALUES for row in head)
        and any(place < len(row) and row[place].strip() for row in head)
    ]
    return places if any(known_class(names[place]) for place in places) else []


def _table(path: Path) -> Path | None:
    for table in [path] if path.is_file() and table_suffix(path) else tables_in(path):
        try:
            names, rows = read_rows(table)
        except (DatasetError, MissingExtra):
            continue
        columns = find_columns(names)
        if "path" in columns and "label" not in columns and _findings(names, rows, columns):
            return table
    return None
