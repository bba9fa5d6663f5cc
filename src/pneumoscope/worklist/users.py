"""Persons who may log in. Passwords come here as hashes and never as passwords."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Users:
    """Made by ``open_worklist``. Names are compared without regard to case. Each change is in the audit log."""

    def create(self, name: str, password_hash: str, *, role: Role, by: str) -> UserRow:
        """Raises Taken if the name is there already."""
        raise NotImplementedError

    def create_first(self, name: str, password_hash: str, *, by: str) -> UserRow:
        """The first user, an admin, only if there is none at all; two at one moment give one. Raises Taken."""
        raise NotImplementedError

    def count(self, *, active_only: bool = False) -> int:
        raise NotImplementedError

    def list(self) -> tuple[UserRow, ...]:
        """By name."""
        raise NotImplementedError

    def get(self, name: str) -> UserRow | None:
        raise NotImplementedError

    def password_of(self, name: str) -> str | None:
        """The password's hash; None if there is no such user."""
        raise NotImplementedError

    def set_role(self, name: str, role: Role, *, by: str) -> UserRow:
        """Raises NotFound; UsageError if it would leave no active admin."""
        raise NotImplementedError

    def set_active(self, name: str, active: bool, *, by: str) -> UserRow:
        """Let a user in or keep one out; keeping out ends the user's sessions. Raises as ``set_role``."""
        raise NotImplementedError

    def set_password(self, name: str, password_hash: str, *, by: str) -> UserRow:
        """A new hash; ends the user's sessions. Raises NotFound."""
        raise NotImplementedError

    def rehash(self, name: str, password_hash: str) -> None:
        """A new hash of the same password (other parameters); ends nothing and is not in the audit log."""
        raise NotImplementedError

    def failed(self, name: str) -> UserRow | None:
        """Count a failed login; gives the row with the new count, None if there is no such user."""
        raise NotImplementedError

    def lock(self, name: str, until: datetime) -> UserRow:
        """Raises NotFound."""
        raise NotImplementedError

    def unlock(self, name: str, *, by: str) -> UserRow:
        """Forget failures and lock. Raises NotFound."""
        raise NotImplementedError

    def logged_in(self, name: str) -> UserRow:
        """Note the login and forget failures and lock. Raises NotFound."""
        raise NotImplementedError
