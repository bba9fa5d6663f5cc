"""Whose folder it is: a mark that a run or a search leaves, and the removal of its own files and of no others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.storage import storing, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MARK", "OwnFiles"]

MARK = ".pneumoscope.json"
"""Name of the file by which a folder is known as this program's own."""

_VERSION = 1


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The files that one kind of folder holds, and how such a folder is known.

    Attributes:
        kind: "run" or "search"; stands in the mark.
        files: Patterns of the files that are written, relative to the folder.
        older: Whether a folder without a mark was written before there were marks; it must be strict.
        nested: Folders of this program inside, as pairs of a pattern and the files that they hold.
    """

    kind: str
    files: tuple[str, ...]
    older: Callable[[Path], bool]
    nested: tuple[tuple[str, OwnFiles], ...] = ()

    def marked(self, folder: Path) -> bool:
        """Whether the folder holds a whole mark of this kind."""
        try:
            mark = json.loads((folder / MARK).read_bytes())
        except (OSError, ValueError):
            return False
        return isinstance(mark, dict) and mark.get("format") == self._format

    def own(self, folder: Path) -> bool:
        """Whether the folder is one of this kind: it has its mark, or is from before there were marks."""
        return self.marked(folder) or self.older(folder)

    def mark(self, folder: Path) -> None:
        """Leave the mark, if it is not there.

        Raises:
            StorageError: It cannot be written.
        """
        if not self.marked(folder):
            mark = {"format": self._format, "version": _VERSION, "files": list(self.files)}
            write_atomically(folder / MARK, json.dumps(mark, indent=2) + "\n")

    def remove(self, folder: Path) -> None:
        """Remove what this program wrote into the folder; what else is in it stays, and so does a folder with such.

        Links are not followed. The mark goes last, so that a removal that is broken off can be gone on with.

        Raises:
            StorageError: A file cannot be removed.
        """
        with storing(folder):
            for pattern, kind in self.nested:
                for inner in _unlinked(folder, pattern):
                    if inner.is_dir() and kind.own(inner):
                        kind.remove(inner)
            parents = {Path(pattern).parent for pattern, _ in self.nested}
            for path in self._written(folder):
                path.unlink(missing_ok=True)
                parents.update(path.relative_to(folder).parents)
            for parent in sorted(parents, key=lambda each: -len(each.parts)):
                if parent.parts:
                    _remove_if_empty(folder / parent)
            (folder / MARK).unlink(missing_ok=True)
            _remove_if_empty(folder)

    def _written(self, folder: Path) -> Iterator[Path]:
        """The files that match, and what a kill left of them half-way."""
        for pattern in self.files:
            parent, slash, name = pattern.rpartition("/")
            for each in (pattern, f"{parent}{slash}.{name}.*.part"):
                yield from (path for path in _unlinked(folder, each) if path.is_symlink() or not path.is_dir())

    @property
    def _format(self) -> str:
        return f"pneumoscope {self.kind}"


def _unlinked(folder: Path, pattern: str) -> list[Path]:
    """What matches without a link to elsewhere on the way."""
    return [
        path
        for path in folder.glob(pattern)
        if not any((folder / parent).is_symlink() for parent in path.relative_to(folder).parents if parent.parts)
    ]


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()
