"""An object of DICOM while it comes: written to the disk below a limit."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["Receiving"]


class Receiving:
    """A file that an object is written into while it comes, below a limit.

    What the disk says no to is remembered and not raised: pynetdicom would lose the association, and the sender is to
    be told why.

    Args:
        folder: Of files on their way in.
        limit: Bytes.

    Attributes:
        name: Of the file.
        file: This, for pynetdicom, which flushes after each fragment; that is not needed.
        trouble: Why it is not whole; None if all is well.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.name = str(folder / f"{uuid.uuid4().hex}.dcm")
        self.file = self
        self.trouble: str | None = None
        self._limit, self._size = limit, 0
        self._out: BinaryIO | None = None
        try:
            self._out = Path(self.name).open("wb")  # noqa: SIM115 - closed by close
        except OSError as error:
            self.trouble = (error.strerror or str(error)).lower()

    def write(self, data: bytes) -> int:
        """Write what came, or let it fall if there is no room for it."""
        self._size += len(data)
        if self.trouble is None and self._size > self._limit:
            self.trouble = f"more than {self._limit / 2**20:,.0f} MiB"
        if self.trouble is None and self._out is not None:
            try:
                self._out.write(data)
            except OSError as error:
                self.trouble = (error.strerror or str(error)).lower()
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._size

    def flush(self) -> None:
        """Nothing: ``finish`` does it."""

    def finish(self) -> None:
        """Put all of it on the disk."""
        if self._out is not None:
            try:
                self._out.flush()
                os.fsync(self._out.fileno())
            except OSError as error:
                self.trouble = self.trouble or (error.strerror or str(error)).lower()
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._out is not None:
            with suppress(OSError):
                self._out.close()
            self._out = None

    def remove(self) -> None:
        """Close it and take it away; it is gone already where it was taken."""
        self.close()
        Path(self.name).unlink(missing_ok=True)
