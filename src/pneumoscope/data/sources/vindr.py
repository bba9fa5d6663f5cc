"""VinDr-CXR (Nguyen et al., Scientific Data 2022) and PediCXR, of children (Pham et al., Scientific Data 2023).

Each film was read by several radiologists: a label stands if half of them or more gave it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, boxes_text, find_tables, load_rows
from pneumoscope.data.tables import plain_column

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["VinDrCxr"]

_GLOBAL = ("image_id", "No finding", "Pneumonia")
_LOCAL = ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max")
_PNEUMONIAS = {
    **dict.fromkeys(("pneumonia", "broncho-pneumonia", "brocho-pneumonia", "bronchopneumonia"), "pneumonia"),
    "pleuro-pneumonia": "pneumonia",
}
_OPACITIES = frozenset(
    {"consolidation", "infiltration", "lung opacity", "other opacity", "pneumonia", "reticulonodular opacity"}
)
_NO_FINDING = frozenset({"no finding", "no findings"})


class VinDrCxr:
    """Labels of films (image_labels_*.csv) with boxes (annotations_*.csv), or the boxes alone (VinBigData)."""

    name = "vindr"
    description = "VinDr-CXR, VinBigData and PediCXR (VinDr-PCXR): .dicom, or the same as PNG under the same names"
    needs = "image_labels_train.csv and/or annotations_train.csv (or VinBigData's train.csv)"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_GLOBAL) or find_tables(path, *_LOCAL))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films. Of boxes those of opacities of films with pneumonia are kept."""
        folder = path if path.is_dir() else path.parent
        by_film, local = find_tables(folder, *_GLOBAL), find_tables(folder, *_LOCAL)
        votes: dict[str, list[set[str]]] = defaultdict(list)
        parts: dict[str, str] = {}
        for table in by_film:
            part = _part(table)
            (rows,) = load_rows([table])
            names = [name for name in rows.names if plain_column(name) not in {"image id", "rad id", ""}]
            for row in rows.rows:
                film = rows.cell(row, "image_id") or ""
                votes[film].append({name for name in names if (rows.cell(row, name) or "0") not in {"0", "0.0"}})
                parts[film] = part
        boxes = defaultdict(list)
        boxed: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for table in local:
            (rows,) = load_rows([table])
            for row in rows.rows:
                film, name = rows.cell(row, "image_id") or "", rows.cell(row, "class_name") or ""
                boxed[film][rows.cell(row, "rad_id") or ""].add(name)
                parts.setdefault(film, _part(table))
                corners = [rows.cell(row, key) for key in ("x_min", "y_min", "x_max", "y_max")]
                if name.lower() in _OPACITIES and all(corners):
                    left, top, right, bottom = (float(corner or 0) for corner in corners)
                    boxes[film].append((left, top, right - left, bottom - top))
        if not by_film:
            votes.update({film: list(readers.values()) for film, readers in boxed.items()})
        known = KnownSet(folder, (by_film or local)[0], options)
        for film, readers in votes.items():
            findings = _agreed(readers)
            sick = any(finding == "pneumonia" for finding in findings)
            known.add(
                film, findings, part=parts.get(film), pixel_boxes=boxes_text(boxes.get(film, [])) if sick else None
            )
        notes = [] if by_film else ["no table of the films' labels (image_labels_*.csv): boxes alone name no pneumonia"]
        return known.finish("a label stands where half of a film's readers or more gave it", *notes)


def _agreed(readers: list[set[str]]) -> list[str]:
    """What half of the readers or more found, in our words for the pneumonias."""
    counts: dict[str, int] = defaultdict(int)
    for found in readers:
        for name in {_PNEUMONIAS.get(name.lower(), name) for name in found}:
            counts[name] += 1
    agreed = [name for name, count in counts.items() if 2 * count >= len(readers)]
    others = [name for name in agreed if name.lower() not in _NO_FINDING]
    return others or agreed or ["no pneumonia"]


def _part(table: Path) -> str:
    return "test" if "test" in table.name.lower() else "train"
