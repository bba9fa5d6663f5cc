"""NIH ChestX-ray14 (Wang et al., CVPR 2017): 112,120 films of 30,805 patients, labels mined from reports."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pneumoscope.data.labels import canonical_label
from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, boxes_text, find_tables, load_rows, person_age

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["NihChestXray"]

_COLUMNS = ("Image Index", "Finding Labels", "Patient ID")
_BOXED_ON = (1024.0, 1024.0)  # pixels of the films that BBox_List_2017 was drawn on
_BOX_NUMBERS = slice(2, 6)  # x, y, w, h; their header is "Bbox [x", "y", "w", "h]"


class NihChestXray:
    """Data_Entry_2017, with BBox_List_2017 and the official lists of parts if they are there."""

    name = "nih"
    description = "NIH ChestX-ray14 as it is handed out: films in any folders below, named as in the table"
    needs = "Data_Entry_2017.csv (or _v2020, sample_labels.csv); if there: BBox_List_2017.csv, test_list.txt"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_COLUMNS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films; of a film's boxes those of pneumonia."""
        tables = find_tables(path, *_COLUMNS)
        known = KnownSet(path, tables[0], options)
        boxes = _boxes(path)
        test = _lines(path, "test_list.txt")
        train = _lines(path, "train_val_list.txt")
        for rows in load_rows(tables):
            for row in rows.rows:
                film = rows.cell(row, "Image Index") or ""
                known.add(
                    film,
                    (rows.cell(row, "Finding Labels") or "").split("|"),
                    patient=rows.cell(row, "Patient ID"),
                    part="test" if film in test else "train" if film in train else None,
                    age=person_age(rows.cell(row, "Patient Age")),
                    sex=rows.cell(row, "Patient Gender", "Patient Sex"),
                    view=rows.cell(row, "View Position"),
                    boxes=boxes_text(boxes.get(film, []), _BOXED_ON),
                )
        return known.finish()


def _boxes(path: Path) -> dict[str, list[tuple[float, float, float, float]]]:
    found = defaultdict(list)
    for rows in load_rows(find_tables(path, "Image Index", "Finding Label", "Bbox [x")):
        for row in rows.rows:
            if canonical_label(rows.cell(row, "Finding Label") or "") == "pneumonia":
                x, y, width, height = (float(number) for number in row[_BOX_NUMBERS])
                found[rows.cell(row, "Image Index") or ""].append((x, y, width, height))
    return found


def _lines(path: Path, name: str) -> set[str]:
    place = (path if path.is_dir() else path.parent) / name
    try:
        return set(place.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return set()
