"""How a folder of films is laid out: folders of classes, files below them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pneumoscope.data.labels import canonical_label, patient_of
from pneumoscope.errors import DatasetError
from pneumoscope.films.sniff import looks_like_film

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "PARTS",
    "Candidate",
    "Listing",
    "Source",
    "class_folders",
    "class_names",
    "files_below",
    "find_root",
    "folders",
    "list_folders",
]

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""Names of a part, as sets and tables write them, and as we do."""

_DEPTH = 2  # folders that may be wrapped around a set: chest_xray/chest_xray/train
_BREADTH = 1000  # folders that are looked into on each level


@dataclass(frozen=True, slots=True)
class Candidate:
    """A film that a layout promises; nobody has opened it yet.

    Attributes:
        path: From the listing's root, with forward slashes.
        label: The class, as ``canonical_label`` writes it.
        patient: If the layout names one.
        part: "train", "val", "test" or None.
        age: If the layout tells it; likewise ``sex``, ``view``, ``source`` (the machine, the copy), ``site`` and
            ``boxes`` (see ``FilmRow``).
        patternless: The layout tells bacterial from viral, but not for this film: its label is "pneumonia".
    """

    path: str
    label: str
    patient: str | None = None
    part: str | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None
    source: str | None = None
    patternless: bool = False
    site: str | None = None
    boxes: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a layout found.

    Attributes:
        root: The folder that the paths start from.
        films: What should be films.
        problems: What cannot be used, as (path, reason).
    """

    root: Path
    films: list[Candidate] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


class Source(Protocol):
    """A layout. To add one, write it in a file of this folder and put it into the table of ``registry``."""

    @property
    def name(self) -> str:
        """One word or two with a hyphen; stands in each row of the manifest."""
        ...

    @property
    def description(self) -> str:
        """One line that lets a person arrange their folder so."""
        ...

    def matches(self, path: Path) -> bool:
        """Whether a folder or file looks like this layout. Quick; opens no film."""
        ...

    def films(self, path: Path) -> Listing:
        """List the films of a folder or file that matches."""
        ...


def folders(path: Path) -> list[Path]:
    """The folders just below, sorted; none that are hidden or left by an archive program."""
    try:
        with os.scandir(path) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not _is_litter(entry.name))
    except OSError:
        return []


def files_below(path: Path) -> Iterator[Path]:
    """All files below a folder, sorted; none that are hidden or left by an archive program."""
    for parent, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not _is_litter(name))
        yield from (Path(parent, name) for name in sorted(files) if not _is_litter(name))


def _is_litter(name: str) -> bool:
    return name.startswith(".") or name in {"__MACOSX", "Thumbs.db", "desktop.ini"}


def class_folders(root: Path) -> dict[Path, str | None]:
    """The class folders of a set, each with its part: those below train, val and test, else those of the root."""
    parts = [folder for folder in folders(root) if folder.name.lower() in PARTS]
    if parts:
        return {below: PARTS[part.name.lower()] for part in parts for below in folders(part)}
    return dict.fromkeys(folders(root))


def find_root(path: Path, fits: Callable[[Path], bool]) -> Path | None:
    """The folder of a set, at ``path`` or in a folder or two below it.

    Args:
        path: Where to look.
        fits: Whether a folder is the root of a set of this layout.

    Raises:
        DatasetError: There are several equally near.
    """
    level = [path] if path.is_dir() else []
    for _ in range(_DEPTH + 1):
        found = [folder for folder in level if fits(folder)]
        if len(found) > 1:
            raise DatasetError(
                f"there are {len(found)} data sets in this folder",
                where=path,
                remedy=f"Name one of them: {', '.join(str(folder) for folder in found[:5])}",
            )
        if found:
            return found[0]
        level = list(islice((below for folder in level for below in folders(folder)), _BREADTH))
    return None


def class_names(root: Path) -> set[str]:
    """The names of the class folders, as ``canonical_label`` writes them."""
    return {canonical_label(folder.name) for folder in class_folders(root)}


def list_folders(
    root: Path, label_of: Callable[[str, str], tuple[str, bool]] = lambda name, _: (name, False)
) -> Listing:
    """List the films of a root with class folders.

    Args:
        root: The set.
        label_of: From a class folder's canonical name and a film's file name to its label and whether it is
            ``patternless``.

    Returns:
        The films; those that lie beside the class folders instead of in one are problems.
    """
    listing = Listing(root)
    for folder, part in class_folders(root).items():
        name = canonical_label(folder.name)
        for file in files_below(folder):
            path = file.relative_to(root).as_posix()
            label, patternless = label_of(name, file.name)
            listing.films.append(Candidate(path, label, patient_of(path), part, patternless=patternless))
    for folder in [root, *(below for below in folders(root) if below.name.lower() in PARTS)]:
        loose = (file for file in sorted(folder.iterdir()) if file.is_file() and not _is_litter(file.name))
        listing.problems.extend(
            (file.relative_to(root).as_posix(), "The film lies in no class folder, so it has no label.")
            for file in loose
            if looks_like_film(file)
        )
    return listing
