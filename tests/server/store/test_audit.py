"""The log is only added to; and whoever changes it all the same is found."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pneumoscope.errors import StorageError, UsageError
from pneumoscope.server.store.audit_log import GENESIS_DIGEST
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.store.conftest import Clock

    from pneumoscope.server.store.worklist import Worklist

LINES = 6
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def logged(worklist: Worklist, clock: Clock) -> Worklist:
    for number in range(LINES):
        worklist.audit.write("anna", "login" if number % 2 else "study.look", f"study:{number}", number=number)
        clock.forward(seconds=1)
    return worklist


def test_lines_come_back_and_hold_each_other(logged: Worklist) -> None:
    newest = logged.audit.page(limit=4)
    oldest = logged.audit.page(limit=4, cursor=newest.next)
    lines = [*newest.items, *oldest.items][::-1]
    assert [line.sequence for line in lines] == [1, 2, 3, 4, 5, 6]
    assert oldest.next is None
    assert [line.previous for line in lines] == [GENESIS_DIGEST, *(line.digest for line in lines[:-1])]
    assert lines[3].detail == {"number": 3}
    check = logged.audit.verify()
    assert (check.entries, check.ok, check.first_bad, check.head) == (6, True, None, lines[-1].digest)


def test_lines_are_chosen(logged: Worklist, clock: Clock) -> None:
    logged.audit.write("bob", "study.delete", "study:0")

    def found(**chosen: Any) -> list[int]:
        return [line.sequence for line in logged.audit.page(**chosen).items]

    assert found(actor="bob") == [7]
    assert found(action="login") == [6, 4, 2]
    assert found(action="study.") == [7, 5, 3, 1]
    assert found(action="study") == []
    assert found(target="study:0") == [7, 1]
    assert found(since=clock.at) == [7]
    assert found(until=clock.at - timedelta(seconds=5)) == [1]
    assert found(action="login", cursor=logged.audit.page(action="login", limit=1).next) == [4, 2]
    with pytest.raises(UsageError, match="cursor"):
        found(cursor="x")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'eve' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 6",
        "DELETE FROM audit",
        "DELETE FROM audit_head",
        "INSERT INTO audit SELECT * FROM audit WHERE sequence = 2",
    ],
)
def test_the_database_refuses_to_change_a_line(logged: Worklist, statement: str) -> None:
    with pytest.raises(StorageError, match=r"only added to|[Dd]uplicate|UNIQUE"), logged.database.write() as connection:
        connection.execute(text(statement))
    assert logged.audit.verify().ok
    assert logged.audit.verify().entries == LINES


def test_a_line_is_not_replaced(logged: Worklist) -> None:
    statement = (
        "INSERT OR REPLACE INTO audit SELECT sequence, at, 'eve', action, target, detail, previous, digest FROM audit"
        if logged.database.sqlite
        else "TRUNCATE audit"
    )
    with pytest.raises(StorageError, match="only added to"), logged.database.write() as connection:
        connection.execute(text(statement))
    assert logged.audit.verify().ok


EDITS = st.one_of(
    st.tuples(st.sampled_from(["actor", "action", "target", "detail", "previous", "digest"]), st.text(max_size=5)),
    st.tuples(st.sampled_from(["at", "sequence"]), st.integers(-(2**62), 2**62)),
    st.tuples(st.just("at"), st.sampled_from(["never", "1.5"])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(1, LINES), edit=EDITS)
def test_any_edit_behind_the_triggers_is_found(six_lines: Path, which: int, edit: tuple[str, object]) -> None:
    """Someone opens the file with another program, takes the triggers away, and changes one field of one line."""
    column, value = edit
    store, path = _copied(six_lines)
    try:
        with closing(sqlite3.connect(path)) as connection, connection:
            _drop_triggers(connection)
            row = connection.execute(f"SELECT {column} FROM audit WHERE sequence = ?", (which,)).fetchone()  # noqa: S608
            try:
                connection.execute(f"UPDATE audit SET {column} = ? WHERE sequence = ?", (value, which))  # noqa: S608
            except (sqlite3.IntegrityError, UnicodeEncodeError):
                return  # the edit itself is impossible
            changed = connection.execute(f"SELECT {column} FROM audit ORDER BY rowid").fetchall()[which - 1]  # noqa: S608
        check = store.audit.verify()
        assert check.ok == (row == changed)
        if not check.ok and column != "sequence":
            assert check.first_bad == which
    finally:
        store.close()


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("DELETE FROM audit WHERE sequence = 1", 1),
        ("DELETE FROM audit WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence >= 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit_head SET sequence = 5", 7),
        ("UPDATE audit_head SET digest = 'x'", 7),
        ("UPDATE audit SET sequence = 9 WHERE sequence = 6", 6),
        ("UPDATE audit SET detail = x'ff' WHERE sequence = 4", 4),
    ],
)
def test_lines_cut_out_are_missed(six_lines: Path, statement: str, first_bad: int) -> None:
    store, path = _copied(six_lines)
    with closing(sqlite3.connect(path)) as connection, connection:
        _drop_triggers(connection)
        connection.execute(statement)
    check = store.audit.verify()
    store.close()
    assert (check.ok, check.first_bad) == (False, first_bad)


def test_an_edit_is_found_in_postgresql_too(wiped_postgres: str, tmp_path: Path) -> None:
    store = open_worklist(wiped_postgres, LocalBlobs(tmp_path))
    for number in range(LINES):
        store.audit.write("anna", "login", number=number)
    with store.database.write() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit SET at = at + 1 WHERE sequence = 4"))
    assert store.audit.verify().first_bad == 4
    store.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=st.text(), action=st.text(), target=st.text(), detail=st.dictionaries(st.text(), JSON, max_size=4))
def test_whatever_is_written_verifies(
    worklist: Worklist, actor: str, action: str, target: str, detail: dict[str, Any]
) -> None:
    clash = {"actor", "action", "target", "self"}
    entry = worklist.audit.write(actor, action, target, **{f"_{k}" if k in clash else k: v for k, v in detail.items()})
    assert worklist.audit.page(limit=1).items == (entry,)
    assert worklist.audit.verify().ok


def test_a_detail_that_is_no_json_is_refused(sqlite_worklist: Worklist) -> None:
    for detail in ({"x": object()}, {"x": float("nan")}, {"x": "y" * 30_000}):
        with pytest.raises(UsageError):
            sqlite_worklist.audit.write("anna", "login", **detail)
    assert sqlite_worklist.audit.verify().entries == 0


def test_what_fails_is_neither_done_nor_logged(
    worklist: Worklist, add: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line and the deed are one transaction."""
    ident = add("a")
    with monkeypatch.context() as patched:
        patched.setattr("pneumoscope.server.store.studies.append_entry", _fail)
        with pytest.raises(RuntimeError):
            worklist.studies.note(ident, "hello", by="anna")
        with pytest.raises(RuntimeError):
            worklist.studies.delete([ident], by="anna")
    assert worklist.studies.get(ident).note == ""
    assert worklist.audit.verify().entries == 1


def _fail(*_: object, **__: object) -> None:
    raise RuntimeError("the disk went away")


@pytest.fixture
def six_lines(empty_file: Path, tmp_path: Path) -> Path:
    path = tmp_path / "six.db"
    shutil.copy(empty_file, path)
    store = open_worklist(f"sqlite:///{path}", LocalBlobs(tmp_path / "films"))
    for number in range(LINES):
        store.audit.write("anna", "login", f"user:{number}", number=number)
    store.close()
    return path


def _copied(six_lines: Path) -> tuple[Worklist, Path]:
    """A fresh copy for each example."""
    path = six_lines.with_name(f"{uuid.uuid4().hex}.db")
    shutil.copy(six_lines, path)
    return open_worklist(f"sqlite:///{path}", LocalBlobs(path.parent / "films")), path


def _drop_triggers(connection: sqlite3.Connection) -> None:
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
