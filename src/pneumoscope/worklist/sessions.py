"""Who is logged in. The cookie itself is never kept, only its sha256."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from pneumoscope.worklist.rows import to_session
from pneumoscope.worklist.tables import account, session
from pneumoscope.worklist.users import account_row, folded

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select

    from pneumoscope.worklist.database import Database
    from pneumoscope.worklist.records import SessionRow, UserRow

__all__ = ["Sessions"]


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
            return to_session(connection.execute(_named().where(session.c.hash == digest)).one())

    def get(self, digest: str) -> tuple[SessionRow, UserRow] | None:
        """A session that has not ended, of an active user."""
        with self._database.read() as connection:
            row = connection.execute(_named().where(session.c.hash == digest)).first()
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
        mine = select(account.c.id).where(account.c.folded == folded(user))
        ended = delete(session).where(session.c.account.in_(mine))
        with self._database.write() as connection:
            return connection.execute(ended if but is None else ended.where(session.c.hash != but)).rowcount

    def list(self, user: str) -> tuple[SessionRow, ...]:
        """Those of a user that have not ended, newest first."""
        chosen = _named().where(account.c.folded == folded(user), session.c.expires > self._database.now())
        with self._database.read() as connection:
            return tuple(to_session(row) for row in connection.execute(chosen.order_by(session.c.created.desc())))

    def purge(self) -> int:
        """Take away those that have ended; how many."""
        with self._database.write() as connection:
            return connection.execute(delete(session).where(session.c.expires <= self._database.now())).rowcount


def _named() -> Select[Any]:
    return select(session, account.c.name.label("user")).join(account, account.c.id == session.c.account)
