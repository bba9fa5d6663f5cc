"""Blobs in a folder, as files named by the sha256 of what they hold."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.errors import NotFound, StorageError
from pneumoscope.storage import storing, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

__all__ = ["LocalBlobs"]


class LocalBlobs:
    """``ab/cd/abcd...`` below a folder; a file takes its name when all of it is on the disk.

    Args:
        folder: Made if it is not there, for its owner alone.

    Raises:
        StorageError: The folder cannot be made.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder).expanduser()
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, data: bytes) -> str:
        """Keep bytes and give their address."""
        address = hashlib.sha256(data).hexdigest()
        path = self._path(address)
        with storing(path), suppress(FileNotFoundError):  # not there yet, or deleted just now
            if path.stat().st_size == len(data):
                os.utime(path)  # young again: see retention.py
                return address
        write_atomically(path, data)
        with storing(path):
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the name, too, survives a power cut
            finally:
                os.close(folder)
        return address

    def get(self, address: str) -> bytes:
        """The bytes, after comparing them with the address.

        Raises:
            NotFound: There is no such blob.
            StorageError: What lies there is not what was put.
        """
        path = self._path(address)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound("these bytes are not kept", where=address, remedy="Give the film again") from error
        except OSError as error:
            raise StorageError(f"the film cannot be read ({error.strerror})", where=address) from error
        if hashlib.sha256(data).hexdigest() != address:
            raise StorageError(
                "the film was damaged on the disk",
                where=address,
                remedy="Delete the study and give the film again, and have the disk looked at",
            )
        return data

    def has(self, address: str) -> bool:
        """Whether there is such a blob."""
        try:
            return self._path(address).is_file()
        except NotFound:
            return False

    def delete(self, address: str) -> None:
        """Take a blob away; one that is not there is no error."""
        path = self._path(address)
        with storing(path):
            path.unlink(missing_ok=True)

    def addresses(self) -> Iterator[tuple[str, float]]:
        """Every blob's address and its age in seconds."""
        now = time.time()
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            if not path.name.startswith("."):
                try:
                    yield path.name, now - path.stat().st_mtime
                except FileNotFoundError:
                    continue  # deleted meanwhile

    def sweep(self, older_than: float = 3600.0) -> int:
        """Take away what broken writes left, if it is older than so many seconds; how many there were."""
        now = time.time()
        count = 0
        for path in self.folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/.*.part"):
            try:
                if now - path.stat().st_mtime >= older_than:
                    path.unlink()
                    count += 1
            except FileNotFoundError:
                continue  # finished or swept meanwhile
        return count

    def _path(self, address: str) -> Path:
        # An address comes from the database, but a path is never made of what was not looked at.
        if len(address) != 64 or not set(address) <= set("0123456789abcdef"):
            raise NotFound("this is no address of a blob", where=address[:80])
        return self.folder / address[:2] / address[2:4] / address
