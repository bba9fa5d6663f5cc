"""CheXpert (Irvin et al., AAAI 2019): 224,316 films of 65,240 patients, labels mined from reports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pneumoscope.data.layout import PARTS
from pneumoscope.data.sources.known import (
    NO_OPTIONS,
    KnownSet,
    chexpert_findings,
    find_tables,
    load_rows,
    person_age,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["CheXpert"]

_COLUMNS = ("Path", "Frontal/Lateral", "Pneumonia", "No Finding")
_PATIENT = re.compile(r"patient\d+")


class CheXpert:
    """train.csv and valid.csv; paths begin with the name of the set, wherever it lies."""

    name = "chexpert"
    description = "CheXpert, small or whole; --uncertain says what becomes of films whose pneumonia is -1"
    needs = "train.csv, valid.csv (or one of them) and patientN/studyN/viewN_frontal.jpg"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_COLUMNS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films."""
        tables = find_tables(path, *_COLUMNS)
        known = KnownSet(path, tables[0], options)
        for rows in load_rows(tables):
            for row in rows.rows:
                place = rows.cell(row, "Path") or ""
                findings = chexpert_findings(rows, row, options)
                if findings is None:
                    known.leave_out("pneumonia uncertain")
                    continue
                patient = _PATIENT.search(place)
                side = (rows.cell(row, "Frontal/Lateral") or "").lower() == "lateral"
                known.add(
                    place,
                    findings,
                    patient=patient[0] if patient else None,
                    part=next((PARTS[part.lower()] for part in place.split("/") if part.lower() in PARTS), None),
                    age=person_age(rows.cell(row, "Age")),
                    sex=rows.cell(row, "Sex"),
                    view="LATERAL" if side else rows.cell(row, "AP/PA"),
                )
        return known.finish()
