"""``pneumoscope log verify`` and ``pneumoscope users``: what the keeper of a web application does on its machine."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("argon2")

from sqlalchemy import text

from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading
from pneumoscope.server.store.worklist import Worklist, open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ran

    Run = Callable[..., Ran]


DOCUMENT = {"status": "refused", "refusal": {"code": "blurred", "reason": "", "remedy": ""}}


@pytest.fixture
def store(tmp_path: Path, database: str) -> Iterator[tuple[Worklist, str]]:
    """A store in SQLite and one in PostgreSQL, with some lines in the log."""
    worklist = open_worklist(database, LocalBlobs(tmp_path / "films"))
    worklist.users.create("grace", "hash", role="admin", by="setup")
    for number in range(1200):
        if number % 400 == 0:
            worklist.audit.write("grace", "login", "user:grace", number=number)
    yield worklist, database
    worklist.close()


def test_a_whole_log(run: Run, store: tuple[Worklist, str]) -> None:
    worklist, url = store
    ran = run("log", "verify", "--database", url)

    assert ran.code == 0
    assert "4 lines" in ran.out
    head = ran.out.split()[-1]
    assert head == f"4:{worklist.audit.verify().head}"

    worklist.audit.write("grace", "logout")
    assert run("log", "verify", "--database", url, "--head", head).code == 0


def test_a_changed_line_is_found(run: Run, store: tuple[Worklist, str]) -> None:
    worklist, url = store
    _without_triggers(worklist)
    with worklist.database.engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence = 2"))

    ran = run("log", "verify", "--database", url)

    assert ran.code == 7
    assert "line 2" in ran.err
    assert ran.err.count("\n") == 1


def test_a_changed_verdict_and_dropped_triggers_are_found(run: Run, store: tuple[Worklist, str]) -> None:
    worklist, url = store
    film = NewFilm("a" * 64, b"", "film", (NewReading(DOCUMENT),))
    study = worklist.studies.add([film], label="film", source="api", by="grace")
    worklist.verdicts.give(study.id, "agree", by="grace")
    assert run("log", "verify", "--database", url).code == 0
    with worklist.database.engine.begin() as connection:
        connection.execute(text("UPDATE verdict SET comment = 'never said'"))
    ran = run("log", "verify", "--database", url)
    assert ran.code == 7
    assert "verdict" in ran.err
    assert ran.err.count("\n") == 1
    _without_triggers(worklist)
    assert "triggers" in run("log", "verify", "--database", url).err


@pytest.mark.parametrize("gone", [2, 4])
def test_a_line_taken_away_is_found(run: Run, store: tuple[Worklist, str], gone: int) -> None:
    worklist, url = store
    _without_triggers(worklist)
    with worklist.database.engine.begin() as connection:
        connection.execute(text(f"DELETE FROM audit WHERE sequence = {gone}"))  # noqa: S608 - a number of ours

    assert run("log", "verify", "--database", url).code == 7


def test_a_log_written_anew_is_found_by_its_old_head(run: Run, store: tuple[Worklist, str], tmp_path: Path) -> None:
    worklist, url = store
    head = run("log", "verify", "--database", url).out.split()[-1]
    anew = open_worklist(f"sqlite:///{tmp_path / 'anew.sqlite'}", LocalBlobs(tmp_path / "films"))
    for _ in range(6):
        anew.audit.write("grace", "login")
    anew.close()
    url = f"sqlite:///{tmp_path / 'anew.sqlite'}"

    assert run("log", "verify", "--database", url).code == 0
    ran = run("log", "verify", "--database", url, "--head", head)
    assert ran.code == 7
    assert "written anew" in ran.err
    assert run("log", "verify", "--database", url, "--head", f"99:{'0' * 64}").code == 7
    del worklist


def test_no_store_is_made_to_be_found_whole(run: Run, tmp_path: Path) -> None:
    ran = run("log", "verify", "--data", tmp_path / "nowhere")

    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "nowhere").exists()
    assert run("log", "verify", "--data", tmp_path, "--head", "nonsense").code == 2
    assert run("log", "forget", "--data", tmp_path).code == 2


def test_a_lost_password_is_replaced(run: Run, store: tuple[Worklist, str], monkeypatch: pytest.MonkeyPatch) -> None:
    worklist, url = store

    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    assert run("users", "password", "grace", "--database", url).code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("a lamp beside the film\n"))
    ran = run("users", "password", "GRACE", "--database", url)

    assert ran.code == 0
    assert "lamp" not in ran.out + ran.err
    kept = worklist.users.password_of("grace")
    assert kept is not None
    assert kept.startswith("$argon2id$")
    entry = worklist.audit.page(limit=1).items[0]
    assert (entry.actor, entry.action) == ("terminal", "user.password")


def test_a_lockout_is_ended(run: Run, store: tuple[Worklist, str]) -> None:
    worklist, url = store
    worklist.users.failed("grace", "192.0.2.1")

    assert run("users", "unlock", "grace", "--database", url).code == 0
    row = worklist.users.get("grace")
    assert row is not None
    assert row.failures == 0
    assert run("users", "unlock", "nobody", "--database", url).code == 1
    assert run("users", "unlock", "--database", url).code == 2
    listed = run("users", "--database", url).out
    assert "grace" in listed
    assert "admin" in listed


def _without_triggers(worklist: Worklist) -> None:
    """As somebody would who may write into the database."""
    with worklist.database.engine.begin() as connection:
        if worklist.database.sqlite:
            for name in (
                connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            ):
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
