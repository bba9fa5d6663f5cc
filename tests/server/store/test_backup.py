"""A backup of a running store is one state of it, is checked, and comes back in SQLite and in PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pneumoscope.errors import StorageError, UsageError
from pneumoscope.server.store.backup import back_up, check_backup, restore
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.integrity import verify
from pneumoscope.server.store.records import Query
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.store.conftest import MakeFilm

    from pneumoscope.server.store.worklist import Worklist


@pytest.fixture
def data(tmp_path: Path, worklist: Worklist, add: Callable[..., str]) -> Path:
    """The data folder of a store with studies, a verdict, a user, a setting, a key and a bundle."""
    for number in range(5):
        add(f"film {number}", number / 5)
    worklist.verdicts.give(add("other"), "correct", "viral", "seen", by="anna")
    worklist.users.create("anna", "hash", role="admin", by="setup")
    worklist.settings.set("keep_days", 30, by="anna")
    folder = tmp_path / "data"
    bundle = b"the graph of a bundle"
    sha256 = hashlib.sha256(bundle).hexdigest()
    (folder / "bundles").mkdir(parents=True)
    (folder / "bundles" / f"{sha256}.onnx").write_bytes(bundle)
    (folder / "identity.key").write_bytes(b"k" * 32)
    worklist.bundles.add("site", sha256, by="anna")
    return folder


def same(one: Worklist, other: Worklist) -> None:
    """Whether two stores hold the same."""
    assert one.studies.page(Query(limit=500)) == other.studies.page(Query(limit=500))
    for study in one.studies.page(Query(limit=500)).items:
        assert one.studies.detail(study.id) == other.studies.detail(study.id)
        for film in one.studies.detail(study.id).films:
            assert one.studies.kept(film.sha256) == other.studies.kept(film.sha256)
    assert one.audit.verify() == other.audit.verify()
    assert one.users.list() == other.users.list()
    assert one.settings.all() == other.settings.all()
    assert one.bundles.list() == other.bundles.list()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_comes_back_in_either_database(
    worklist: Worklist, data: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    summary = back_up(worklist.database, worklist.blobs, data, tmp_path / "backup")
    assert (summary.studies, summary.films) == (6, 6)
    url = f"sqlite:///{tmp_path}/new/worklist.sqlite"
    if kind == "postgresql":
        url = request.getfixturevalue("empty_postgres")
    restore(tmp_path / "backup", url, LocalBlobs(tmp_path / "new" / "films"), tmp_path / "new")
    restored = open_worklist(url, LocalBlobs(tmp_path / "new" / "films"))
    same(worklist, restored)
    assert verify(restored.database).ok
    restored.audit.write("anna", "login")  # and it goes on from there
    assert restored.audit.verify().ok
    assert (tmp_path / "new" / "identity.key").read_bytes() == b"k" * 32
    restored.close()


def test_nobody_else_may_read_a_backup(worklist: Worklist, data: Path, tmp_path: Path) -> None:
    back_up(worklist.database, worklist.blobs, data, tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_a_second_backup_takes_what_is_new(
    worklist: Worklist, data: Path, tmp_path: Path, add: Callable[..., str]
) -> None:
    first = back_up(worklist.database, worklist.blobs, data, tmp_path / "backup")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "backup" / "films").rglob("*") if path.is_file()}
    add("one more")
    second = back_up(worklist.database, worklist.blobs, data, tmp_path / "backup")
    assert second.films == first.films + 1
    assert all(path.stat().st_mtime_ns == at for path, at in times.items())


def test_films_may_come_and_go_meanwhile(worklist: Worklist, data: Path, tmp_path: Path, new_film: MakeFilm) -> None:
    stop = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                study = worklist.studies.add([new_film(f"m{number}")], label="m", source="api", by="bob")
                if number % 2:
                    worklist.studies.delete([study.id], by="bob")
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(3):
            back_up(worklist.database, worklist.blobs, data, tmp_path / "backup")
    finally:
        stop.set()
        thread.join()
    assert errors == []
    restored = tmp_path / "new"
    url = f"sqlite:///{restored}/worklist.sqlite"
    summary = restore(tmp_path / "backup", url, LocalBlobs(restored / "films"), restored)
    assert summary.studies >= 6


@pytest.mark.parametrize("part", ["films", "worklist.sqlite", "bundles", "identity.key", "backup.json"])
def test_a_damaged_backup_is_not_restored(
    sqlite_worklist: Worklist, tmp_path: Path, new_film: MakeFilm, part: str
) -> None:
    data = tmp_path / "data"
    (data / "bundles").mkdir(parents=True)
    (data / "bundles" / "x.onnx").write_bytes(b"a bundle")
    (data / "identity.key").write_bytes(b"k" * 32)
    sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    back_up(sqlite_worklist.database, sqlite_worklist.blobs, data, tmp_path / "backup")
    spoilt = tmp_path / "backup" / part
    if spoilt.is_dir():
        spoilt = next(path for path in spoilt.rglob("*") if path.is_file())
    spoilt.write_bytes(spoilt.read_bytes()[:-3] + b"???")
    with pytest.raises(StorageError):
        check_backup(tmp_path / "backup")
    with pytest.raises(StorageError):
        restore(tmp_path / "backup", f"sqlite:///{tmp_path}/new.sqlite", LocalBlobs(tmp_path / "f"), tmp_path / "new")


def test_a_changed_row_is_not_restored_even_with_a_new_checksum(
    sqlite_worklist: Worklist, tmp_path: Path, new_film: MakeFilm
) -> None:
    sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    with sqlite_worklist.database.write() as connection:
        connection.execute(text("UPDATE reading SET probability = 0.1"))
    with pytest.raises(StorageError, match="audit log"):
        back_up(sqlite_worklist.database, sqlite_worklist.blobs, tmp_path / "data", tmp_path / "backup")


def test_nothing_is_written_over(sqlite_worklist: Worklist, tmp_path: Path, new_film: MakeFilm) -> None:
    sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError):
        back_up(sqlite_worklist.database, sqlite_worklist.blobs, tmp_path / "data", tmp_path / "mine")
    with pytest.raises(UsageError):
        check_backup(tmp_path / "mine")
    back_up(sqlite_worklist.database, sqlite_worklist.blobs, tmp_path / "data", tmp_path / "backup")
    url = sqlite_worklist.database.engine.url.render_as_string()
    with pytest.raises(UsageError):
        restore(tmp_path / "backup", url, sqlite_worklist.blobs, tmp_path / "data")


def test_a_backup_of_the_future_is_left_alone(sqlite_worklist: Worklist, tmp_path: Path, new_film: MakeFilm) -> None:
    sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    back_up(sqlite_worklist.database, sqlite_worklist.blobs, tmp_path / "data", tmp_path / "backup")
    path = tmp_path / "backup" / "backup.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"revision": "9999"}))
    with pytest.raises(UsageError):
        check_backup(tmp_path / "backup")


def test_a_backup_of_an_older_release_is_restored(
    sqlite_worklist: Worklist, tmp_path: Path, new_film: MakeFilm
) -> None:
    """One whose tables lack the steps after the second."""
    study = sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    back_up(sqlite_worklist.database, sqlite_worklist.blobs, tmp_path / "data", tmp_path / "backup")
    path = tmp_path / "backup" / "worklist.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        later = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'reader_study%'"
        for name in ["login_failure", *(row[0] for row in connection.execute(later).fetchall())]:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE worklist_version SET version_num = '0002'")
    manifest = tmp_path / "backup" / "backup.json"
    said = json.loads(manifest.read_text()) | {"revision": "0002"}
    said["database_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(said))
    url = f"sqlite:///{tmp_path}/new/worklist.sqlite"
    restore(tmp_path / "backup", url, LocalBlobs(tmp_path / "new" / "films"), tmp_path / "new")
    restored = open_worklist(url, LocalBlobs(tmp_path / "new" / "films"))
    assert restored.studies.get(study.id).label == "a"
    restored.close()
