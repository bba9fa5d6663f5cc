"""Settings that are changed while the server runs, imported bundles, and which one is in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.records import BundleRow
from pneumoscope.server.store.tables import bundle, setting
from pneumoscope.server.store.text import not_found

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from pneumoscope.server.store.database import Database

__all__ = ["PINNED_BUNDLE", "Bundles", "StoredSettings", "put_setting", "setting_of"]


PINNED_BUNDLE = "bundle.pinned"
"""Key of the setting that tells which bundle reads: its name, version, sha256 and preset."""


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
            append_entry(connection, self._database.now(), by, "setting.set", target=f"setting:{key}", detail=detail)

    def clear(self, key: str, *, by: str) -> None:
        """Back to the default; an unknown key is no error."""
        with self._database.write() as connection:
            if connection.execute(delete(setting).where(setting.c.key == key)).rowcount:
                append_entry(connection, self._database.now(), by, "setting.clear", target=f"setting:{key}", detail={})


_IN_USE = "bundle.in_use"


class Bundles:
    """Made by ``open_worklist``. It knows where the files are; it does not hold them. Changes are logged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, sha256: str, *, by: str) -> BundleRow:
        """Note an imported bundle; the same one again is no error.

        Args:
            name: It is found by this.
            sha256: Of the file; it is found by this in the folder of bundles, wherever that is moved to.
            by: Who imported it.

        Raises:
            Conflict: Another bundle has this name.
        """
        with self._database.write() as connection:
            before = _bundle_row(connection, name)
            if before is not None and before.sha256 != sha256:
                raise Conflict("another bundle has this name", where=name, remedy="Give it another name")
            if before is None:
                now = self._database.now()
                values = {"name": name, "sha256": sha256, "added": now}
                connection.execute(insert(bundle), values)
                append_entry(connection, now, by, "bundle.add", target=f"bundle:{name}", detail={"sha256": sha256})
            return _existing_bundle(connection, name)

    def list(self) -> tuple[BundleRow, ...]:
        """Newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(bundle).order_by(bundle.c.added.desc(), bundle.c.name)).all()
            used = setting_of(connection, _IN_USE)
        return tuple(_to_bundle(row, used) for row in rows)

    def get(self, name: str) -> BundleRow | None:
        """One of them; None if there is none of this name."""
        with self._database.read() as connection:
            return None if _bundle_row(connection, name) is None else _existing_bundle(connection, name)

    def in_use(self) -> str | None:
        """Name of the bundle to read with: an imported one, or a shipped one; None if none was ever chosen."""
        with self._database.read() as connection:
            found = setting_of(connection, _IN_USE)
        return None if found is None else str(found)

    def use(self, name: str, *, by: str) -> None:
        """Choose the bundle to read with. The caller has seen that there is one of this name."""
        with self._database.write() as connection:
            before = setting_of(connection, _IN_USE)
            if before != name:
                put_setting(connection, _IN_USE, name)
                append_entry(
                    connection,
                    self._database.now(),
                    by,
                    "bundle.use",
                    target=f"bundle:{name}",
                    detail={"before": before},
                )

    def remove(self, name: str, *, by: str) -> BundleRow:
        """Forget an imported bundle; its file is the caller's to delete.

        Raises:
            NotFound: There is none of this name.
            UsageError: It is in use.
        """
        with self._database.write() as connection:
            row = _existing_bundle(connection, name)
            if row.in_use:
                raise UsageError("the bundle is in use", where=name, remedy="Choose another one first")
            connection.execute(delete(bundle).where(bundle.c.name == name))
            append_entry(
                connection,
                self._database.now(),
                by,
                "bundle.remove",
                target=f"bundle:{name}",
                detail={"sha256": row.sha256},
            )
        return row


def _bundle_row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(bundle).where(bundle.c.name == name)).first()


def _existing_bundle(connection: Connection, name: str) -> BundleRow:
    row = _bundle_row(connection, name)
    if row is None:
        raise not_found("bundle", name)
    return _to_bundle(row, setting_of(connection, _IN_USE))


def _to_bundle(row: Row[Any], used: Any) -> BundleRow:
    return BundleRow(row.name, row.sha256, row.added, in_use=row.name == used)
