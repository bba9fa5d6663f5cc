"""The answers so far, one line a film: what a kill leaves behind, and what the same command goes on from."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from pneumoscope import __version__
from pneumoscope.errors import UsageError
from pneumoscope.evaluation.predicting.system import Answer
from pneumoscope.storage import make_folder, storing

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Parts"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Head:
    format: int
    system: str
    root: str
    software: str


class Parts:
    """An append-only file of answers.

    A line that was cut short by a kill is cut off, and its film is read again.

    Args:
        path: The file; made if it is not there.
        system: sha256 of the system that answers.
        root: Of the films.
        fresh: Throw away what is there.

    Attributes:
        answers: By the film's path.

    Raises:
        UsageError: The file is of another system, other films, or another version of the software.
        StorageError: It cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], system: str, root: Path, *, fresh: bool = False) -> None:
        self._path = Path(path)
        self.answers: dict[str, Answer] = {}
        make_folder(self._path.parent)
        with storing(self._path):
            self._file = self._path.open("a+b", buffering=0)
        try:
            self._take(_Head(_FORMAT, system, str(root), __version__), fresh=fresh)
        except BaseException:
            self._file.close()
            raise

    def add(self, answer: Answer) -> None:
        """Append one answer; it is on its way to the disk when this returns.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole line.
        """
        self._append(msgspec.json.encode(answer) + b"\n")
        self.answers[answer.path] = answer

    def _take(self, head: _Head, *, fresh: bool) -> None:
        with storing(self._path):
            self._file.seek(0)
            data = b"" if fresh else self._file.read()
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
                "this folder holds the answers of another system, on other films, or of another version",
                where=self._path,
                remedy="Give another folder, or start again with --fresh",
            )
        for line in lines[1:]:
            with suppress(msgspec.DecodeError):  # a damaged line is as good as none
                answer = msgspec.json.decode(line, type=Answer)
                self.answers[answer.path] = answer

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
