"""Classes: the spelling, the order and the kinship of labels.

Whose film it is, is told in ``pneumoscope.data.patients``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pneumoscope.data.synonyms import known_class, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "NEGATIVE",
    "NO_PNEUMONIA",
    "ClassNames",
    "allowed_classes",
    "binary_label",
    "canonical_label",
    "is_negative",
    "label_of_findings",
    "leaf_classes",
    "order_classes",
]

NEGATIVE = frozenset(
    {"normal", "no finding", "no findings", "negative", "healthy", "no pneumonia", "non-pneumonia", "none", "clear"}
)
"""Names that say that nothing was found, as ``canonical_label`` writes them."""

NO_PNEUMONIA = "no pneumonia"
"""The class of a film that has other findings, where the question is pneumonia."""

_FIRST = ("bacterial", "viral")
_PARENTS = {"pneumonia": _FIRST, "opacity": _FIRST}
"""Labels that are less exact than classes: a film of one is of one of these classes, and nobody has said which."""

_PNEUMONIA = frozenset({*_FIRST, *_PARENTS, "covid-19"})
_OPPOSITES = (("0", "1"), ("false", "true"), ("no", "yes"), ("n", "y"), ("absent", "present"))
_NEGATED = re.compile(r"(?:non|no|not|without|sin|ohne|sans|sem)[\s\-]+(.+)")


def canonical_label(name: str) -> str:
    """One spelling for a class: "bacterial" for "Bacteria", "normal" for "01_NORMAL"; see ``synonyms``.

    A name that is not known is itself in small letters, with single spaces.
    """
    return known_class(name) or plain_name(name)


class ClassNames:
    """From the labels of a data set to classes: as the person says, else by the table of synonyms.

    Attributes:
        taken: Labels that were taken for a class of another name, as they were written.
    """

    def __init__(self, renames: Mapping[str, str] | None = None) -> None:
        """Take the person's renames: label to class; an empty class leaves the films out."""
        self._renames = {
            spelling: canonical_label(name) if name.strip() else ""
            for label, name in (renames or {}).items()
            for spelling in (canonical_label(label), plain_name(label))
        }
        self.taken: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """The class of a label; "" if its films are to be left out."""
        plain = plain_name(name)
        found = self._renames.get(plain, self._renames.get(canonical_label(name)))
        if found is None:
            found = canonical_label(name)
        if found != plain:
            self.taken[name.strip()] = found
        return found

    def renamed(self, name: str) -> bool:
        """Whether the person said what a label is."""
        return plain_name(name) in self._renames or canonical_label(name) in self._renames

    def sentences(self) -> list[str]:
        """What was taken for what, each a sentence."""
        return [f"took {label!r} for {name}" if name else f"left {label!r} out" for label, name in self.taken.items()]


def label_of_findings(findings: Iterable[str], names: ClassNames) -> str:
    """One class for a film with several findings, where the question is pneumonia.

    Pneumonia, in the most exact words that the film's findings have; else what it was found free of; and a film with
    other findings alone is of the class "no pneumonia", unless the person named a class for one of them.

    Args:
        findings: As the data set writes them.
        names: How they are spelt.

    Returns:
        The class; "" for a film that is to be left out.
    """
    labels = {}
    for finding in findings:
        labels[finding] = names(finding)
    if not labels:
        return ""
    if chosen := [name for finding, name in labels.items() if name and names.renamed(finding)]:
        return min(chosen, key=_exactness)
    if any(names.renamed(finding) for finding in labels):
        return ""
    found = set(labels.values())
    if pneumonia := found & _PNEUMONIA:
        return min(pneumonia, key=_exactness)
    if all(is_negative(name, found) for name in found):
        return min(found)
    return NO_PNEUMONIA


def _exactness(label: str) -> tuple[int, str]:
    """Bacterial, viral and COVID-19 before pneumonia, pneumonia before an opacity, the others after them."""
    order = (*_FIRST, "covid-19", "pneumonia", "opacity")
    return (order.index(label) if label in order else len(order), label)


def binary_label(label: str) -> str:
    """The same class when patterns do not matter: bacterial, viral, COVID-19 and opacity are all "pneumonia"."""
    return "pneumonia" if label in _PNEUMONIA else label


def leaf_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """The classes that a set of labels tells apart, in order.

    A parent is no class where all its children are among the labels; where only some are, it is what is left: beside
    "viral" alone, a "pneumonia" is no viral one for certain.
    """
    found = set(labels)
    return order_classes(label for label in found if not _is_open(label, found))


def _is_open(label: str, found: set[str]) -> bool:
    children = _PARENTS.get(label)
    return children is not None and found.issuperset(children)


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

    By its name; 0 is the negative of a set whose only classes are 0 and 1 (and so are false, no and absent); and
    "non-covid" is that of a set with "covid-19".
    """
    if label in NEGATIVE:
        return True
    classes = set(classes)
    if any(label == pair[0] and classes == set(pair) for pair in _OPPOSITES):
        return True
    negated = _NEGATED.fullmatch(label)
    return negated is not None and canonical_label(negated[1]) in classes - {label}


def order_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """A stable order: negative first, then bacterial, viral, then the alphabet (numbers by their value)."""
    classes = set(labels)

    def place(label: str) -> tuple[int, int, int, str]:
        first = _FIRST.index(label) if label in _FIRST else len(_FIRST)
        number = int(label) if label.isdecimal() else -1
        return (0 if is_negative(label, classes) else 1, first, number, label)

    return tuple(sorted(classes, key=place))
