"""CoronaHack Chest X-Ray Dataset (Praveen, Kaggle 2020): films of Guangzhou and of Cohen's collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.labels import canonical_label
from pneumoscope.data.layout import PARTS
from pneumoscope.data.patients import patient_of
from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, find_tables, load_rows

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["CoronaHack"]

_COLUMNS = ("X_ray_image_name", "Label", "Label_1_Virus_category")


class CoronaHack:
    """The metadata, whose three columns of labels go from normal and pneumonia to the germ."""

    name = "coronahack"
    description = "CoronaHack Chest X-Ray Dataset"
    needs = "Chest_xray_Corona_Metadata.csv, films in train and test"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_COLUMNS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films."""
        tables = find_tables(path, *_COLUMNS)
        known = KnownSet(path, tables[0], options)
        for rows in load_rows(tables):
            for row in rows.rows:
                name = rows.cell(row, "X_ray_image_name") or ""
                part = (rows.cell(row, "Dataset_type") or "").lower()
                label = rows.cell(row, "Label") or ""
                germ = rows.cell(row, "Label_2_Virus_category") or ""
                kind = rows.cell(row, "Label_1_Virus_category") or ""
                if canonical_label(label) == "pneumonia":
                    label = next(
                        (said for said in (germ, kind) if canonical_label(said) in {"covid-19", "bacterial", "viral"}),
                        label,
                    )
                known.add(f"{part}/{name}" if part else name, [label], patient=patient_of(name), part=PARTS.get(part))
        return known.finish()
