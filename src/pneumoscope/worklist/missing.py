"""The answer to an id that is not there."""

from __future__ import annotations

from pneumoscope.errors import NotFound
from pneumoscope.worklist.texts import clean

__all__ = ["no_such"]


def no_such(what: str, name: str) -> NotFound:
    """The error for a row that is not there."""
    return NotFound(f"there is no such {what}", where=clean(name, 80), remedy="It may have been deleted")
