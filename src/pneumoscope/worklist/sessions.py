"""Who is logged in. The cookie itself is never kept, only its sha256."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Sessions:
    """Made by ``open_worklist``."""

    def start(self, hash: str, *, user: str, csrf: str, expires: datetime) -> SessionRow:  # noqa: A002
        """Raises NotFound for an unknown user."""
        raise NotImplementedError

    def get(self, hash: str) -> tuple[SessionRow, UserRow] | None:  # noqa: A002
        """A session that has not ended, of an active user."""
        raise NotImplementedError

    def seen(self, hash: str, *, expires: datetime | None = None) -> None:  # noqa: A002
        """Note that it was used, and move its end."""
        raise NotImplementedError

    def end(self, hash: str) -> None:  # noqa: A002
        """Log out; an unknown one is no error."""
        raise NotImplementedError

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End a user's sessions, all ``but`` one; how many there were."""
        raise NotImplementedError

    def list(self, user: str) -> tuple[SessionRow, ...]:
        """Those that have not ended, newest first."""
        raise NotImplementedError

    def purge(self) -> int:
        """Take away those that have ended; how many."""
        raise NotImplementedError
