"""The public set of Kermany, Zhang and Goldbaum (Mendeley Data, doi 10.17632/rscbjbr9sj.2), as it is handed around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.dataset.labels import canonical_label
from pneumoscope.dataset.patients import patient_of
from pneumoscope.dataset.sources.layout import Candidate, Listing, class_folders, files_below, find_root

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PublicSet"]


class PublicSet:
    """NORMAL and PNEUMONIA folders; the pattern is in the file name. A PNEUMONIA film without one is "pneumonia"."""

    name = "public"
    description = "NORMAL and PNEUMONIA folders, with or without train, val, test above; bacteria or virus in the names"

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these two."""
        return path.is_dir() and find_root(path, _fits) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        listing = Listing(find_root(path, _fits) or path)
        for folder, part in class_folders(listing.root).items():
            label = canonical_label(folder.name)
            for file in files_below(folder):
                place = file.relative_to(listing.root).as_posix()
                listing.films.append(Candidate(place, _label(label, file.name), patient_of(place), part))
        return listing


def _fits(names: set[str]) -> bool:
    return names == {"normal", "pneumonia"}


def _label(folder: str, name: str) -> str:
    if folder == "normal":
        return folder
    bacteria, virus = "bacteria" in name.lower(), "virus" in name.lower()
    if bacteria == virus:
        return "pneumonia"
    return "bacterial" if bacteria else "viral"
