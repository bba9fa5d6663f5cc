"""Settings of the reading room that are set while it runs: JSON by key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from pneumoscope.errors import UsageError
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.tables import setting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pneumoscope.worklist.database import Database

__all__ = ["StoredSettings", "put_setting", "setting_of"]


def setting_of(connection: Connection, key: str, default: Any = None) -> Any:
    """A value, or the default where none is set."""
    row = connection.execute(select(setting.c.value).where(setting.c.key == key)).first()
    return default if row is None else row.value


def put_setting(connection: Connection, key: str, value: Any) -> None:
    """Set a value in a write transaction, without a line in the log."""
    connection.execute(delete(setting).where(setting.c.key == key))
    connection.execute(insert(setting), {"key": key, "value": value})


class StoredSettings:
    """Made by ``open_worklist``. Values are whatever JSON holds; what they mean is the caller's business."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or the default where none is set."""
        with self._database.read() as connection:
            return setting_of(connection, key, default)

    def all(self) -> dict[str, Any]:
        """Whatever is set."""
        with self._database.read() as connection:
            rows = connection.execute(select(setting).order_by(setting.c.key))
            return {row.key: row.value for row in rows}

    def set(self, key: str, value: Any, *, by: str) -> None:
        """Set a value; the log keeps the old one and the new one.

        Raises:
            UsageError: The value is no JSON.
        """
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the value is no JSON ({error})", where=key) from error
        with self._database.write() as connection:
            before = setting_of(connection, key)
            put_setting(connection, key, value)
            detail = {"before": before, "after": value}
            append(connection, self._database.now(), by, "setting.set", target=f"setting:{key}", detail=detail)

    def clear(self, key: str, *, by: str) -> None:
        """Back to the default; an unknown key is no error."""
        with self._database.write() as connection:
            if connection.execute(delete(setting).where(setting.c.key == key)).rowcount:
                append(connection, self._database.now(), by, "setting.clear", target=f"setting:{key}", detail={})
