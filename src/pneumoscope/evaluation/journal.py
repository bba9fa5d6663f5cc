"""The resume journal: rows so far, one line of JSON each, from which the same command goes on after a kill."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import msgspec

from pneumoscope.errors import UsageError
from pneumoscope.storage import make_folder, storage_errors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

__all__ = ["Journal"]

R = TypeVar("R")

_DAMAGED = (msgspec.DecodeError, UnicodeError)


class Journal(Generic[R]):
    """An append-only file: a head that says whose rows these are, then the rows.

    A line that was cut short by a kill is cut off, and a damaged one is as good as none: what it answered is asked
    again.

    Args:
        path: The file; made if it is not there.
        kind: A dataclass, of the rows.
        head: A dataclass; rows under another head are not mixed with these.
        holds: What a file with another head holds, in words: "the sweep of another bundle".
        remedy: What a person then does.
        fresh: Throw away what is there.

    Attributes:
        found: The rows that were there, in their order.

    Raises:
        UsageError: The file has another head.
        StorageError: It cannot be read or written.
    """

    def __init__(
        self, path: str | PathLike[str], kind: type[R], head: object, *, holds: str, remedy: str, fresh: bool = False
    ) -> None:
        self._path = Path(path)
        make_folder(self._path.parent)
        with storage_errors(self._path):
            self._file = self._path.open("a+b", buffering=0)
        try:
            lines = self._whole_lines(fresh=fresh)
            if not lines:
                self._append(msgspec.json.encode(head) + b"\n")
        except BaseException:
            self._file.close()
            raise
        if lines and not _same_head(lines[0], head):
            self._file.close()
            raise UsageError(f"this folder holds {holds}", where=self._path, remedy=remedy)
        self.found: list[R] = []
        for line in lines[1:]:
            with suppress(*_DAMAGED):
                self.found.append(msgspec.json.decode(line, type=kind))

    def add(self, rows: Sequence[R]) -> None:
        """Append rows; they are on their way to the disk when this returns.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        self._append(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    def _whole_lines(self, *, fresh: bool) -> list[bytes]:
        with storage_errors(self._path):
            self._file.seek(0)
            data = b"" if fresh else self._file.read()
            self._whole = data.rfind(b"\n") + 1
            self._file.truncate(self._whole)
        return data[: self._whole].splitlines()

    def _append(self, data: bytes) -> None:
        try:
            with storage_errors(self._path):
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


def _same_head(line: bytes, head: object) -> bool:
    """Whether the line is this head; what is no JSON, or another kind of head, is not."""
    with suppress(*_DAMAGED):
        return bool(msgspec.json.decode(line, type=type(head)) == head)
    return False
