"""Labels and patients, as names of folders and files and tables give them.

A patient on both sides of a split makes a figure too good; two patients taken for one only make a
split a little less even. So every doubt is decided towards one patient:

- ``person63_bacteria_306`` and ``person63_virus_121``: the number after "person" runs anew for bacteria
  and virus in parts of the public set and does not in others, and nobody has said which. The same
  number is the same child, over both patterns and over the official train, val and test.
- ``IM-0115-0001``, ``NORMAL2-IM-0385-0001``, ``IM-0439-0001-0002``: the first number after "IM" is the
  study. Whether "NORMAL2" starts a second numbering or goes on with the first is not known either:
  the same number is the same child over both prefixes.
- Films with the same bytes are of one child, whatever their names and classes say; their patients are joined.
- Any other name tells nothing: each film is its own patient, unless the table names one.

The numbers of "personN" and "IM-N" are never taken for each other: the first are of PNEUMONIA and the
second of NORMAL films, and joining them would tie unrelated children of different classes together.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "NEGATIVE",
    "allowed_classes",
    "binary_label",
    "canonical_label",
    "is_negative",
    "join_patients",
    "leaf_classes",
    "order_classes",
    "patient_of",
]

NEGATIVE = frozenset(
    {"normal", "no finding", "no findings", "negative", "healthy", "no pneumonia", "non-pneumonia", "none", "clear"}
)
"""Names that say that nothing was found, as ``canonical_label`` writes them."""

_SYNONYMS = {
    "bacteria": "bacterial",
    "bacterial pneumonia": "bacterial",
    "pneumonia bacterial": "bacterial",
    "pneumonia-bacterial": "bacterial",
    "virus": "viral",
    "viral pneumonia": "viral",
    "pneumonia viral": "viral",
    "pneumonia-viral": "viral",
    "lung opacity": "opacity",
}
_FIRST = ("bacterial", "viral")
_PARENTS = {"pneumonia": _FIRST, "opacity": _FIRST}
"""Labels that are less exact than classes: a film of one is of one of these classes, and nobody has said which."""

_PNEUMONIA = frozenset({*_FIRST, *_PARENTS})


def canonical_label(name: str) -> str:
    """One spelling for a class: small letters, single spaces, and "bacterial" for "Bacteria"."""
    plain = " ".join(name.replace("_", " ").lower().split())
    return _SYNONYMS.get(plain, plain)


def binary_label(label: str) -> str:
    """The same class when patterns do not matter: bacterial, viral and opacity are all "pneumonia"."""
    return "pneumonia" if label in _PNEUMONIA else label


def leaf_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that a set of labels tells apart, in order: a parent with children among the labels is no class."""
    found = set(labels)
    return order_classes(label for label in found if not found & set(_PARENTS.get(label, ())))


def allowed_classes(label: str, classes: Iterable[str]) -> tuple[bool, ...]:
    """For each class, whether a film with this label may be of it: the class itself, or all children of a parent.

    Raises:
        ValueError: The label is neither a class nor a parent of one.
    """
    classes = tuple(classes)
    of = {label} if label in classes else set(_PARENTS.get(label, ())) & set(classes)
    if not of:
        raise ValueError(f"{label!r} is none of the classes {', '.join(classes)}")
    return tuple(name in of for name in classes)


def is_negative(label: str, classes: Iterable[str]) -> bool:
    """Whether a class says that nothing was found.

    By its name; and 0 is the negative of a set whose only classes are 0 and 1.
    """
    return label in NEGATIVE or (label == "0" and set(classes) == {"0", "1"})


def order_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """A stable order: negative first, then bacterial, viral, then the alphabet (numbers by their value)."""
    classes = set(labels)

    def place(label: str) -> tuple[int, int, int, str]:
        first = _FIRST.index(label) if label in _FIRST else len(_FIRST)
        number = int(label) if label.isdecimal() else -1
        return (0 if is_negative(label, classes) else 1, first, number, label)

    return tuple(sorted(classes, key=place))


_PERSON = re.compile(r"^person(\d+)(?:_|$)", re.IGNORECASE)
_IM = re.compile(r"^(?:NORMAL\d*-)?IM-(\d+)(?:-\d+)+$", re.IGNORECASE)


def patient_of(path: str) -> str | None:
    """The patient that a file name of the public set tells: "person63", "IM-0115"; None for other names."""
    stem = PurePosixPath(path).stem
    if match := _PERSON.match(stem):
        return f"person{int(match[1])}"
    if match := _IM.match(stem):
        return f"IM-{int(match[1]):04d}"
    return None


def join_patients(films: Iterable[tuple[str, str | None, str]]) -> list[str]:
    """Name the patient of each film, and join the patients who share a film.

    Args:
        films: For each film its path, the patient that its table or name tells (or None), and its sha256.

    Returns:
        A patient for each film, in the same order. Patients that were joined take the name that sorts first.
    """
    films = list(films)
    # A node is (0, patient) or (1, path of a film without one), so that a named patient sorts first.
    nodes = [(1, path) if patient is None else (0, patient) for path, patient, _ in films]
    parent = {node: node for node in nodes}

    def find(node: tuple[int, str]) -> tuple[int, str]:
        while parent[node] != node:
            parent[node] = parent[parent[node]]  # halve the path as we go
            node = parent[node]
        return node

    first_with: dict[str, tuple[int, str]] = {}
    for node, (_, _, digest) in zip(nodes, films, strict=True):
        here, there = find(node), find(first_with.setdefault(digest, node))
        parent[max(here, there)] = min(here, there)
    return [name if named == 0 else f"film:{name}" for named, name in map(find, nodes)]
