"""Keys for programs. The token itself is never kept, only its sha256."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Tokens:
    """Made by ``open_worklist``. Each change is in the audit log."""

    def create(
        self, hash: str, *, name: str, user: str, scopes: Sequence[Scope], prefix: str, expires: datetime | None, by: str  # noqa: A002
    ) -> TokenRow:
        """Raises NotFound for an unknown user."""
        raise NotImplementedError

    def get(self, hash: str) -> tuple[TokenRow, UserRow] | None:  # noqa: A002
        """A token that has not expired, of an active user."""
        raise NotImplementedError

    def used(self, token: str) -> None:
        """Note the use (by id), at most once a minute."""
        raise NotImplementedError

    def list(self, user: str | None = None) -> tuple[TokenRow, ...]:
        """Of one user or of all, newest first."""
        raise NotImplementedError

    def revoke(self, token: str, *, by: str) -> TokenRow:
        """Take a token away by its id. Raises NotFound."""
        raise NotImplementedError
