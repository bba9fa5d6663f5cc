"""RSNA Pneumonia Detection Challenge 2018 (Shih et al., Radiology: AI 2019): films that radiologists read."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pneumoscope.data.labels import NO_PNEUMONIA
from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, boxes_text, find_tables, load_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["RsnaChallenge"]

_LABELS = ("patientId", "x", "y", "width", "height", "Target")
_CLASSES = ("patientId", "class")
_SIDE = (1024.0, 1024.0)  # pixels of the challenge's films


class RsnaChallenge:
    """The labels with their boxes, and the detailed classes; either may be missing."""

    name = "rsna"
    description = "RSNA Pneumonia Detection Challenge 2018: DICOM, or the same as PNG or JPEG under the same names"
    needs = "stage_2_train_labels.csv and/or stage_2_detailed_class_info.csv"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_LABELS) or find_tables(path, *_CLASSES))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films: "opacity", "normal", and "no pneumonia" for what is not normal and has no opacity."""
        tables, detailed = find_tables(path, *_LABELS), find_tables(path, *_CLASSES)
        if path.is_file():  # its sister beside it, too
            tables, detailed = find_tables(path.parent, *_LABELS), find_tables(path.parent, *_CLASSES)
        labels: dict[str, str] = {}
        boxes = defaultdict(list)
        for rows in load_rows(tables):
            for row in rows.rows:
                film = rows.cell(row, "patientId") or ""
                sick = float(rows.cell(row, "Target") or 0) == 1
                if sick or film not in labels:
                    labels[film] = "Lung Opacity" if sick else NO_PNEUMONIA
                if sick and rows.cell(row, "x") is not None:
                    x, y, width, height = (float(rows.cell(row, key) or 0) for key in ("x", "y", "width", "height"))
                    boxes[film].append((x, y, width, height))
        for rows in load_rows(detailed):
            for row in rows.rows:
                film = rows.cell(row, "patientId") or ""
                if labels.get(film) != "Lung Opacity":
                    labels[film] = rows.cell(row, "class") or ""
        known = KnownSet(path, (tables or detailed)[0], options)
        for film, label in labels.items():
            known.add(film, [label], patient=film, boxes=boxes_text(boxes.get(film, []), _SIDE))
        return known.finish(
            "the challenge's patientId names a film: films of one patient may lie on both sides of a split"
        )
