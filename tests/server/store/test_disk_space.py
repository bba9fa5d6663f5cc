"""A disk that fills up: films are refused while there is still room to delete, and what failed leaves nothing."""

from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import StorageFull
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.store.conftest import MakeFilm, MakeReading

    from pneumoscope.server.store.blobs import LocalBlobs
    from pneumoscope.server.store.worklist import Worklist


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how much room the disk has."""

    def say(room: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, used=0, free=room))

    return say


def test_below_the_reserve_films_are_refused_and_deletion_works(
    tmp_path: Path, blobs: LocalBlobs, new_film: MakeFilm, new_reading: MakeReading, free: Callable[[int], None]
) -> None:
    store = open_worklist(f"sqlite:///{tmp_path / 'w.db'}", blobs, reserve=1_000_000)
    free(2_000_000)
    study = store.studies.add([new_film("a")], label="a", source="api", by="bob")
    free(999_999)
    assert store.disk.free_bytes() == 999_999
    with pytest.raises(StorageFull):
        store.studies.add([new_film("b")], label="b", source="api", by="bob")
    with pytest.raises(StorageFull):
        store.studies.add_reading(study.id, new_film("a").sha256, new_reading(0.1), by="bob")
    assert len(list(blobs.addresses())) == 1
    store.verdicts.give(study.id, "agree", by="bob")
    assert store.studies.delete([study.id], by="bob") == 1
    assert list(blobs.addresses()) == []
    store.close()


def test_without_a_reserve_nothing_is_asked(
    sqlite_worklist: Worklist, new_film: MakeFilm, free: Callable[[int], None]
) -> None:
    free(0)
    sqlite_worklist.studies.add([new_film("a")], label="a", source="api", by="bob")


def test_bytes_of_a_film_that_could_not_be_added_are_taken_away(
    worklist: Worklist, blobs: LocalBlobs, new_film: MakeFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = worklist.studies.add([new_film("a")], label="a", source="api", by="bob")
    with monkeypatch.context() as patched:
        patched.setattr("pneumoscope.server.store.adding.insert_films", _fail)
        with pytest.raises(OSError, match="no space"):
            worklist.studies.add([new_film("a"), new_film("b")], label="b", source="api", by="bob")
    assert len(list(blobs.addresses())) == 1
    assert worklist.studies.kept(worklist.studies.detail(kept.id).films[0].sha256)
    worklist.studies.add([new_film("b")], label="b", source="api", by="bob")
    assert len(list(blobs.addresses())) == 2


def _fail(*_: object, **__: object) -> None:
    raise OSError(28, "no space left on device")
