"""The answers so far, one line a film: what a kill leaves behind, and what the same command goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope import __version__
from pneumoscope.evaluation.linefile import LineFile
from pneumoscope.evaluation.predicting.system import Answer

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

__all__ = ["Parts"]

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Head:
    format: int
    system: str
    root: str
    software: str


class Parts(LineFile[Answer]):
    """An append-only file of answers.

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
        super().__init__(
            path,
            Answer,
            _Head(_FORMAT, system, str(root), __version__),
            holds="the answers of another system, on other films, or of another version",
            remedy="Give another folder, or start again with --fresh",
            fresh=fresh,
        )
        self.answers = {answer.path: answer for answer in self.found}
