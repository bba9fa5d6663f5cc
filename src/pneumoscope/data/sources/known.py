"""What the tables of known sets have in common: they are found by their columns, and their films by name."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from pneumoscope.data.labels import NO_PNEUMONIA, ClassNames, label_of_findings
from pneumoscope.data.layout import Candidate, Listing, ListingOptions, folders
from pneumoscope.data.sources.table import tables_in
from pneumoscope.data.tables import FilmFinder, Rows, read_rows
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.types.age import parse_age

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "CHEXPERT_FINDINGS",
    "NO_OPTIONS",
    "KnownSet",
    "boxes_text",
    "chexpert_findings",
    "find_tables",
    "load_rows",
    "person_age",
]

NO_OPTIONS = ListingOptions()
_BREADTH = 60  # folders that are looked into for tables, on each of two levels

CHEXPERT_FINDINGS = (
    *("No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema"),
    *("Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture"),
    "Support Devices",
)
"""The columns of CheXpert's labeller (Irvin et al., AAAI 2019): 1 present, 0 absent, -1 uncertain, empty: not said."""


def find_tables(path: Path, *columns: str) -> list[Path]:
    """Tables that have all of these columns: the file itself, or those of a folder and two levels below it."""
    if path.is_file():
        return [path] if _has(path, columns) else []
    level = [path]
    for _ in range(3):
        if found := [table for folder in level for table in tables_in(folder) if _has(table, columns)]:
            return found
        level = list(islice((below for folder in level for below in folders(folder)), _BREADTH))
    return []


def _has(table: Path, columns: Iterable[str]) -> bool:
    try:
        return Rows(list(_header(table, table.stat().st_mtime_ns)), []).has(*columns)
    except (OSError, DatasetError, MissingExtra):
        return False


@lru_cache(maxsize=256)
def _header(table: Path, changed: int) -> tuple[str, ...]:
    del changed  # a table that was written again is read again
    return tuple(read_rows(table, header_only=True)[0])


def load_rows(tables: Iterable[Path]) -> list[Rows]:
    """The rows of each table."""
    return [Rows(*read_rows(table)) for table in tables]


class KnownSet:
    """Collects the films of a known set, row by row."""

    def __init__(self, path: Path, table: Path, options: ListingOptions) -> None:
        """Films are looked for below the folder that was given, else below the table's."""
        root = path if path.is_dir() else table.parent
        self.listing = Listing(root, names=ClassNames(options.labels))
        self.options = options
        self._finder = FilmFinder(root)
        self._seen: set[str] = set()
        self._missing = 0
        self._left_out: Counter[str] = Counter()
        self._others = 0

    def leave_out(self, why: str) -> None:
        """Count a film that is left out by what its row says."""
        self._left_out[why] += 1

    def add(
        self,
        film: str,
        findings: Iterable[str],
        *,
        patient: str | None = None,
        part: str | None = None,
        age: str | None = None,
        sex: str | None = None,
        view: str | None = None,
        source: str | None = None,
        boxes: str | None = None,
        pixel_boxes: str | None = None,
    ) -> None:
        """Add a film, if it is there; its class is that of its findings (``label_of_findings``)."""
        said = [finding.strip() for finding in findings if finding.strip()]
        label = label_of_findings(said, self.listing.names)
        if not label:
            self._left_out["label left out" if said else "no label"] += 1
            return
        place = self._finder.find_existing(film)
        if place is None or place in self._seen:
            self._missing += place is None
            return
        self._seen.add(place)
        self._others += label == NO_PNEUMONIA
        self.listing.films.append(
            Candidate(
                path=place,
                label=label,
                patient=patient,
                part=part,
                age=age,
                sex=sex,
                view=view,
                source=source,
                boxes=boxes,
                patient_from="table" if patient else "none",
                pixel_boxes=pixel_boxes,
            )
        )

    def finish(self, *notes: str) -> Listing:
        """The listing, with what a person should know."""
        listing = self.listing
        if self._others:
            listing.notes.append(
                f"{self._others} films have no pneumonia but may have other findings: their class is {NO_PNEUMONIA!r} "
                "(--label FINDING=CLASS names another, --label FINDING= leaves them out)"
            )
        for why, count in self._left_out.items():
            listing.notes.append(f"left out: {count} films ({why})")
        if self._missing:
            listing.notes.append(f"{self._missing} rows of the table have no film here")
        if sides := sum((film.view or "").upper() in {"L", "LL", "RL", "LATERAL", "LLD"} for film in listing.films):
            listing.notes.append(f"{sides} films are side views, which no bundle reads")
        listing.notes.extend(notes)
        return listing


def chexpert_findings(rows: Rows, row: list[str], options: ListingOptions) -> list[str] | None:
    """The findings of a row of CheXpert's labeller; None where pneumonia is uncertain and such films are left out."""
    found, told = [], False
    for name in CHEXPERT_FINDINGS:
        cell = rows.cell(row, name)
        if cell is None:
            continue
        told = True
        value = float(cell)
        if value == 1 and name != "Support Devices":
            found.append(name)
        elif value < 0 and name == "Pneumonia":
            if options.uncertain == "leave-out":
                return None
            if options.uncertain == "positive":
                found.append(name)
    if found:
        if "Pneumonia" in found:
            return ["Pneumonia"]
        return [name for name in found if name != "Lung Opacity"] or [NO_PNEUMONIA]
    return [NO_PNEUMONIA] if told else []


def person_age(text: str | None) -> str | None:
    """An age as a table tells it; None where it is nobody's (NIH has patients of 411 years)."""
    return text if text and parse_age(text) is not None else None


def boxes_text(
    boxes: Iterable[tuple[float, float, float, float]], size: tuple[float, float] | None = None
) -> str | None:
    """Boxes as ``FilmRow.boxes`` writes them, or in pixels where the size is not known.

    Args:
        boxes: x, y, width, height in pixels.
        size: Width and height of the film that they were drawn on.
    """
    width, height = size or (1.0, 1.0)
    form = "{:.4f} {:.4f} {:.4f} {:.4f}" if size else "{:g} {:g} {:g} {:g}"
    return ";".join(form.format(x / width, y / height, w / width, h / height) for x, y, w, h in boxes) or None
