"""MIMIC-CXR-JPG 2.0.0 (Johnson et al., 2019): 377,110 films of 65,379 patients, labels mined from reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.layout import PARTS
from pneumoscope.data.sources.known import NO_OPTIONS, KnownSet, chexpert_findings, find_tables, load_rows
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["MimicCxr"]

_LABELS = ("subject_id", "study_id", "Pneumonia", "No Finding")
_FILMS = ("dicom_id", "subject_id", "study_id")


class MimicCxr:
    """The labels of studies, and the metadata or the split, which list their films; .csv or .csv.gz."""

    name = "mimic-cxr"
    description = "MIMIC-CXR-JPG; --uncertain says what becomes of films whose pneumonia is -1"
    needs = (
        "mimic-cxr-2.0.0-chexpert.csv(.gz) and -metadata.csv(.gz) or -split.csv(.gz), films in files/p10/p1.../s5.../"
    )

    def matches(self, path: Path) -> bool:
        """Whether there is a table with its columns."""
        return bool(find_tables(path, *_LABELS))

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films.

        Raises:
            DatasetError: No table lists films.
        """
        labels = find_tables(path, *_LABELS)
        folder = path if path.is_dir() else path.parent
        tables = [table for table in find_tables(folder, *_FILMS) if table not in labels]
        if not tables:
            raise DatasetError(
                "the labels are of studies, and no table lists their films", where=folder, remedy=f"Add {self.needs}"
            )
        said = {}
        for rows in load_rows(labels):
            for row in rows.rows:
                said[rows.cell(row, "study_id")] = chexpert_findings(rows, row, options)
        films: dict[str, dict[str, str | None]] = {}
        for rows in load_rows(tables):
            for row in rows.rows:
                film = films.setdefault(rows.cell(row, "dicom_id") or "", {})
                for key, column in _KEPT.items():
                    film[key] = film.get(key) or rows.cell(row, column)
        known = KnownSet(folder, labels[0], options)
        for name, film in films.items():
            findings = said.get(film["study"], [])
            if findings is None:
                known.leave_out("pneumonia uncertain")
                continue
            patient = film["patient"] or ""
            known.add(
                f"files/p{patient[:2]}/p{patient}/s{film['study']}/{name}",
                findings,
                patient=f"p{patient}" if patient else None,
                part=PARTS.get((film["part"] or "").lower()),
                view=film["view"],
            )
        return known.finish()


_KEPT = {"patient": "subject_id", "study": "study_id", "view": "ViewPosition", "part": "split"}
