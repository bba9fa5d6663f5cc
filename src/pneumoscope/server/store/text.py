"""Text made fit for a database, and taken apart into words for the search."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from pneumoscope.errors import NotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LAST", "clean", "long_text", "not_found", "terms_of", "words_of"]

LAST = "\U0010ffff"
"""Sorts after every character: the end of a range of words that begin alike."""

_LABEL = 300
_LONG = 10_000
_WORD = 64  # characters of a word that are looked at
_WORDS = 400  # of one study
_TERMS = 8

_RUN = re.compile(r"[^\W_]+")
_BORDER = re.compile(r"(?<=\d)(?=\D)|(?<=\D)(?=\d)")


def clean(text: str, limit: int = _LABEL) -> str:
    """One line without what databases refuse (NUL, halves of characters) or what moves a terminal's cursor."""
    kept = "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode())
    return " ".join(kept.split())[:limit]


def long_text(text: str, what: str) -> str:
    """A note or a comment: several lines, as they were written.

    Raises:
        UsageError: It is longer than 10,000 characters.
    """
    if len(text) > _LONG:
        raise UsageError(f"the {what} has more than {_LONG:,} characters", where=what, remedy="Write a shorter one")
    kept = text.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in kept).strip()


def words_of(texts: Iterable[str], names: Iterable[str] = ()) -> set[str]:
    """The words that a study is found by.

    A word is a run of letters and digits, without case and accents; what follows a border between letters and digits
    is a word too, so that "person12" is found by "12".

    Args:
        texts: Label, note, names of films.
        names: Ids, taken whole.
    """
    found = dict.fromkeys(name[:_WORD] for name in names)
    for text in texts:
        for word in _RUN.findall(_folded(text)):
            found[word[:_WORD]] = None
            for border in _BORDER.finditer(word[:_WORD]):
                found[word[border.start() : _WORD]] = None
    return set(list(found)[:_WORDS])


def terms_of(text: str) -> tuple[str, ...]:
    """The words of a search, each once, the longest first."""
    found = {word[:_WORD] for word in _RUN.findall(_folded(text))}
    return tuple(sorted(found, key=lambda word: (-len(word), word))[:_TERMS])


def _folded(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.encode("utf-8", "replace").decode().casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


def not_found(what: str, name: str) -> NotFound:
    """The error for a row that is not there."""
    return NotFound(f"there is no such {what}", where=clean(name, 80), remedy="It may have been deleted")
