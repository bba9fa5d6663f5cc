"""Any folder of class folders."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pneumoscope import films
from pneumoscope.dataset.sources.layout import Listing, class_folders, files_below, find_root, list_folders

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ClassFolders"]

_FIRST = 100  # files of a folder that are looked at to see whether it holds films


class ClassFolders:
    """One folder for each class, with its name."""

    name = "folders"
    description = "one folder for each class, with its name, below train, val and test, if there are any"

    def matches(self, path: Path) -> bool:
        """Whether there are folders with films in them."""
        return find_root(path, _fits) is not None

    def films(self, path: Path) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _fits) or path)


def _fits(root: Path) -> bool:
    """Two folders with films at any depth; or a single one with films just in it, which may be a wrapping otherwise."""
    found = class_folders(root)
    if len({folder.name for folder in found}) > 1:
        return sum(any(map(films.looks_like_film, islice(files_below(folder), _FIRST))) for folder in found) > 1
    return any(
        films.looks_like_film(file)
        for folder in found
        for file in islice(files_below(folder), _FIRST)
        if file.parent == folder
    )
