"""The store as a whole: open it, and find its parts."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *
from pneumoscope.worklist.audit import Audit
from pneumoscope.worklist.bundles import Bundles
from pneumoscope.worklist.numbers import Numbers
from pneumoscope.worklist.sessions import Sessions
from pneumoscope.worklist.settings import StoredSettings
from pneumoscope.worklist.studies import Studies
from pneumoscope.worklist.tokens import Tokens
from pneumoscope.worklist.users import Users
from pneumoscope.worklist.verdicts import Verdicts
from pneumoscope.worklist.blobs.protocol import BlobStore


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
        blobs: The bytes of films.
    """

    studies: Studies
    verdicts: Verdicts
    users: Users
    tokens: Tokens
    sessions: Sessions
    audit: Audit
    settings: StoredSettings
    numbers: Numbers
    bundles: Bundles
    blobs: BlobStore

    def ping(self) -> None:
        """Ask the database for a sign of life. Raises StorageError."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError


def open_worklist(url: str, blobs: BlobStore) -> Worklist:
    """Open the store, and bring its tables up to date.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        blobs: Where the bytes of films are kept.

    Raises:
        UsageError: A URL of no such database.
        MissingExtra: PostgreSQL without its driver.
        StorageError: The database cannot be reached or written.
        WorklistFromFuture: A newer pneumoscope wrote it.
    """
    raise NotImplementedError
