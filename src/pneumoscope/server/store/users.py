"""Users, their sessions and their API tokens. Only hashes of passwords, cookies and tokens are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.records import to_session, to_token, to_user
from pneumoscope.server.store.tables import account, login_failure, session, token
from pneumoscope.server.store.text import clean, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.records import Role, Scope, SessionRow, TokenRow, UserRow

__all__ = ["Sessions", "Tokens", "Users", "account_row", "casefolded"]


def casefolded(name: str) -> str:
    """A name as names are compared."""
    return clean(name).casefold()


def account_row(connection: Connection, name: str) -> UserRow:
    """Raises NotFound."""
    row = connection.execute(select(account).where(account.c.folded == casefolded(name))).first()
    if row is None:
        raise not_found("user", name)
    return to_user(row)


class Users:
    """Made by ``open_worklist``. Names are compared without regard to case. Changes ``by`` a person are logged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, password_hash: str, *, role: Role, by: str) -> UserRow:
        """Add a user.

        Raises:
            Conflict: There is a user of this name.
            UsageError: The name is empty.
        """
        with self._database.write() as connection:
            return self._create(connection, name, password_hash, role, by)

    def create_first(self, name: str, password_hash: str, *, by: str) -> UserRow:
        """Add the first user, an admin; two that try at one moment are one.

        Raises:
            Conflict: There is a user already, of whatever name.
            UsageError: The name is empty.
        """
        with self._database.write() as connection:
            if connection.execute(select(account.c.id).limit(1)).first() is not None:
                raise Conflict(
                    "there is a user already", where="users", remedy="Log in, or ask an admin for an account"
                )
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
            row = connection.execute(select(account).where(account.c.folded == casefolded(name))).first()
        return None if row is None else to_user(row)

    def password_of(self, name: str) -> str | None:
        """The password's hash; None if there is no such user."""
        chosen = select(account.c.password).where(account.c.folded == casefolded(name))
        with self._database.read() as connection:
            return connection.execute(chosen).scalar()

    def set_role(self, name: str, role: Role, *, by: str) -> UserRow:
        """Make a reader an admin, or the reverse.

        Raises:
            NotFound: There is no such user.
            UsageError: It would leave no active admin.
        """
        with self._database.write() as connection:
            return self._change(connection, name, {"role": _checked_role(role)}, action="user.role", by=by)

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
            connection.execute(delete(login_failure).where(login_failure.c.account == row.id))
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

    def failed(self, name: str, address: str) -> UserRow | None:
        """Count a login that fails unless ``logged_in`` follows; None if the user is locked out from there, or unknown.

        Args:
            name: Of the user.
            address: Where the try comes from: failures are counted for each place by itself.

        Returns:
            The user, with the failures from this address.
        """
        now = self._database.now()
        with self._database.write() as connection:
            row = connection.execute(select(account).where(account.c.folded == casefolded(name))).first()
            if row is None:
                return None
            here = (login_failure.c.account == row.id) & (login_failure.c.address == address)
            known = connection.execute(select(login_failure).where(here)).first()
            if known is None:
                connection.execute(insert(login_failure), {"account": row.id, "address": address, "failures": 1})
            elif known.locked_until is not None and known.locked_until > now:
                return None
            else:
                connection.execute(update(login_failure).where(here).values(failures=known.failures + 1))
            connection.execute(update(account).where(account.c.id == row.id).values(failures=account.c.failures + 1))
            return replace(to_user(row), failures=1 if known is None else known.failures + 1)

    def lock(self, name: str, address: str, until: datetime) -> UserRow:
        """Let a user not log in from an address for a while.

        Raises:
            NotFound: There is no such user.
        """
        with self._database.write() as connection:
            row = account_row(connection, name)
            here = (login_failure.c.account == row.id) & (login_failure.c.address == address)
            connection.execute(update(login_failure).where(here).values(locked_until=until))
        return self._note(name, {"locked_until": until})

    def unlock(self, name: str, *, by: str) -> UserRow:
        """Forget failures and lock.

        Raises:
            NotFound: There is no such user.
        """
        with self._database.write() as connection:
            values = {"failures": 0, "locked_until": None}
            row = self._change(connection, name, values, action="user.unlock", by=by, said={})
            connection.execute(delete(login_failure).where(login_failure.c.account == row.id))
            return row

    def logged_in(self, name: str, address: str) -> UserRow:
        """Note the login, and forget the failures from there.

        Raises:
            NotFound: There is no such user.
        """
        with self._database.write() as connection:
            row = account_row(connection, name)
            here = (login_failure.c.account == row.id) & (login_failure.c.address == address)
            connection.execute(delete(login_failure).where(here))
        return self._note(name, {"last_login": self._database.now(), "failures": 0, "locked_until": None})

    def _create(self, connection: Connection, name: str, password: str, role: Role, by: str) -> UserRow:
        kept = clean(name)
        if not kept:
            raise UsageError("a user has a name", where="name", remedy="Give one")
        if connection.execute(select(account.c.id).where(account.c.folded == casefolded(kept))).first() is not None:
            raise Conflict("there is a user of this name", where=kept, remedy="Take another name")
        now = self._database.now()
        values: dict[str, Any] = {"id": new_id(), "name": kept, "folded": casefolded(kept), "role": _checked_role(role)}
        values |= {"active": True, "password": password, "created": now, "failures": 0}
        connection.execute(insert(account), values)
        append_entry(connection, now, by, "user.create", target=f"user:{kept}", detail={"role": role})
        return account_row(connection, kept)

    def _note(self, name: str, values: dict[str, Any]) -> UserRow:
        with self._database.write() as connection:
            connection.execute(update(account).where(account.c.folded == casefolded(name)).values(values))
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
        append_entry(connection, self._database.now(), by, action, target=f"user:{before.name}", detail=detail)
        return account_row(connection, name)


