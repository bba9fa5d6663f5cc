"""Threads and processes at one store: one study for one film, and a log without forks."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pneumoscope.server.store.records import Query
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from tests.server.store.conftest import Clock, MakeFilm

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import Worklist

ADD = """
import hashlib, sys
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.worklist import open_worklist
from pneumoscope.server.store.records import NewFilm, NewReading

url, folder = sys.argv[1:]
document = {"status": "refused", "refusal": {"code": "blurred", "reason": "", "remedy": ""}, "model": None}
worklist = open_worklist(url, LocalBlobs(folder))
print("ready", flush=True)
sys.stdin.readline()
for number in range(8):
    data = b"film %d" % number
    film = NewFilm(hashlib.sha256(data).hexdigest(), data, "film", (NewReading(dict(document, pattern=None)),))
    print(worklist.studies.add([film], label="", source="web", by="process").id)
    worklist.audit.write("process", "look", "")
worklist.close()
"""


def test_threads_that_add_the_same_film_make_one_study(worklist: Worklist, new_film: MakeFilm) -> None:
    films = [new_film(f"film {number}") for number in range(5)]
    gate = threading.Barrier(6)

    def add(_: int) -> list[str]:
        gate.wait(20)
        return [worklist.studies.add([film], label="x", source="web", by="anna").id for film in films]

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(add, range(6)))
    assert all(ids == found[0] for ids in found)
    assert worklist.numbers.totals() == {
        "studies": 5,
        "films": 5,
        "readings": 5,
        "verdicts": 0,
        "bytes": sum(len(film.kept) for film in films),
    }
    check = worklist.audit.verify()
    assert (check.ok, check.entries) == (True, 5)


def test_processes_that_add_the_same_films_make_one_study_each(
    store_url: str, worklist: Worklist, blobs: LocalBlobs
) -> None:
    line = [sys.executable, "-c", ADD, store_url, str(blobs.folder)]
    workers = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [worker.communicate(timeout=120)[0].split() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert len(told[0]) == 8
    assert told[0] == told[1] == told[2]
    assert worklist.studies.count(Query()) == 8
    check = worklist.audit.verify()
    assert (check.ok, check.entries) == (True, 8 + 3 * 8)


def test_the_log_is_sound_while_it_is_written(worklist: Worklist) -> None:
    done = threading.Event()
    seen: list[bool] = []

    def watch() -> None:
        while not done.is_set():
            seen.append(worklist.audit.verify().ok)

    def write(name: int) -> None:
        for number in range(15):
            worklist.audit.write(f"thread {name}", "look", number=number)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    done.set()
    watcher.join()
    assert seen
    assert all(seen)
    assert worklist.audit.verify().entries == 60


def test_numbers_of_changes_come_in_the_order_of_the_commits(worklist: Worklist, new_film: MakeFilm) -> None:
    """Whoever asks what changed since the last answer misses nothing."""
    done = threading.Event()
    told: set[str] = set()

    def watch() -> None:
        latest = 0
        while True:
            last = done.is_set()
            latest, ids = worklist.studies.changes_since(latest)
            told.update(ids)
            if last:
                return

    def add(name: int) -> list[str]:
        films = [new_film(f"{name} {number}") for number in range(6)]
        return [worklist.studies.add([film], label="", source="web", by="anna").id for film in films]

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(4) as pool:
        added = {ident for ids in pool.map(add, range(4)) for ident in ids}
    done.set()
    watcher.join()
    assert told == added


def test_a_first_user_is_one(worklist: Worklist) -> None:
    from pneumoscope.errors import Conflict

    gate = threading.Barrier(4)

    def begin(number: int) -> int:
        gate.wait(20)
        try:
            worklist.users.create_first(f"user {number}", "hash", by="setup")
        except Conflict:
            return 0
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(begin, range(4))) == 1


def test_films_that_come_while_they_are_deleted_keep_their_bytes(worklist: Worklist, new_film: MakeFilm) -> None:
    """Whatever the order of adding and deleting is, a film that is there has its bytes."""
    films = [new_film(f"film {number}") for number in range(3)]
    done = threading.Event()

    def clear() -> None:
        while not done.is_set():
            ids = [row.id for row in worklist.studies.page(Query()).items]
            worklist.studies.delete(ids, by="bob")

    def add(_: int) -> None:
        for _ in range(8):
            for film in films:
                worklist.studies.add([film], label="", source="web", by="anna")

    clearer = threading.Thread(target=clear)
    clearer.start()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, range(3)))
    done.set()
    clearer.join()
    for row in worklist.studies.page(Query()).items:
        assert worklist.studies.kept(row.lead)
    ids = [worklist.studies.add([film], label="", source="web", by="anna").lead for film in films]
    assert [worklist.studies.kept(sha256) for sha256 in ids] == [film.kept for film in films]
    assert worklist.audit.verify().ok


def test_bytes_deleted_between_put_and_commit_are_put_again(
    worklist: Worklist, new_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = new_film("a")
    first = worklist.studies.add([film], label="", source="web", by="anna")
    put = worklist.blobs.put

    def put_and_lose(data: bytes) -> str:
        monkeypatch.undo()
        address = put(data)
        worklist.studies.delete([first.id], by="bob")
        assert not worklist.blobs.has(address)
        return address

    monkeypatch.setattr(worklist.blobs, "put", put_and_lose)
    again = worklist.studies.add([film], label="", source="web", by="anna")
    assert again.id != first.id
    assert worklist.studies.kept(film.sha256) == film.kept


def test_two_stores_at_one_database_see_each_other(
    store_url: str, worklist: Worklist, add: Callable[..., str], blobs: LocalBlobs, clock: Clock
) -> None:
    other = open_worklist(store_url, blobs, clock=clock)
    ident = add("a")
    assert other.studies.get(ident).id == ident
    other.verdicts.give(ident, "agree", by="bob")
    assert worklist.studies.get(ident).verdict == "agree"
    other.close()
