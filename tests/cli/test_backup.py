"""``pneumoscope backup`` and ``pneumoscope restore``, beside a store that is in use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sqlalchemy")

from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.records import NewFilm, NewReading, Query
from pneumoscope.server.store.worklist import open_worklist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ran

    Run = Callable[..., Ran]

DOCUMENT = {"status": "refused", "refusal": {"code": "blurred", "reason": "", "remedy": ""}}


def test_a_data_folder_is_backed_up_and_restored_elsewhere(run: Run, tmp_path: Path) -> None:
    here, there, backup = tmp_path / "here", tmp_path / "there", tmp_path / "backup"
    store = open_worklist(f"sqlite:///{here / 'worklist.sqlite'}", LocalBlobs(here / "films"))
    data = b"the bytes of a film"
    film = NewFilm(hashlib.sha256(data).hexdigest(), data, "film", (NewReading(DOCUMENT),))
    study = store.studies.add([film], label="film", source="api", by="anna")

    ran = run("backup", backup, "--data", here)
    assert ran.code == 0
    assert "1 studies, 1 films" in ran.out
    store.close()

    assert run("restore", backup, "--data", there).code == 0
    restored = open_worklist(f"sqlite:///{there / 'worklist.sqlite'}", LocalBlobs(there / "films"))
    assert [row.id for row in restored.studies.page(Query()).items] == [study.id]
    assert restored.studies.kept(film.sha256) == data
    restored.close()
    assert run("log", "verify", "--data", there).code == 0

    again = run("restore", backup, "--data", there)
    assert again.code == 2
    assert again.err.count("\n") == 1
    assert run("restore", tmp_path / "nothing", "--data", tmp_path / "new").code == 2
    assert run("backup", backup, "--data", tmp_path / "nowhere").code == 2
    (backup / "worklist.sqlite").write_bytes(b"broken")
    assert run("restore", backup, "--data", tmp_path / "new").code == 5
