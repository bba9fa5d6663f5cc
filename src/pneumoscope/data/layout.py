"""How a folder of films is laid out: folders of classes, files below them."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pneumoscope.data.labels import ClassNames, canonical_label
from pneumoscope.data.passengers import is_litter, passenger_kind, suffix_of
from pneumoscope.data.patients import folder_patients, patient_of
from pneumoscope.errors import DatasetError, FilmError
from pneumoscope.films.archives import is_archive, open_archive
from pneumoscope.films.sniff import looks_like_film

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "PARTS",
    "Candidate",
    "Listing",
    "ListingOptions",
    "Source",
    "class_folders",
    "class_names",
    "files_below",
    "films_below",
    "find_root",
    "folders",
    "list_folders",
    "with_patients",
]

PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "validate": "val",
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
        patient_from: What names the patient; see ``patients.PATIENT_SOURCES``.
        pixel_boxes: Boxes in pixels of the film; they become ``boxes`` when it is opened.
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
    patient_from: str = "none"
    pixel_boxes: str | None = None


@dataclass(frozen=True, slots=True)
class ListingOptions:
    """What a person may choose of how a data set is read.

    Attributes:
        labels: Labels that are to be taken for a class; "" leaves their films out.
        uncertain: What becomes of films whose finding a set calls uncertain (-1 of CheXpert and MIMIC-CXR).
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    uncertain: Literal["leave-out", "positive", "negative"] = "leave-out"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a layout found.

    Attributes:
        root: The folder that the paths start from.
        films: What should be films.
        problems: What cannot be used, as (path, reason).
        names: From labels to classes.
        passed: Files that are no films, by kind or by suffix.
        notes: What a person should know, each a sentence.
    """

    root: Path
    films: list[Candidate] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    names: ClassNames = field(default_factory=ClassNames)
    passed: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """A layout. To add one, write it in a file of ``sources`` and put it into the table of ``sources.registry``."""

    @property
    def name(self) -> str:
        """One word or two with a hyphen; stands in each row of the manifest."""
        ...

    @property
    def description(self) -> str:
        """One line that lets a person arrange their folder so."""
        ...

    @property
    def needs(self) -> str:
        """One line: the files that it is known by."""
        ...

    def matches(self, path: Path) -> bool:
        """Whether a folder or file looks like this layout. Quick; opens no film."""
        ...

    def films(self, path: Path, options: ListingOptions) -> Listing:
        """List the films of a folder or file that matches."""
        ...


def folders(path: Path) -> list[Path]:
    """The folders just below that may hold films, sorted: none that are hidden, litter, or of masks and heat maps."""
    try:
        with os.scandir(path) as entries:
            found = sorted(Path(entry.path) for entry in entries if entry.is_dir() and not is_litter(entry.name))
    except OSError:
        return []
    return [folder for folder in found if passenger_kind([f"{folder.name}/"]) is None]


def files_below(path: Path) -> Iterator[Path]:
    """All files below a folder, sorted; none that are hidden or left by an archive program."""
    for parent, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not is_litter(name))
        for name in sorted(files):
            place = Path(parent, name)
            if is_archive(place):
                yield from _inside(place)
            elif not is_litter(name):
                yield place


def _inside(archive: Path) -> Iterator[Path]:
    """The entries of an archive, by paths through it; the archive itself, if it cannot be opened."""
    try:
        names = sorted(open_archive(archive).sizes)
    except FilmError:
        yield archive
        return
    yield from (archive / name for name in names if not any(map(is_litter, name.split("/"))))


def films_below(path: Path, listing: Listing) -> Iterator[Path]:
    """All films below a folder, sorted; what is none is counted in ``listing.passed``."""
    for file in files_below(path):
        kind = passenger_kind(file.relative_to(path.parent).parts[1:])
        if not looks_like_film(file):
            listing.passed[suffix_of(file.name)] += 1
        elif kind is not None:
            listing.passed[kind] += 1
        else:
            yield file


def class_folders(root: Path) -> dict[Path, str | None]:
    """The class folders of a set, each with its part: those below train, val and test, else those of the root.

    A folder that is called like the root, or has the same class folders once more, is a copy and none of them.
    """
    below_root = folders(root)
    parts = [folder for folder in below_root if folder.name.lower() in PARTS]
    if parts:
        return {below: PARTS[part.name.lower()] for part in parts for below in folders(part)}
    if len(below_root) > 2:
        names = {folder.name.lower() for folder in below_root}
        below_root = [folder for folder in below_root if not _is_inner_copy(folder, names - {folder.name.lower()})]
    return dict.fromkeys(below_root)


def _is_inner_copy(folder: Path, names: set[str]) -> bool:
    inner = {below.name.lower() for below in folders(folder)}
    return len(names) > 1 and names <= inner


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
    root: Path,
    options: ListingOptions,
    label_of: Callable[[str, str], tuple[str, bool]] = lambda name, _: (name, False),
) -> Listing:
    """List the films of a root with class folders.

    Args:
        root: The set.
        options: The person's choices.
        label_of: From a class folder's class and a film's path below it to its label and whether it is
            ``patternless``.

    Returns:
        The films; those that lie beside the class folders instead of in one are problems.
    """
    listing = Listing(root, names=ClassNames(options.labels))
    found, chosen = [], class_folders(root)
    for folder, part in chosen.items():
        name = listing.names(folder.name)
        for file in films_below(folder, listing):
            path = file.relative_to(root).as_posix()
            if not name:
                listing.passed[f"film of {folder.name.strip()}"] += 1
                continue
            label, patternless = label_of(name, file.relative_to(folder).as_posix())
            found.append(Candidate(path, label, None, part, patternless=patternless))
    above = len(next(iter(chosen)).relative_to(root).parts) if chosen else 0
    listing.films.extend(with_patients(found, above))
    part_folders = [below for below in folders(root) if below.name.lower() in PARTS]
    for folder in [root, *part_folders]:
        for file in sorted(folder.iterdir()):
            if not file.is_file() or is_litter(file.name):
                continue
            if not looks_like_film(file):
                listing.passed[suffix_of(file.name)] += 1
                continue
            where = file.relative_to(root).as_posix()
            listing.problems.append((where, "The film lies in no class folder, so it has no label."))
    _tell_passed_folders(root, {*chosen, *part_folders}, listing)
    return listing


def with_patients(films: list[Candidate], above: int) -> list[Candidate]:
    """Name patients by the films' names, else by folders a patient.

    Args:
        films: Without patients.
        above: Folders above the patient's.
    """
    by_folder = folder_patients([(film.path, above) for film in films])
    told = []
    for film, folder in zip(films, by_folder, strict=True):
        if film.patient is not None:
            told.append(film)
        elif name := patient_of(film.path):
            told.append(replace(film, patient=name, patient_from="name"))
        elif folder is not None:
            told.append(replace(film, patient=folder, patient_from="folder"))
        else:
            told.append(film)
    return told


def _tell_passed_folders(root: Path, used: set[Path], listing: Listing) -> None:
    """Count what lies in folders that are no classes: of masks and their like, and copies of the set within itself."""
    try:
        entries = sorted(entry for entry in root.iterdir() if entry.is_dir() and not is_litter(entry.name))
    except OSError:
        return
    for folder in entries:
        if folder in used:
            continue
        kind = passenger_kind([f"{folder.name}/"])
        films = sum(looks_like_film(file) for file in files_below(folder))
        if kind is not None:
            listing.passed[kind] += films
        elif films:
            listing.passed["film of a folder beside the classes"] += films
            listing.notes.append(
                f"the folder {folder.name} beside the class folders was left out ({films} films): "
                "a copy of the set within itself, or another set"
            )
