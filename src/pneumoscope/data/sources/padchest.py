"""PadChest (Bustos et al., Medical Image Analysis 2020): 160,868 films of 67,000 patients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, find_tables, load_rows, person_age

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions
    from pneumoscope.data.tables import Rows

__all__ = ["PadChest"]

_COLUMNS = ("ImageID", "PatientID", "Labels", "Projection")
_QUOTED = re.compile(r"""['"]([^'"]*)['"]""")
_NO_WORDS = frozenset({"exclude", "suboptimal study", "unchanged", ""})
_PNEUMONIAS = frozenset({"pneumonia", "atypical pneumonia", "viral pneumonia", "bacterial pneumonia"})


class PadChest:
    """The table of labels, and films of 16 bits in folders or in one."""

    name = "padchest"
    description = "PadChest, whole or a part of it"
    needs = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv (or .csv.gz)"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_COLUMNS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films."""
        tables = find_tables(path, *_COLUMNS)
        known = KnownSet(path, tables[0], options)
        for rows in load_rows(tables):
            for row in rows.rows:
                labels = [label.strip().lower() for label in _QUOTED.findall(rows.cell(row, "Labels") or "")]
                if "exclude" in labels:
                    known.leave_out("labelled exclude")
                    continue
                said = [label for label in labels if label not in _NO_WORDS]
                sick = [label for label in said if label in _PNEUMONIAS]
                known.add(
                    "/".join(filter(None, (rows.cell(row, "ImageDir"), rows.cell(row, "ImageID")))),
                    [_plain(label) for label in sick] or said,
                    patient=rows.cell(row, "PatientID"),
                    age=_age(rows, row),
                    sex=rows.cell(row, "PatientSex_DICOM", "PatientSex"),
                    view=rows.cell(row, "Projection"),
                )
        return known.finish()


def _plain(label: str) -> str:
    return "pneumonia" if label == "atypical pneumonia" else label


def _age(rows: Rows, row: list[str]) -> str | None:
    """Years, from the year of birth and the date of the study."""
    born, then = rows.cell(row, "PatientBirth"), rows.cell(row, "StudyDate_DICOM", "StudyDate")
    try:
        return person_age(str(int(str(then)[:4]) - int(float(born or ""))))
    except ValueError:
        return None
