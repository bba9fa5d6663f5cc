"""The reserve: room that is kept free, so that the database goes on and studies can be deleted when a disk fills up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.errors import StorageFull

if TYPE_CHECKING:
    from pneumoscope.server.store.blobs import BlobStore
    from pneumoscope.server.store.database import Database

__all__ = ["DiskSpace"]


class DiskSpace:
    """Made by ``open_worklist``.

    Args:
        database: Where the rows lie.
        blobs: Where the films lie.
        reserve: Bytes that films leave free on either disk; 0 for no reserve.
    """

    def __init__(self, database: Database, blobs: BlobStore, reserve: int) -> None:
        self._places = (database, blobs)
        self.reserve = reserve

    def free_bytes(self) -> int | None:
        """Room on the fuller of the two disks; None where neither is known (PostgreSQL, S3)."""
        return min((free for place in self._places if (free := place.free_bytes()) is not None), default=None)

    def check(self, more: int = 0) -> None:
        """See whether there is room for so many bytes beside the reserve.

        Raises:
            StorageFull: There is not.
        """
        free = self.free_bytes() if self.reserve else None
        if free is not None and free - more < self.reserve:
            raise StorageFull(
                f"the disk is nearly full ({free / 1e6:,.0f} MB free, of which {self.reserve / 1e6:,.0f} MB are kept)",
                remedy="Delete studies, or free space on the server; readings, deletions and everything else go on",
            )
