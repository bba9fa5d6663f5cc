"""The sweep's journal: one line a film, corruption and severity, so that a killed sweep goes on where it was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.storage import make_folder, storing

if TYPE_CHECKING:
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


class Journal:
    """An append-only file of rows, and the rows that were there.

    A line that was cut short by a kill is cut off; it is read again.

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
        self._path = Path(path)
        self.rows: dict[tuple[str, str, float], Row] = {}
        head = _Head(_FORMAT, model, __version__)
        make_folder(self._path.parent)
        with storing(self._path):
            self._file = self._path.open("a+b", buffering=0)
        try:
            self._take(head)
        except BaseException:
            self._file.close()
            raise

    def _take(self, head: _Head) -> None:
        with storing(self._path):
            self._file.seek(0)
            data = self._file.read()
            self._whole = data.rfind(b"\n") + 1
            self._file.truncate(self._whole)
        lines = data[: self._whole].splitlines()
        if not lines:
            self._append(msgspec.json.encode(head) + b"\n")
            return
        found = None
        with suppress(msgspec.DecodeError):
            found = msgspec.json.decode(lines[0], type=_Head)
        if found != head:
            raise UsageError(
                "this folder holds the sweep of another bundle or another version",
                where=self._path,
                remedy="Give another folder, or delete this file to start again",
            )
        for line in lines[1:]:
            with suppress(msgspec.DecodeError):  # a damaged line is as good as none: the film is read again
                row = msgspec.json.decode(line, type=Row)
                self.rows[row.key] = row

    def add(self, rows: list[Row]) -> None:
        """Append rows; they are on their way to the disk when this returns.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        self._append(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        self.rows.update({row.key: row for row in rows})

    def _append(self, data: bytes) -> None:
        try:
            with storing(self._path):
                view = memoryview(data)
                while view:
                    view = view[self._file.write(view) :]
        except BaseException:
            with suppress(OSError):
                self._file.truncate(self._whole)
            raise
        self._whole += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
