"""Keys for programs. The token itself is never kept, only its sha256."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, or_, select, update

from pneumoscope.errors import UsageError
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.keys import new_id
from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.rows import to_token
from pneumoscope.worklist.tables import account, token
from pneumoscope.worklist.texts import clean
from pneumoscope.worklist.users import account_row, folded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Select

    from pneumoscope.worklist.database import Database
    from pneumoscope.worklist.records import Scope, TokenRow, UserRow

__all__ = ["Tokens"]

_NOTED = timedelta(minutes=1)


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
            append(connection, now, by, "token.create", target=f"token:{values['id']}", detail=detail)
            return to_token(connection.execute(_named().where(token.c.id == values["id"])).one())

    def get(self, digest: str) -> tuple[TokenRow, UserRow] | None:
        """A token that has not expired, of an active user."""
        with self._database.read() as connection:
            row = connection.execute(_named().where(token.c.hash == digest)).first()
            if row is None or (row.expires is not None and row.expires <= self._database.now()):
                return None
            user = account_row(connection, row.user)
        return (to_token(row), user) if user.active else None

    def used(self, ident: str) -> None:
        """Note the use of a token by its id, once a minute at most."""
        now = self._database.now()
        old = (token.c.id == ident) & or_(token.c.last_used.is_(None), token.c.last_used <= now - _NOTED)
        with self._database.read() as connection:
            if connection.execute(select(token.c.id).where(old)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(update(token).where(token.c.id == ident).values(last_used=now))

    def list(self, user: str | None = None) -> tuple[TokenRow, ...]:
        """Of one user or of all, newest first."""
        chosen = _named() if user is None else _named().where(account.c.folded == folded(user))
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(token.c.created.desc(), token.c.id))
            return tuple(to_token(row) for row in rows)

    def revoke(self, ident: str, *, by: str) -> TokenRow:
        """Take a token away by its id.

        Raises:
            NotFound: There is no such token.
        """
        with self._database.write() as connection:
            row = connection.execute(_named().where(token.c.id == ident)).first()
            if row is None:
                raise no_such("token", ident)
            connection.execute(delete(token).where(token.c.id == ident))
            detail = {"name": row.name, "user": row.user}
            append(connection, self._database.now(), by, "token.revoke", target=f"token:{ident}", detail=detail)
        return to_token(row)


def _named() -> Select[Any]:
    return select(token, account.c.name.label("user")).join(account, account.c.id == token.c.account)
