"""A database comes to the tables of this release from wherever it stands, or is refused with a reason."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from pneumoscope.errors import StorageError, UsageError, WorklistIncompatible
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.database import VERSION_TABLE, Database, migrate, revisions, upgrade
from pneumoscope.server.store.integrity import verify
from pneumoscope.server.store.tables import metadata
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    found = Database(database)
    yield found
    found.close()


@pytest.mark.parametrize("start", [None, *revisions()])
def test_every_revision_comes_to_the_same_tables(opened: Database, start: str | None) -> None:
    if start is not None:
        with opened.write() as connection:
            upgrade(connection, start)
    migrate(opened)
    with opened.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "version_table": VERSION_TABLE}
        )
        assert context.get_current_revision() == revisions()[-1]
        assert compare_metadata(context, metadata) == []
        # Alembic does not compare these.
        found = inspect(connection)
        for name, table in metadata.tables.items():
            assert set(found.get_pk_constraint(name)["constrained_columns"]) == {c.name for c in table.primary_key}
            here = {(key["referred_table"], key["options"].get("ondelete")) for key in found.get_foreign_keys(name)}
            assert here == {(key.column.table.name, key.ondelete) for key in table.foreign_keys}
    migrate(opened)


def test_the_comparison_sees_what_is_missing(opened: Database) -> None:
    migrate(opened)
    with opened.write() as connection:
        connection.execute(text("DROP INDEX ix_study_changed"))
        connection.execute(text("ALTER TABLE study DROP COLUMN note"))
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert len(compare_metadata(context, metadata)) == 2


def test_a_database_of_the_future_is_left_alone(database: str, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "films")
    store = open_worklist(database, blobs)
    with store.database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608
    store.close()
    with pytest.raises(WorklistIncompatible, match="9999") as caught:
        open_worklist(database, blobs)
    assert "newest pneumoscope" in caught.value.remedy
    found = Database(database)
    with found.read() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one() == "9999"  # noqa: S608
    found.close()


def test_tables_of_something_else_are_left_alone(opened: Database, database: str, tmp_path: Path) -> None:
    with opened.write() as connection:
        connection.execute(text("CREATE TABLE study (x INTEGER)"))
    with pytest.raises(StorageError, match="something else"):
        open_worklist(database, LocalBlobs(tmp_path / "films"))


def test_many_that_begin_at_one_moment_make_the_tables_once(database: str, tmp_path: Path) -> None:
    errors: list[BaseException] = []
    gate = threading.Barrier(4)

    def begin() -> None:
        try:
            gate.wait(20)
            open_worklist(database, LocalBlobs(tmp_path / "films")).close()
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_step_that_fails_leaves_nothing(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pneumoscope.server.store.database.upgrade", _half)
    with pytest.raises(StorageError):
        migrate(opened)
    with opened.read() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    migrate(opened)


def _half(connection: object, revision: str) -> None:
    upgrade(connection, revision)  # type: ignore[arg-type]
    connection.execute(text("SELECT nothing FROM nowhere"))  # type: ignore[attr-defined]


def test_revisions_are_named_in_order() -> None:
    assert revisions() == tuple(sorted(revisions()))
    assert all(re.fullmatch(r"\d{4}", name) for name in revisions())


OLD: dict[str, dict[str, Any]] = {
    "study": {
        "id": "s1",
        "label": "a",
        "source": "web",
        "received": 1,
        "changed": 1,
        "films": 1,
        "status": "read",
        "call": "pneumonia",
        "probability": 0.9,
        "urgency": 0.9,
        "refusal": "",
        "verdict": "agree",
        "lead": "a" * 64,
        "bundle": "standard 1",
        "note": "",
    },
    "film": {
        "sha256": "a" * 64,
        "study": "s1",
        "position": 0,
        "name": "a.png",
        "bytes": 3,
        "facts": "{}",
        "blob": "b" * 64,
        "received": 1,
    },
    "reading": {
        "id": "r1",
        "film": "a" * 64,
        "study": "s1",
        "ordinal": 1,
        "created": 1,
        "by": "anna",
        "forced": False,
        "bundle": "standard 1",
        "bundle_sha256": "c" * 64,
        "seconds": 0.25,
        "choice": "",
        "status": "read",
        "call": "pneumonia",
        "probability": 0.9,
        "refusal": "",
    },
    "reading_body": {"reading": "r1", "document": '{"status": "read"}'},
    "verdict": {
        "id": "v1",
        "study": "s1",
        "ordinal": 1,
        "by": "anna",
        "created": 1,
        "kind": "agree",
        "comment": "yes",
    },
    "bundle": {"name": "ours", "sha256": "d" * 64, "path": "/a/folder/that/moved.onnx", "added": 1},
}
"""Rows as release 0.3 wrote them."""


def test_rows_of_release_0_3_are_kept_and_vouched_for(opened: Database, database: str, tmp_path: Path) -> None:
    with opened.write() as connection:
        upgrade(connection, "0001")
        for table, row in OLD.items():
            names = ", ".join(f'"{name}"' for name in row)
            connection.execute(
                text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"),  # noqa: S608
                row,
            )
    with pytest.raises(UsageError):
        verify(opened)
    store = open_worklist(database, LocalBlobs(tmp_path / "films"))
    assert store.studies.get("s1").verdict == "agree"
    assert store.verdicts.of("s1")[0].findings == ()
    assert [(row.name, row.sha256) for row in store.bundles.list()] == [("ours", "d" * 64)]
    found = verify(store.database)
    assert (found.ok, found.readings, found.verdicts) == (True, 1, 1)
    with store.database.write() as connection:
        connection.execute(text("UPDATE verdict SET comment = 'no'"))
    assert not verify(store.database).ok
    store.close()
