"""Thumbnails on disk: made once, when a film is read, and made again when they are gone."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pneumoscope.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Thumbnails"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_YOUNG = 600.0  # seconds: no picture takes so long to write, or its film to become known


class Thumbnails:
    """Small pictures by the sha256 of their films.

    Args:
        folder: May be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, sha256: str) -> bytes | None:
        """The picture, if it is there."""
        try:
            return self._path(sha256).read_bytes()
        except OSError:
            return None

    def put(self, sha256: str, picture: bytes) -> None:
        """Keep a picture.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        write_atomically(self._path(sha256), picture)

    def forget(self, films: Iterable[str]) -> None:
        """Take away the pictures of films that were deleted."""
        for sha256 in films:
            with suppress(OSError):
                self._path(sha256).unlink(missing_ok=True)

    def sweep(self, known: Callable[[str], bool], *, older_than: float = _YOUNG) -> int:
        """Take away the pictures of films that are no longer known, and what broken writes left; how many.

        Args:
            known: Whether there is such a film.
            older_than: Seconds; what is younger may be being written just now.
        """
        gone, now = 0, time.time()
        for path in self._folder.glob("*/*"):
            if _SHA256.fullmatch(path.stem) and path.suffix == ".jpg" and known(path.stem):
                continue
            with suppress(OSError):
                if now - path.stat().st_mtime >= older_than:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError("no sha256")
        return self._folder / sha256[:2] / f"{sha256}.jpg"
