"""covid-chestxray-dataset (Cohen et al., 2020): films of papers and of people who gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, find_tables, load_rows, person_age

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["CohenCovid"]

_COLUMNS = ("patientid", "finding", "modality", "filename")
_UNKNOWN = frozenset({"todo", "unknown", ""})
_GERMS = {"bacterial": "bacterial", "viral": "viral"}


class CohenCovid:
    """metadata.csv; computed tomography in it is left out."""

    name = "cohen"
    description = "Cohen's covid-chestxray-dataset: metadata.csv and the folder images"
    needs = "metadata.csv with patientid, finding, view, modality and filename"

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_COLUMNS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films; findings are paths ("Pneumonia/Viral/COVID-19")."""
        tables = find_tables(path, *_COLUMNS)
        known = KnownSet(path, tables[0], options)
        for rows in load_rows(tables):
            for row in rows.rows:
                if (rows.cell(row, "modality") or "").lower() not in {"x-ray", "xray", "cr", "dx"}:
                    known.leave_out("no radiograph")
                    continue
                finding = rows.cell(row, "finding") or ""
                if finding.lower() in _UNKNOWN:
                    known.leave_out("finding not told")
                    continue
                folder, name = rows.cell(row, "folder") or "", rows.cell(row, "filename") or ""
                known.add(
                    f"{folder}/{name}" if folder else name,
                    [_class(finding)],
                    patient=rows.cell(row, "patientid"),
                    age=person_age(rows.cell(row, "age")),
                    sex=rows.cell(row, "sex"),
                    view=rows.cell(row, "view"),
                    source=rows.cell(row, "location"),
                )
        return known.finish()


def _class(finding: str) -> str:
    """COVID-19, bacterial or viral where the path of findings says so; else pneumonia, or the finding itself."""
    steps = [step.strip() for step in finding.split("/")]
    if "COVID-19" in steps:
        return "COVID-19"
    if steps[0].lower() != "pneumonia":
        return finding
    return next((_GERMS[step.lower()] for step in steps if step.lower() in _GERMS), "Pneumonia")
