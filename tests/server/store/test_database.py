from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pneumoscope.errors import MissingExtra, StorageError, UsageError
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.database import Database
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.server.store.worklist import Worklist


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://a@b/c", "oracle://x", "sqlite:///file:x?uri=true"],
)
def test_what_is_no_database_of_ours_is_said_so(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(url)
    assert "sqlite:///FILE" in caught.value.remedy


def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pneumoscope.server.store.database.find_spec", lambda name: None if name == "psycopg" else object()
    )
    with pytest.raises(MissingExtra, match=r"psycopg") as caught:
        Database("postgresql://someone@localhost/worklist")
    assert "pneumoscope[postgres]" in caught.value.remedy


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        open_worklist("postgresql://someone:secret@127.0.0.1:9/worklist", LocalBlobs(tmp_path))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, and not a database " * 100)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a database"):
        open_worklist(f"sqlite:///{path}", LocalBlobs(tmp_path / "films"))
    assert path.read_bytes() == before


def test_sqlite_is_set_up(sqlite_worklist: Worklist) -> None:
    with sqlite_worklist.database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 2}


def test_sqlite_counts_again_by_itself(sqlite_worklist: Worklist) -> None:
    """So that it finds the right index in a store that has grown."""
    from pneumoscope.server.store.retention import apply_retention
    from synthetic_worklist import add_synthetic_studies

    add_synthetic_studies(sqlite_worklist, 200)
    with sqlite_worklist.database.write() as connection:
        connection.execute(text("DELETE FROM sqlite_stat1"))
    sqlite_worklist.database.close()  # and with it what the connections remember
    apply_retention(sqlite_worklist, 0)
    with sqlite_worklist.database.read() as connection:
        chosen = text("SELECT stat FROM sqlite_stat1 WHERE idx = 'ix_study_received_id'")
        found = connection.execute(chosen).scalar()
    assert str(found).startswith("200 ")


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    open_worklist(f"sqlite:///{tmp_path / 'new' / 'w.db'}", LocalBlobs(tmp_path / "films")).close()
    for path, mode in ((tmp_path / "new", 0o700), (tmp_path / "new" / "w.db", 0o600), (tmp_path / "films", 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_writer_holds_the_lock_from_its_beginning(worklist: Worklist) -> None:
    """What it looks up is not changed by another before it writes."""
    url = worklist.database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    other = Database(url)
    entered = threading.Event()

    def write() -> None:
        with other.write():
            entered.set()

    thread = threading.Thread(target=write)
    with worklist.database.write():  # without a statement yet
        thread.start()
        assert not entered.wait(0.5)
    assert entered.wait(30)
    thread.join()
    other.close()


def test_a_reader_sees_one_state(worklist: Worklist) -> None:
    with worklist.database.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM audit")).scalar()
        worklist.audit.write("anna", "look")
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar() == before
    assert worklist.audit.verify().entries == 1


def test_ping(worklist: Worklist, tmp_path: Path) -> None:
    worklist.ping()
    gone = Database(f"sqlite:///{tmp_path / 'sub' / 'x.db'}")
    (tmp_path / "sub" / "x.db").unlink()
    (tmp_path / "sub").rmdir()
    with pytest.raises(StorageError):
        gone.ping()
    gone.close()
