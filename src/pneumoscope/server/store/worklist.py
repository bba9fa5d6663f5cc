"""The store as a whole: open it, and find its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.server.store.audit_log import AuditLog
from pneumoscope.server.store.bundles import Bundles, StoredSettings
from pneumoscope.server.store.database import Database, utc_now
from pneumoscope.server.store.disk_space import DiskSpace
from pneumoscope.server.store.garbage import collect_garbage
from pneumoscope.server.store.integrity import migrate_and_record
from pneumoscope.server.store.reader_studies.readings import ReaderReadings
from pneumoscope.server.store.reader_studies.studies import ReaderStudies
from pneumoscope.server.store.studies import Studies, Verdicts
from pneumoscope.server.store.usage import UsageStatistics
from pneumoscope.server.store.users import Sessions, Tokens, Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pneumoscope.server.store.blobs import BlobStore

__all__ = ["Worklist", "open_worklist"]


class Worklist:
    """Made by ``open_worklist``. Its parts may be called from many threads at once.

    Attributes:
        studies: Films, readings, the worklist.
        verdicts: What persons say.
        users: Who may log in.
        tokens: Keys for programs.
        sessions: Who is logged in.
        audit: The log.
        settings: Set while the room runs.
        numbers: For the dashboard.
        bundles: Imported ones.
        reader_studies: Films that persons read blind.
        reader_readings: What they read.
        blobs: The bytes of films.
        disk: How much room there is, and how much of it is kept.
        database: For upkeep; whoever writes through it writes past the log.
    """

    def __init__(self, database: Database, blobs: BlobStore, *, reserve: int = 0) -> None:
        self.database = database
        self.blobs = blobs
        self.disk = DiskSpace(database, blobs, reserve)
        self.studies = Studies(database, blobs, self.disk)
        self.verdicts = Verdicts(database)
        self.users = Users(database)
        self.tokens = Tokens(database)
        self.sessions = Sessions(database)
        self.audit = AuditLog(database)
        self.settings = StoredSettings(database)
        self.numbers = UsageStatistics(database)
        self.bundles = Bundles(database)
        self.reader_studies = ReaderStudies(database)
        self.reader_readings = ReaderReadings(database)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            StorageError: There is none.
        """
        self.database.ping()

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def open_worklist(url: str, blobs: BlobStore, *, clock: Callable[[], datetime] = utc_now, reserve: int = 0) -> Worklist:
    """Open the store, and bring its tables up to date.

    What a program that was killed left half-done is put right: unfinished bytes, and bytes of deleted films.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        blobs: Where the bytes of films are kept.
        clock: Tells the time, aware.
        reserve: Bytes that films leave free on the disk; 0 for no reserve.

    Raises:
        UsageError: A URL of no such database.
        MissingExtra: PostgreSQL without its driver.
        StorageError: The database cannot be reached or written.
        WorklistIncompatible: A newer pneumoscope wrote it.
    """
    database = Database(url, clock=clock)
    try:
        migrate_and_record(database)
        collect_garbage(database, blobs)
        blobs.sweep()
    except BaseException:
        database.close()
        raise
    return Worklist(database, blobs, reserve=reserve)
