"""Files that are whole or not there at all."""

from __future__ import annotations

import csv
import importlib
import os
import re
import stat
import tempfile
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from pneumoscope.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from os import PathLike

__all__ = [
    "csv_cell",
    "csv_text",
    "lock_file",
    "make_folder",
    "make_private",
    "open_atomically",
    "storage_errors",
    "write_atomically",
]

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Texts that a spreadsheet may run as a formula (OWASP, "CSV Injection"), and those that look like a guarded one."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@contextmanager
def storage_errors(path: str | PathLike[str]) -> Iterator[None]:
    """Turn the operating system's no (full disk, no permission) into one clear line.

    Raises:
        StorageError: In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(
            f"the file cannot be written ({reason})",
            where=path,
            remedy="Free some space or choose another folder, then run the same command again: what is there is whole",
        ) from error


@contextmanager
def open_atomically(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when everything was written.

    Raises:
        StorageError: The disk is full or the folder cannot be written; an older file stays as it was.
    """
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                yield cast("BinaryIO", file)
                file.flush()
                os.fsync(file.fileno())
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)  # mkstemp makes private files; ours are ordinary ones
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_atomically(path: str | PathLike[str], data: bytes | str) -> None:
    """Write a file, whole or not at all.

    Raises:
        StorageError: The disk is full or the folder cannot be written; an older file stays as it was.
    """
    with open_atomically(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def make_private(paths: Iterable[str | PathLike[str]]) -> list[Path]:
    """Take away what files and folders let other accounts do; those that could not be changed.

    Nobody comes through a folder that is closed, so that what lies deeper need not be looked at.

    Args:
        paths: Those that are not there are passed over.
    """
    if os.name == "nt":  # access lists, which a user's folder sets right by itself
        return []
    left = []
    for path in map(Path, paths):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _OTHERS:
                path.chmod(mode & ~_OTHERS)
        except FileNotFoundError:
            continue
        except OSError:
            left.append(path)
    return left


def make_folder(path: str | PathLike[str]) -> Path:
    """Make a folder and those above it.

    Raises:
        StorageError: It cannot be made.
    """
    with storage_errors(path):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


@contextmanager
def lock_file(path: str | PathLike[str]) -> Iterator[bool]:
    """Hold a lock that the system lets go when the process ends, however it ends.

    Yields:
        Whether it was free. Windows has no such lock: there a person has to see to it.

    Raises:
        StorageError: The file cannot be made.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError:
        yield True
        return
    with storage_errors(path):
        file = Path(path).open("w")  # noqa: SIM115 - closed just below; errors of the work inside are not the file's
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def csv_text(rows: Iterable[Iterable[object]], *, line_end: str = "\n") -> str:
    """Rows as CSV (RFC 4180) that no spreadsheet runs: the one way in which a table becomes text.

    A text that begins like a formula gets an apostrophe before it, which ``csv_cell`` takes away again; numbers stay
    as they are. None is an empty cell.

    Args:
        rows: The header first.
        line_end: Of each row.
    """
    lines = []
    for row in rows:
        line = StringIO()
        csv.writer(line).writerow([_guarded(cell) for cell in row])  # with CR LF, so that either of them is quoted
        lines.append(line.getvalue().removesuffix("\r\n") + line_end)
    return "".join(lines)


def csv_cell(text: str) -> str:
    """A cell that ``csv_text`` wrote, as it was before."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _guarded(cell: object) -> object:
    dangerous = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if dangerous else cell
