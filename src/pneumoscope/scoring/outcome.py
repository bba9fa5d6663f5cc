"""What scoring speaks of: a film to read, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "Chunk", "Failure", "FilmRef", "Outcome", "failed"]

Cell: TypeAlias = "str | int | float | bool | None"
"""One value of a row; texts, numbers, or nothing."""


@dataclass(frozen=True, slots=True)
class FilmRef:
    """Where one film lies; small, so that millions can be on their way.

    Attributes:
        name: The film's name in table and ledger: an absolute path or URL, ``SHARD!MEMBER`` inside a shard.
        location: The path or URL of the file, or of the shard.
        kind: "file"; "tar" (bytes at an offset of the shard); "zip" (a member); "data" (the bytes are here).
        member: The name inside a ZIP shard.
        offset: Of the first byte inside a tar shard.
        size: Bytes, inside a tar shard.
        data: The film itself, out of a shard that can only be read from front to back.
    """

    name: str
    location: str
    kind: Literal["file", "tar", "zip", "data"] = "file"
    member: str = ""
    offset: int = 0
    size: int = 0
    data: bytes = b""


Chunk: TypeAlias = "Sequence[FilmRef]"
"""Films that one worker reads in one go."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a film got no reading for a reason that is not in the film: the next run tries it again.

    Attributes:
        name: The film's, or the shard's.
        code: "unavailable", "shard-damaged", "out-of-memory" or "worker-lost".
        reason: In plain words.
        remedy: What a person can do.
    """

    name: str
    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one film.

    Attributes:
        name: The film's.
        status: "read" and "refused" are final; "failed" is tried again by the next run.
        cells: The table's row, in the order of ``reports.csv.columns``; None if it failed.
        failure: Why, if it failed.
    """

    name: str
    status: Literal["read", "refused", "failed"]
    cells: tuple[Cell, ...] | None = None
    failure: Failure | None = None


def failed(name: str, code: str, reason: str, remedy: str) -> Outcome:
    """The outcome of a film that could not be come by."""
    return Outcome(name, "failed", failure=Failure(name, code, reason, remedy))
