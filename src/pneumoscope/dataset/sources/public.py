"""The public set of Kermany, Zhang and Goldbaum (Mendeley Data, doi 10.17632/rscbjbr9sj.2), as it is handed around."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.dataset.sources.layout import Listing, class_names, find_root, list_folders

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PublicSet"]


class PublicSet:
    """NORMAL and PNEUMONIA folders; the pattern is in the file name. A PNEUMONIA film without one is "pneumonia"."""

    name = "public"
    description = (
        "folders NORMAL and PNEUMONIA, below train, val and test if there are any, bacteria or virus in the file names"
    )

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these two."""
        return find_root(path, _fits) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _fits) or path, _label)


def _fits(root: Path) -> bool:
    return class_names(root) == {"normal", "pneumonia"}


def _label(folder: str, name: str) -> tuple[str, bool]:
    if folder != "pneumonia":
        return folder, False
    bacteria, virus = "bacteria" in name.lower(), "virus" in name.lower()
    if bacteria == virus:
        return "pneumonia", True
    return ("bacterial" if bacteria else "viral"), False
