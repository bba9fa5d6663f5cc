"""Bundles that were imported, and which one is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from pneumoscope.errors import Taken, UsageError
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.records import BundleRow
from pneumoscope.worklist.settings import put_setting, setting_of
from pneumoscope.worklist.tables import bundle

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from pneumoscope.worklist.database import Database

__all__ = ["Bundles"]

_IN_USE = "bundle.in_use"


class Bundles:
    """Made by ``open_worklist``. It knows where the files are; it does not hold them. Changes are logged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, sha256: str, path: str, *, by: str) -> BundleRow:
        """Note an imported bundle; the same one again is no error.

        Args:
            name: It is found by this.
            sha256: Of the file.
            path: Of the file.
            by: Who imported it.

        Raises:
            Taken: Another bundle has this name.
        """
        with self._database.write() as connection:
            before = _row(connection, name)
            if before is not None and before.sha256 != sha256:
                raise Taken("another bundle has this name", where=name, remedy="Give it another name")
            if before is None:
                now = self._database.now()
                values = {"name": name, "sha256": sha256, "path": path, "added": now}
                connection.execute(insert(bundle), values)
                append(connection, now, by, "bundle.add", target=f"bundle:{name}", detail={"sha256": sha256})
            return _must(connection, name)

    def list(self) -> tuple[BundleRow, ...]:
        """Newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(bundle).order_by(bundle.c.added.desc(), bundle.c.name)).all()
            used = setting_of(connection, _IN_USE)
        return tuple(_to_bundle(row, used) for row in rows)

    def get(self, name: str) -> BundleRow | None:
        """One of them; None if there is none of this name."""
        with self._database.read() as connection:
            return None if _row(connection, name) is None else _must(connection, name)

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
                append(
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
            row = _must(connection, name)
            if row.in_use:
                raise UsageError("the bundle is in use", where=name, remedy="Choose another one first")
            connection.execute(delete(bundle).where(bundle.c.name == name))
            append(
                connection,
                self._database.now(),
                by,
                "bundle.remove",
                target=f"bundle:{name}",
                detail={"sha256": row.sha256},
            )
        return row


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(bundle).where(bundle.c.name == name)).first()


def _must(connection: Connection, name: str) -> BundleRow:
    row = _row(connection, name)
    if row is None:
        raise no_such("bundle", name)
    return _to_bundle(row, setting_of(connection, _IN_USE))


def _to_bundle(row: Row[Any], used: Any) -> BundleRow:
    return BundleRow(row.name, row.sha256, row.path, row.added, in_use=row.name == used)
