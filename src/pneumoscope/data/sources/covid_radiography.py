"""COVID-19 Radiography Database (Chowdhury et al., IEEE Access 2020; Rahman et al., 2021): four folders with masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.data.labels import canonical_label
from pneumoscope.data.layout import class_names, find_root, folders, list_folders
from pneumoscope.data.sources.known import NO_OPTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.layout import Listing, ListingOptions

__all__ = ["CovidRadiography"]

_LEAST = frozenset({"covid-19", "normal"})
_ALL = frozenset({"covid-19", "normal", "viral", "opacity"})


class CovidRadiography:
    """Folders COVID, Lung_Opacity, Normal and Viral Pneumonia, each with images and masks."""

    name = "covid-radiography"
    description = (
        "COVID-19 Radiography Database: folders COVID, Lung_Opacity, Normal, Viral Pneumonia; masks are left out"
    )
    needs = "these folders, each with a folder images; a CLASS.metadata.xlsx is not needed"

    def matches(self, path: Path) -> bool:
        """Whether the class folders are its own, with a folder images in each."""
        return find_root(path, _is_root) is not None

    def films(self, path: Path, options: ListingOptions = NO_OPTIONS) -> Listing:
        """List the films. The set tells no patients."""
        return list_folders(find_root(path, _is_root) or path, options)


def _is_root(root: Path) -> bool:
    names = class_names(root)
    if not (names >= _LEAST and names <= _ALL):
        return False
    classes = [folder for folder in folders(root) if canonical_label(folder.name) in _ALL]
    return all(any(below.name.lower() == "images" for below in folders(folder)) for folder in classes)
