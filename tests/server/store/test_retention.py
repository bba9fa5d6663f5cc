from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from pneumoscope.errors import UsageError
from pneumoscope.server.store import tables
from pneumoscope.server.store.records import Query
from pneumoscope.server.store.retention import RetentionResult, apply_retention, delete_unreferenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.store.conftest import Clock, MakeFilm

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import Worklist


def test_old_studies_go_and_young_ones_stay(worklist: Worklist, add: Callable[..., str], clock: Clock) -> None:
    old = [add("a"), add("b")]
    clock.forward(days=10)
    edge = add("c")
    clock.forward(days=30)
    young = add("d")
    lead = worklist.studies.get(old[0]).lead
    assert apply_retention(worklist, 30) == RetentionResult(studies=2, blobs=0, unfinished=0, sessions=0)
    assert {row.id for row in worklist.studies.page(Query()).items} == {edge, young}
    assert not worklist.blobs.has(lead)
    lines = worklist.audit.page(action="study.delete").items
    assert {(line.actor, line.target) for line in lines} == {("retention", f"study:{ident}") for ident in old}
    clock.forward(microseconds=1)
    assert apply_retention(worklist, 30).studies == 1
    assert worklist.audit.verify().ok


def test_0_days_are_for_ever(worklist: Worklist, add: Callable[..., str], clock: Clock) -> None:
    ident = add("a")
    clock.forward(days=10_000)
    assert apply_retention(worklist, 0) == RetentionResult(0, 0, 0, 0)
    assert worklist.studies.get(ident).id == ident
    with pytest.raises(UsageError):
        apply_retention(worklist, -1)


def test_bytes_without_a_film_go_when_they_are_old(
    worklist: Worklist, add: Callable[..., str], blobs: LocalBlobs, clock: Clock
) -> None:
    ident = add("a")
    lead = worklist.studies.film(worklist.studies.get(ident).lead).blob
    old, young = blobs.put(b"old"), blobs.put(b"young")
    part = blobs.folder / old[:2] / old[2:4] / f".{old}.x.part"
    part.write_bytes(b"half")
    for path in (blobs.folder / old[:2] / old[2:4] / old, blobs.folder / lead[:2] / lead[2:4] / lead, part):
        os.utime(path, (time.time() - 7200,) * 2)
    assert apply_retention(worklist, 0) == RetentionResult(studies=0, blobs=1, unfinished=1, sessions=0)
    assert (blobs.has(old), blobs.has(young), blobs.has(lead)) == (False, True, True)
    assert delete_unreferenced(worklist, older_than=-1) == 1
    assert blobs.has(lead)
    with worklist.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.unreferenced_blob)).scalar() == 2
    clock.forward(days=2)
    apply_retention(worklist, 0)
    with worklist.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(tables.unreferenced_blob)).scalar() == 0


def test_ended_sessions_and_old_news_go(worklist: Worklist, add: Callable[..., str], clock: Clock) -> None:
    worklist.users.create_first("anna", "hash", by="setup")
    worklist.sessions.start("a" * 64, user="anna", csrf="", expires=clock.at + timedelta(hours=1))
    ident = add("a")
    worklist.studies.delete([ident], by="anna")
    clock.forward(days=8)
    assert worklist.studies.changes_since(0)[1] == (ident,)
    assert apply_retention(worklist, 0).sessions == 1
    latest, ids = worklist.studies.changes_since(0)
    assert ids == ()
    assert latest > 0


def test_the_vacuum_does_not_take_from_under_a_film_that_comes(
    worklist: Worklist, new_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes were there without a film; a film of them is being added just when they are taken away."""
    film = new_film("a")
    address = worklist.blobs.put(film.kept)
    put = worklist.blobs.put

    def put_and_vacuum(data: bytes) -> str:
        monkeypatch.undo()
        assert put(data) == address
        assert delete_unreferenced(worklist, older_than=-1) == 1
        return address

    monkeypatch.setattr(worklist.blobs, "put", put_and_vacuum)
    worklist.studies.add([film], label="", source="web", by="anna")
    assert worklist.studies.kept(film.sha256) == film.kept
