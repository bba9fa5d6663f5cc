"""Class folders: any, those of patterns, those of the public set, and those inside a folder a patient."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pneumoscope.data.labels import NEGATIVE, ClassNames, canonical_label
from pneumoscope.data.layout import (
    PARTS,
    Candidate,
    Listing,
    ListingOptions,
    class_folders,
    class_names,
    files_below,
    films_below,
    find_root,
    folders,
    list_folders,
)
from pneumoscope.data.synonyms import known_class
from pneumoscope.films.sniff import looks_like_film

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ClassFolders", "PatientFolders", "PatternFolders", "PublicSet"]

_FIRST_FILMS = 100  # files of a folder that are looked at to see whether it holds films
_FIRST_PATIENTS = 30  # folders that are looked into to see whether each is a patient's
_NONE = ListingOptions()


class ClassFolders:
    """One folder for each class, with its name."""

    name = "folders"
    description = "one folder for each class, with its name, below train, val and test, if there are any"
    needs = "two folders or more with films in them"

    def matches(self, path: Path) -> bool:
        """Whether there are folders with films in them."""
        return find_root(path, _is_class_folders) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _is_class_folders) or path, options)


def _is_class_folders(root: Path) -> bool:
    """Two folders with films at any depth; or a single one with films just in it, which may be a wrapping otherwise."""
    found = class_folders(root)
    if len({folder.name for folder in found}) > 1:
        return sum(any(map(looks_like_film, islice(files_below(folder), _FIRST_FILMS))) for folder in found) > 1
    return any(
        looks_like_film(file)
        for folder in found
        for file in islice(files_below(folder), _FIRST_FILMS)
        if file.parent == folder
    )


class PatientFolders:
    """A folder for each patient, and in each of them class folders."""

    name = "patients"
    description = "a folder for each patient, with class folders (normal, pneumonia, bacteria, virus ...) in it"
    needs = "two patients or more"

    def matches(self, path: Path) -> bool:
        """Whether every folder has class folders in it, and nothing but those."""
        return find_root(path, _is_patient_folders) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the films, each of the patient whose folder it is in."""
        root = find_root(path, _is_patient_folders) or path
        listing = Listing(root, names=ClassNames(options.labels))
        for patient in folders(root):
            for folder in folders(patient):
                if label := listing.names(folder.name):
                    listing.films.extend(
                        Candidate(file.relative_to(root).as_posix(), label, patient.name, patient_from="folder")
                        for file in films_below(folder, listing)
                    )
        return listing


def _is_patient_folders(root: Path) -> bool:
    patients = list(islice(folders(root), _FIRST_PATIENTS))
    if len(patients) < 2 or any(known_class(folder.name) or folder.name.lower() in PARTS for folder in patients):
        return False
    inner = [folders(patient) for patient in patients]
    return all(found and all(known_class(folder.name) for folder in found) for found in inner)


class PatternFolders:
    """A folder for what is normal and one for each pattern."""

    name = "patterns"
    description = (
        "folders normal, bacteria (or bacterial) and virus (or viral), below train, val and test, if there are any"
    )
    needs = "these three folders"

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these three."""
        return find_root(path, _is_pattern_folders) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the films."""
        return list_folders(find_root(path, _is_pattern_folders) or path, options)


def _is_pattern_folders(root: Path) -> bool:
    names = class_names(root)
    return len(names) == 3 and {"bacterial", "viral"} < names and bool(names & NEGATIVE)


class PublicSet:
    """NORMAL and PNEUMONIA folders; the pattern is in the file name. A PNEUMONIA film without one is "pneumonia"."""

    name = "public"
    description = (
        "folders NORMAL and PNEUMONIA, below train, val and test if there are any, bacteria or virus in the file "
        "names; where no name tells it, normal and pneumonia are the classes"
    )
    needs = "these two folders, as in the set of Kermany et al. (Guangzhou)"

    def matches(self, path: Path) -> bool:
        """Whether the class folders are just these two."""
        return find_root(path, _is_public_set) is not None

    def films(self, path: Path, options: ListingOptions = _NONE) -> Listing:
        """List the films."""
        listing = list_folders(find_root(path, _is_public_set) or path, options, _public_label)
        sick = [film for film in listing.films if film.label in {"pneumonia", "bacterial", "viral"}]
        if sick and all(film.patternless for film in sick):
            listing.films[:] = [replace(film, patternless=False) for film in listing.films]
            listing.notes.append(
                "no file name tells bacteria or virus: taken as binary, with the classes normal and pneumonia"
            )
        return listing


def _is_public_set(root: Path) -> bool:
    names = class_names(root)
    return len(names) == 2 and "pneumonia" in names and bool(names & NEGATIVE)


def _public_label(folder: str, name: str) -> tuple[str, bool]:
    if folder != "pneumonia":
        return folder, False
    *above, stem = name.lower().split("/")
    told = {canonical_label(part) for part in above}
    bacteria = "bacteria" in stem or "bacterial" in told
    virus = "virus" in stem or "viral" in stem or "viral" in told
    if bacteria == virus:
        return "pneumonia", True
    return ("bacterial" if bacteria else "viral"), False
