"""The names of classes: how they are written, which of them are negative, and in what order they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NEGATIVE", "binary_label", "canonical_label", "is_negative", "order_classes"]

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
}
_FIRST = ("bacterial", "viral")
_PNEUMONIA = frozenset({"bacterial", "viral", "pneumonia"})


def canonical_label(name: str) -> str:
    """One spelling for a class: small letters, single spaces, and "bacterial" for "Bacteria"."""
    plain = " ".join(name.replace("_", " ").lower().split())
    return _SYNONYMS.get(plain, plain)


def binary_label(label: str) -> str:
    """The same class when patterns do not matter: bacterial and viral are both "pneumonia"."""
    return "pneumonia" if label in _PNEUMONIA else label


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
