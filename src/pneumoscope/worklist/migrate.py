"""Bring a database's tables up to date, whichever pneumoscope wrote it last."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from pneumoscope.errors import StorageError, WorklistFromFuture

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pneumoscope.worklist.database import Database

__all__ = ["VERSION_TABLE", "migrate", "revisions", "upgrade"]

VERSION_TABLE = "worklist_version"


def migrate(database: Database) -> None:
    """Take the steps that are missing, all in one transaction; several programs may begin at one moment.

    Raises:
        WorklistFromFuture: A newer pneumoscope wrote the database.
        StorageError: It cannot be used, or holds tables of something else.
    """
    newest = revisions()[-1]
    with database.read() as connection:
        if _checked(connection, database.shown) == newest:
            return
    with database.write() as connection:
        if _checked(connection, database.shown) != newest:
            upgrade(connection, newest)


def revisions() -> tuple[str, ...]:
    """The names of all steps, first to last."""
    return tuple(step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions())[::-1]


def upgrade(connection: Connection, revision: str) -> None:
    """Go up to a revision, in the transaction of the connection."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _checked(connection: Connection, where: str) -> str | None:
    """The revision of the database; None if it is empty."""
    found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
    if found is None and inspect(connection).has_table("study"):
        raise StorageError(
            "the database holds tables of something else",
            where=where,
            remedy="Give the worklist a database of its own",
        )
    if found is not None and found not in revisions():
        raise WorklistFromFuture(
            f"a newer pneumoscope wrote the worklist (revision {found}; this one knows up to {revisions()[-1]})",
            where=where,
            remedy="Install the newest pneumoscope; the worklist was left as it is",
        )
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("pneumoscope.worklist") / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
