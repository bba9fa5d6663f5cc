"""A text file that grows by whole rows."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pneumoscope.storage import make_folder, storing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RowFile"]


class RowFile:
    """Rows are on their way to the disk as soon as they are written, and a row is there whole or not at all.

    Args:
        path: Where to. An existing file is replaced.
        header: The first row.

    Raises:
        StorageError: The file cannot be made, or the disk is full.
    """

    def __init__(self, path: Path, header: str) -> None:
        self._path = path
        make_folder(path.parent)
        with storing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._whole = 0
        self.write(header)

    def write(self, row: str) -> None:
        """Write one row, its end included.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        data = row.encode("utf-8", "surrogateescape")  # the bytes of a file name that is no UTF-8 come back
        try:
            with storing(self._path):
                written = 0
                while written < len(data):
                    written += os.write(self._file, data[written:])
        except BaseException:
            self._cut()
            raise
        self._whole += len(data)

    def _cut(self) -> None:
        with suppress(OSError):  # a pipe or a device has nothing to cut
            os.ftruncate(self._file, self._whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
