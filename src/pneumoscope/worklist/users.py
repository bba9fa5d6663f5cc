"""Persons who may log in. Passwords come here as hashes and never as passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from pneumoscope.errors import Taken, UsageError
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.keys import new_id
from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.rows import to_user
from pneumoscope.worklist.tables import account, session
from pneumoscope.worklist.texts import clean

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from pneumoscope.worklist.database import Database
    from pneumoscope.worklist.records import Role, UserRow

__all__ = ["Users", "account_row", "folded"]


def folded(name: str) -> str:
    """A name as names are compared."""
    return clean(name).casefold()


def account_row(connection: Connection, name: str) -> UserRow:
    """Raises NotFound."""
    row = connection.execute(select(account).where(account.c.folded == folded(name))).first()
    if row is None:
        raise no_such("user", name)
    return to_user(row)


class Users:
    """Made by ``open_worklist``. Names are compared without regard to case. Changes ``by`` a person are logged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, password_hash: str, *, role: Role, by: str) -> UserRow:
        """Add a user.

        Raises:
            Taken: There is a user of this name.
            UsageError: The name is empty.
        """
        with self._database.write() as connection:
            return self._create(connection, name, password_hash, role, by)

    def create_first(self, name: str, password_hash: str, *, by: str) -> UserRow:
        """Add the first user, an admin; two that try at one moment are one.

        Raises:
            Taken: There is a user already, of whatever name.
            UsageError: The name is empty.
        """
        with self._database.write() as connection:
            if connection.execute(select(account.c.id).limit(1)).first() is not None:
                raise Taken("there is a user already", where="users", remedy="Log in, or ask an admin for an account")
            return self._create(connection, name, password_hash, "admin", by)

    def count(self, *, active_only: bool = False) -> int:
        """How many users there are."""
        chosen = select(func.count()).select_from(account)
        with self._database.read() as connection:
            return int(connection.execute(chosen.where(account.c.active) if active_only else chosen).scalar_one())

    def list(self) -> tuple[UserRow, ...]:
        """All, by name."""
        with self._database.read() as connection:
            return tuple(to_user(row) for row in connection.execute(select(account).order_by(account.c.folded)))

    def get(self, name: str) -> UserRow | None:
        """One user; None if there is none of this name."""
        with self._database.read() as connection:
            row = connection.execute(select(account).where(account.c.folded == folded(name))).first()
        return None if row is None else to_user(row)

    def password_of(self, name: str) -> str | None:
        """The password's hash; None if there is no such user."""
        chosen = select(account.c.password).where(account.c.folded == folded(name))
        with self._database.read() as connection:
            return connection.execute(chosen).scalar()

    def set_role(self, name: str, role: Role, *, by: str) -> UserRow:
        """Make a reader an admin, or the reverse.

        Raises:
            NotFound: There is no such user.
            UsageError: It would leave no active admin.
        """
        with self._database.write() as connection:
            return self._change(connection, name, {"role": _checked(role)}, action="user.role", by=by)

    def set_active(self, name: str, active: bool, *, by: str) -> UserRow:
        """Let a user in, or keep one out; keeping out ends the user's sessions.

        Raises:
            NotFound: There is no such user.
            UsageError: It would leave no active admin.
        """
        with self._database.write() as connection:
            row = self._change(connection, name, {"active": active}, action="user.active", by=by)
            if not active:
                connection.execute(delete(session).where(session.c.account == row.id))
            return row

    def set_password(self, name: str, password_hash: str, *, by: str) -> UserRow:
        """A new password's hash; ends the user's sessions, and a lock.

        Raises:
            NotFound: There is no such user.
        """
        values = {"password": password_hash, "failures": 0, "locked_until": None}
        with self._database.write() as connection:
            row = self._change(connection, name, values, action="user.password", by=by, said={})
            connection.execute(delete(session).where(session.c.account == row.id))
            return row

    def rehash(self, name: str, password_hash: str) -> None:
        """A new hash of the same password, with other parameters; ends nothing."""
        self._note(name, {"password": password_hash})

    def failed(self, name: str) -> UserRow | None:
        """Count a failed login; the row with the new count, or None if there is no such user."""
        with self._database.write() as connection:
            connection.execute(
                update(account).where(account.c.folded == folded(name)).values(failures=account.c.failures + 1)
            )
            row = connection.execute(select(account).where(account.c.folded == folded(name))).first()
        return None if row is None else to_user(row)

    def lock(self, name: str, until: datetime) -> UserRow:
        """Let a user not log in for a while.

        Raises:
            NotFound: There is no such user.
        """
        return self._note(name, {"locked_until": until})

    def unlock(self, name: str, *, by: str) -> UserRow:
        """Forget failures and lock.

        Raises:
            NotFound: There is no such user.
        """
        with self._database.write() as connection:
            values = {"failures": 0, "locked_until": None}
            return self._change(connection, name, values, action="user.unlock", by=by, said={})

    def logged_in(self, name: str) -> UserRow:
        """Note the login, and forget failures and lock.

        Raises:
            NotFound: There is no such user.
        """
        return self._note(name, {"last_login": self._database.now(), "failures": 0, "locked_until": None})

    def _create(self, connection: Connection, name: str, password: str, role: Role, by: str) -> UserRow:
        kept = clean(name)
        if not kept:
            raise UsageError("a user has a name", where="name", remedy="Give one")
        if connection.execute(select(account.c.id).where(account.c.folded == folded(kept))).first() is not None:
            raise Taken("there is a user of this name", where=kept, remedy="Take another name")
        now = self._database.now()
        values: dict[str, Any] = {"id": new_id(), "name": kept, "folded": folded(kept), "role": _checked(role)}
        values |= {"active": True, "password": password, "created": now, "failures": 0}
        connection.execute(insert(account), values)
        append(connection, now, by, "user.create", target=f"user:{kept}", detail={"role": role})
        return account_row(connection, kept)

    def _note(self, name: str, values: dict[str, Any]) -> UserRow:
        with self._database.write() as connection:
            connection.execute(update(account).where(account.c.folded == folded(name)).values(values))
            return account_row(connection, name)

    def _change(
        self,
        connection: Connection,
        name: str,
        values: dict[str, Any],
        *,
        action: str,
        by: str,
        said: dict[str, Any] | None = None,
    ) -> UserRow:
        """Change and log; what is ``said`` of it are the values, unless they are not for the log."""
        before = account_row(connection, name)
        connection.execute(update(account).where(account.c.id == before.id).values(values))
        was_admin = before.active and before.role == "admin"
        admins = select(account.c.id).where(account.c.active, account.c.role == "admin").limit(1)
        if was_admin and connection.execute(admins).first() is None:
            raise UsageError(  # and so nothing is kept of it
                "this is the only active admin", where=before.name, remedy="Make another user an admin first"
            )
        detail = values if said is None else said
        append(connection, self._database.now(), by, action, target=f"user:{before.name}", detail=detail)
        return account_row(connection, name)


def _checked(role: str) -> str:
    if role not in {"reader", "admin"}:
        raise UsageError(f"there is no role {role!r}", where="role", remedy="Take reader or admin")
    return role
