"""The connection, SQLite in a file or PostgreSQL, and its migration. Any number may read; one at a time writes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pneumoscope.errors import MissingExtra, StorageError, UsageError, WorklistIncompatible
from pneumoscope.storage import storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

__all__ = ["VERSION_TABLE", "Database", "migrate", "revision_of", "revisions", "upgrade", "utc_now"]

_BUSY_MS = 30_000  # that one process waits for another's write in a SQLite file
_LOCK = 0x706E65756D6F  # the advisory lock of writers in PostgreSQL: "pneumo"


def utc_now() -> datetime:
    """The clock that is used where no other is given."""
    return datetime.now(UTC)


class Database:
    """One database and its pool of connections; safe to use from many threads.

    Writers come one after the other, in both databases. So the audit chain has no forks, the numbers of changes come
    in the order of the commits, and nothing that a writer looked up is old when it writes. A film takes a hundred
    times longer to read than to write down, so that nobody waits for this.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``.
        clock: Tells the time, aware.

    Raises:
        UsageError: A URL of no such database.
        MissingExtra: PostgreSQL without its driver.
        StorageError: The file's folder cannot be made.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        parsed = _parsed_url(url)
        self.now = clock
        self.shown = parsed.render_as_string(hide_password=True)
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self._turn: Lock | nullcontext[None] = Lock() if self.sqlite else nullcontext()
        self.engine: Engine = _sqlite_engine(parsed) if self.sqlite else _postgresql_engine(parsed)
        # A reader sees one state, as in SQLite. A writer must see what was committed while it waited for its turn.
        one_state = {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = self.engine.execution_options(**one_state)
        self._writers = self.engine.execution_options(writing=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database.

        Raises:
            StorageError: In place of the database's errors.
        """
        with self._reaching(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction of the one writer: all of it is kept, or nothing.

        Raises:
            StorageError: In place of the database's errors.
        """
        # Threads of one process queue up here; SQLite's own waiting is polling, and unfair.
        with self._turn, self._reaching(), self._writers.begin() as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection

    def ping(self) -> None:
        """Ask for a sign of life.

        Raises:
            StorageError: There is none.
        """
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def tidy(self) -> None:
        """Let SQLite count again how often values occur, where that is old; PostgreSQL does so by itself.

        Raises:
            StorageError: The database cannot be used.
        """
        if self.sqlite:
            with self.write() as connection:
                connection.exec_driver_sql("ANALYZE")  # of 1,000 rows an index, by the limit below

    def free_bytes(self) -> int | None:
        """Room on the disk of the file; None where it is not known (PostgreSQL)."""
        if not self.sqlite:
            return None
        with storage_errors(self.shown):
            return shutil.disk_usage(Path(self.engine.url.database or "").parent).free

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StorageError(
                f"the worklist's database cannot be used ({reason})",
                where=self.shown,
                remedy="See that it runs, that the URL is right and the disk not full; what was kept is whole",
            ) from error


def _parsed_url(text: str) -> URL:
    kinds = "Give sqlite:///FILE, or postgresql://USER@HOST/DATABASE (with the password in PGPASSWORD or ~/.pgpass)"
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise UsageError("this is no URL of a database", where="the worklist's database", remedy=kinds) from error
    backend = url.get_backend_name()
    if (
        backend == "sqlite"
        and url.database not in {None, "", ":memory:"}
        and not (url.database or "").startswith("file:")
    ):
        return url.set(drivername="sqlite", database=str(Path(url.database or "").expanduser()))
    if backend in {"postgresql", "postgres"}:
        if find_spec("psycopg") is None:
            raise MissingExtra.named("psycopg", extra="postgres", needed_for="a worklist in PostgreSQL")
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"a worklist is not kept in {url.drivername!r}", where="the worklist's database", remedy=kinds)


def _postgresql_engine(url: URL) -> Engine:
    # Never prepared: a plan that must do for every word is a bad one for most, and connection poolers dislike it too.
    unprepared = {"prepare_threshold": None}
    return create_engine(url, pool_size=5, max_overflow=15, pool_pre_ping=True, connect_args=unprepared)


def _sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "")
    with storage_errors(path):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, mode=0o700)
        # Films' labels and notes are nobody else's business; the log files beside it take these permissions too.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_engine(url, pool_size=5, max_overflow=35, connect_args={"timeout": _BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late to be IMMEDIATE
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        _use_wal(connection)
        for pragma in (
            "synchronous = FULL",  # what was said to be kept survives a power cut
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -8000",  # kB; each connection has its own
            "analysis_limit = 1000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would be refused when another wrote in between.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _use_wal(connection: Any) -> None:
    """Turn on write-ahead logging, with which readers and the writer do not wait for each other.

    A file that is not in this mode yet is changed by the first to connect. SQLite does not let others wait for that
    by its busy timeout, since two that wait for each other would never end: it refuses, and they have to ask again.
    """
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if (
                error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
                or time.monotonic() > until
            ):
                raise
            time.sleep(0.01)
        else:
            return


VERSION_TABLE = "worklist_version"


def migrate(database: Database, upgraded: Callable[[Connection, str | None], object] | None = None) -> None:
    """Take the steps that are missing, all in one transaction; several programs may begin at one moment.

    Args:
        database: Empty, or of this or an older release.
        upgraded: What else belongs to the transaction of a database that was not up to date; told its revision before.

    Raises:
        WorklistIncompatible: A newer pneumoscope wrote the database.
        StorageError: It cannot be used, or holds tables of something else.
    """
    newest = revisions()[-1]
    with database.read() as connection:
        if _checked_revision(connection, database.shown) == newest:
            return
    with database.write() as connection:
        before = _checked_revision(connection, database.shown)
        if before != newest:
            upgrade(connection, newest)
            if upgraded is not None:
                upgraded(connection, before)


def revisions() -> tuple[str, ...]:
    """The names of all steps, first to last."""
    return tuple(step.revision for step in ScriptDirectory.from_config(_alembic_config()).walk_revisions())[::-1]


def upgrade(connection: Connection, revision: str) -> None:
    """Go up to a revision, in the transaction of the connection."""
    config = _alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def revision_of(connection: Connection) -> str | None:
    """The revision of the database; None if it has none."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _checked_revision(connection: Connection, where: str) -> str | None:
    """The revision of the database; None if it is empty."""
    found = revision_of(connection)
    if found is None and inspect(connection).has_table("study"):
        raise StorageError(
            "the database holds tables of something else",
            where=where,
            remedy="Give the worklist a database of its own",
        )
    if found is not None and found not in revisions():
        raise WorklistIncompatible(
            f"a newer pneumoscope wrote the worklist (revision {found}; this one knows up to {revisions()[-1]})",
            where=where,
            remedy="Install the newest pneumoscope; the worklist was left as it is",
        )
    return found


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("pneumoscope.server.store") / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
