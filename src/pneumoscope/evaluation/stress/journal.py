"""The sweep's journal: one line a film, corruption and severity, so that a killed sweep goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope import __version__
from pneumoscope.evaluation.linefile import LineFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["Journal", "Row"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One reading of one film.

    Attributes:
        film: sha256 of the film as it came.
        corruption: By name; "none" for the film as it came.
        severity: 0 for the film as it came.
        strength: So that a changed table of corruptions finds no old row.
        probability: Of the finding; None if refused.
        refusal: The code; None if read.
        mended: Whether the film was put right before it was read.
    """

    film: str
    corruption: str
    severity: int
    strength: float
    probability: float | None
    refusal: str | None = None
    mended: bool = False

    @property
    def key(self) -> tuple[str, str, float]:
        """What the row answers."""
        return (self.film, self.corruption, self.strength)


@dataclass(frozen=True, slots=True)
class _Head:
    format: int
    model: str
    software: str


class Journal(LineFile[Row]):
    """An append-only file of rows.

    Args:
        path: The file; it is made if it is not there.
        model: sha256 of the bundle that reads.

    Attributes:
        rows: What was read so far, by key.

    Raises:
        UsageError: The journal is of another bundle or another version of the software.
        StorageError: It cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], model: str) -> None:
        super().__init__(
            path,
            Row,
            _Head(_FORMAT, model, __version__),
            holds="the sweep of another bundle or another version",
            remedy="Give another folder, or delete this file to start again",
        )
        self.rows = {row.key: row for row in self.found}

    def add(self, rows: Sequence[Row]) -> None:
        """Append rows, and know them from now on.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        super().add(rows)
        self.rows.update({row.key: row for row in rows})
