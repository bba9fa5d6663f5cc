"""A program that is killed in the middle of keeping a film leaves nothing half-stored, and the next one goes on."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.store.records import Query
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from tests.server.store.conftest import MakeFilm

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import Worklist

# Keeps one film, and stops at a place of its choice until it is killed.
KEEP = """
import hashlib, os, sys, time
from pneumoscope.server.store import adding, studies
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.worklist import open_worklist
from pneumoscope.server.store.records import NewFilm, NewReading, Query

url, folder, place = sys.argv[1:]
worklist = open_worklist(url, LocalBlobs(folder))

def stop(*_, **__):
    print("here", flush=True)
    time.sleep(600)

data = b"film" * 500_000
if place == "half written":
    fsync = os.fsync
    def half(handle):
        os.ftruncate(handle, 1_000_000)
        stop()
    os.fsync = half
elif place == "bytes written":
    adding.insert_films = stop
elif place == "rows written":
    studies.append_entry = stop
document = {"status": "refused", "refusal": {"code": "blurred", "reason": "", "remedy": ""}}
film = NewFilm(hashlib.sha256(data).hexdigest(), data, "film", (NewReading(document),))
worklist.studies.add([film], label="", source="web", by="killed")
if place == "told":
    stop()
if place == "deleting":
    studies.collect_garbage = stop
    worklist.studies.delete([row.id for row in worklist.studies.page(Query()).items], by="killed")
"""
DATA = b"film" * 500_000
SHA256 = hashlib.sha256(DATA).hexdigest()


def keep_and_kill(url: str, blobs: LocalBlobs, place: str) -> None:
    line = [sys.executable, "-c", KEEP, url, str(blobs.folder), place]
    worker = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    try:
        assert worker.stdout.readline() == "here\n"
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(30)
        worker.stdout.close()


@pytest.mark.parametrize("place", ["half written", "bytes written", "rows written"])
def test_what_was_not_finished_is_not_there(store_url: str, blobs: LocalBlobs, place: str, new_film: MakeFilm) -> None:
    keep_and_kill(store_url, blobs, place)
    worklist = open_worklist(store_url, blobs)
    assert worklist.studies.of_film(SHA256) is None
    assert set(worklist.numbers.totals().values()) == {0}
    assert blobs.has(SHA256) == (place != "half written")
    if blobs.has(SHA256):
        assert blobs.get(SHA256) == DATA  # whole, and refers to nothing: the vacuum takes it when it is old
    assert len(_files(blobs)) == 1
    assert blobs.sweep(0) == (place == "half written")
    # The next one goes on as if nothing had happened.
    film = new_film("a")
    worklist.studies.add([film], label="", source="web", by="anna")
    assert worklist.studies.kept(film.sha256) == film.kept
    assert worklist.audit.verify().ok
    _vacuumed(worklist, blobs)
    worklist.close()


def test_what_was_told_to_be_kept_is_kept(store_url: str, blobs: LocalBlobs) -> None:
    keep_and_kill(store_url, blobs, "told")
    worklist = open_worklist(store_url, blobs)
    assert worklist.studies.kept(SHA256) == DATA
    assert worklist.audit.verify().entries == 1
    worklist.close()


def test_a_deletion_is_finished_by_the_next_one(store_url: str, blobs: LocalBlobs) -> None:
    keep_and_kill(store_url, blobs, "deleting")
    assert blobs.has(SHA256)
    worklist = open_worklist(store_url, blobs)
    assert worklist.studies.count(Query()) == 0
    assert not blobs.has(SHA256)
    worklist.close()


def _files(blobs: LocalBlobs) -> list[str]:
    return [path.name for path in blobs.folder.rglob("*") if path.is_file()]


def _vacuumed(worklist: Worklist, blobs: LocalBlobs) -> None:
    from pneumoscope.server.store.retention import delete_unreferenced

    delete_unreferenced(worklist, older_than=-1)
    assert len(_files(blobs)) == 1
    assert not blobs.has(SHA256)