def _checked_role(role: str) -> str:
    if role not in {"reader", "admin"}:
        raise UsageError(f"there is no role {role!r}", where="role", remedy="Take reader or admin")
    return role


class Sessions:
    """Made by ``open_worklist``. In what follows ``digest`` is the sha256 of a cookie."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, digest: str, *, user: str, csrf: str, expires: datetime) -> SessionRow:
        """Log a user in.

        Raises:
            NotFound: There is no such user.
        """
        now = self._database.now()
        with self._database.write() as connection:
            row = account_row(connection, user)
            values = {"hash": digest, "account": row.id, "csrf": csrf, "created": now, "expires": expires}
            connection.execute(insert(session), values | {"last_seen": now})
            return to_session(connection.execute(_sessions_with_user().where(session.c.hash == digest)).one())

    def get(self, digest: str) -> tuple[SessionRow, UserRow] | None:
        """A session that has not ended, of an active user."""
        with self._database.read() as connection:
            row = connection.execute(_sessions_with_user().where(session.c.hash == digest)).first()
            if row is None or row.expires <= self._database.now():
                return None
            user = account_row(connection, row.user)
        return (to_session(row), user) if user.active else None

    def seen(self, digest: str, *, expires: datetime | None = None) -> None:
        """Note that it was used, and move its end; the caller need not do it more than once a minute."""
        values = {"last_seen": self._database.now()} | ({} if expires is None else {"expires": expires})
        with self._database.write() as connection:
            connection.execute(update(session).where(session.c.hash == digest).values(values))

    def end(self, digest: str) -> None:
        """Log out; an unknown one is no error."""
        with self._database.write() as connection:
            connection.execute(delete(session).where(session.c.hash == digest))

    def end_all(self, user: str, *, but: str | None = None) -> int:
        """End a user's sessions, all ``but`` one (its digest); how many there were."""
        mine = select(account.c.id).where(account.c.folded == casefolded(user))
        ended = delete(session).where(session.c.account.in_(mine))
        with self._database.write() as connection:
            return connection.execute(ended if but is None else ended.where(session.c.hash != but)).rowcount

    def list(self, user: str) -> tuple[SessionRow, ...]:
        """Those of a user that have not ended, newest first."""
        chosen = _sessions_with_user().where(
            account.c.folded == casefolded(user), session.c.expires > self._database.now()
        )
        with self._database.read() as connection:
            return tuple(to_session(row) for row in connection.execute(chosen.order_by(session.c.created.desc())))

    def purge(self) -> int:
        """Take away those that have ended; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(session).where(session.c.expires <= self._database.now())).rowcount


def _sessions_with_user() -> Select[Any]:
    return select(session, account.c.name.label("user")).join(account, account.c.id == session.c.account)


_LAST_USED_RESOLUTION = timedelta(minutes=1)


class Tokens:
    """Made by ``open_worklist``. In what follows ``digest`` is the sha256 of a token. Changes are logged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        digest: str,
        *,
        name: str,
        user: str,
        scopes: Sequence[Scope],
        prefix: str,
        expires: datetime | None,
        by: str,
    ) -> TokenRow:
        """Keep a new token.

        Args:
            digest: sha256 of it.
            name: What it is for.
            user: Whose it is.
            scopes: What it may do.
            prefix: Its first characters, to tell it by.
            expires: None for never.
            by: Who made it.

        Raises:
            NotFound: There is no such user.
            UsageError: No scope, or an unknown one.
        """
        if not scopes or not set(scopes) <= {"read", "write", "admin"}:
            raise UsageError("a token has one or more of the scopes read, write, admin", where="scopes")
        now = self._database.now()
        with self._database.write() as connection:
            owner = account_row(connection, user)
            values: dict[str, Any] = {"id": new_id(), "hash": digest, "name": clean(name), "account": owner.id}
            values |= {"scopes": list(dict.fromkeys(scopes)), "created": now, "expires": expires, "prefix": prefix}
            connection.execute(insert(token), values)
            detail = {"name": values["name"], "user": owner.name, "scopes": values["scopes"]}
            append_entry(connection, now, by, "token.create", target=f"token:{values['id']}", detail=detail)
            return to_token(connection.execute(_tokens_with_user().where(token.c.id == values["id"])).one())

    def get(self, digest: str) -> tuple[TokenRow, UserRow] | None:
        """A token that has not expired, of an active user."""
        with self._database.read() as connection:
            row = connection.execute(_tokens_with_user().where(token.c.hash == digest)).first()
            if row is None or (row.expires is not None and row.expires <= self._database.now()):
                return None
            user = account_row(connection, row.user)
        return (to_token(row), user) if user.active else None

    def used(self, ident: str) -> None:
        """Note the use of a token by its id, once a minute at most."""
        now = self._database.now()
        old = (token.c.id == ident) & or_(token.c.last_used.is_(None), token.c.last_used <= now - _LAST_USED_RESOLUTION)
        with self._database.read() as connection:
            if connection.execute(select(token.c.id).where(old)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(token).where(token.c.id == ident).values(last_used=now))

    def list(self, user: str | None = None) -> tuple[TokenRow, ...]:
        """Of one user or of all, newest first."""
        chosen = (
            _tokens_with_user() if user is None else _tokens_with_user().where(account.c.folded == casefolded(user))
        )
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(token.c.created.desc(), token.c.id))
            return tuple(to_token(row) for row in rows)

    def revoke(self, ident: str, *, by: str) -> TokenRow:
        """Take a token away by its id.

        Raises:
            NotFound: There is no such token.
        """
        with self._database.write() as connection:
            row = connection.execute(_tokens_with_user().where(token.c.id == ident)).first()
            if row is None:
                raise not_found("token", ident)
            connection.execute(delete(token).where(token.c.id == ident))
            detail = {"name": row.name, "user": row.user}
            append_entry(connection, self._database.now(), by, "token.revoke", target=f"token:{ident}", detail=detail)
        return to_token(row)


def _tokens_with_user() -> Select[Any]:
    return select(token, account.c.name.label("user")).join(account, account.c.id == token.c.account)
