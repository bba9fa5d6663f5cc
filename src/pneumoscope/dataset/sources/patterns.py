"""Three folders: normal, bacteria, virus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.dataset.labels import NEGATIVE
from pneumoscope.dataset.sources.layout import Listing, class_names, find_root, list_folders

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PatternFolders"]


class PatternFolders:
    """A folder for what is normal and one for each pattern."""

    name = "patterns"
    description = (
        "folders normal, bacteria (or bacterial) and virus (or viral), below train, val and test, if there are any"
    )

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these three."""
        return find_root(path, _fits) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _fits) or path)


def _fits(root: Path) -> bool:
    names = class_names(root)
    return len(names) == 3 and {"bacterial", "viral"} < names and bool(names & NEGATIVE)
