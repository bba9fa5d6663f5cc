"""A moved data folder, a full disk, a data folder that was open, and the worklist as a table."""

from __future__ import annotations

import csv
import io
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from pneumoscope.model.bundle import write_bundle
from pneumoscope.server.app import create_app
from pneumoscope.server.config import WebConfig
from pneumoscope.server.data_folder import local_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pneumoscope.model.schema import BundleMeta


@contextmanager
def client(data: Path, model: Path, **settings: Any) -> Iterator[TestClient]:
    """A server of a data folder, asked by the local person."""
    app = create_app(WebConfig(data=data, model=str(model), workers=1, **settings))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as asked:
        asked.headers["Authorization"] = f"Bearer {local_token(data)}"
        yield asked


def png(seed: int = 1) -> bytes:
    import numpy as np
    from PIL import Image

    out = io.BytesIO()
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
    Image.fromarray(coarse).resize((90, 70), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def test_a_moved_data_folder_reads_on_with_an_imported_bundle(
    tmp_path: Path, tiny_bundle: Path, tiny_graph: bytes, tiny_meta: BundleMeta
) -> None:
    write_bundle(tmp_path / "ours.onnx", tiny_graph, replace(tiny_meta, name="ours"))
    with client(tmp_path / "here", tiny_bundle) as asked:
        added = asked.post("/api/v1/bundles", content=(tmp_path / "ours.onnx").read_bytes())
        assert added.status_code == 201
        assert asked.put("/api/v1/bundles/in-use", json={"name": added.json()["name"]}).status_code == 200
    shutil.move(tmp_path / "here", tmp_path / "there")
    with client(tmp_path / "there", tiny_bundle) as asked:
        assert asked.post("/api/v1/read", content=png()).json()["model"]["name"] == "ours"
    for path in (tmp_path / "there" / "bundles").iterdir():
        path.rename(tmp_path / "put aside")
    with client(tmp_path / "there", tiny_bundle) as asked:
        assert asked.post("/api/v1/read", content=png(2)).json()["model"]["name"] == "tiny"
        ready = asked.get("/readyz")
        assert ready.status_code == 200
        assert "ours" in ready.json()["alarm"]
        (tmp_path / "put aside").rename(tmp_path / "there" / "bundles" / f"{added.json()['sha256']}.onnx")
        assert "alarm" not in asked.get("/readyz").json()
        assert asked.post("/api/v1/read", content=png(3)).json()["model"]["name"] == "ours"


def test_on_a_full_disk_films_are_refused_and_studies_deleted(
    tmp_path: Path, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(tmp_path / "room", tiny_bundle) as asked:
        study = asked.post("/api/v1/read", content=png()).headers["location"]
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, used=0, free=100 * 2**20))
        answer = asked.post("/api/v1/read", content=png(2))
        assert (answer.status_code, answer.json()["code"]) == (507, "disk-full")
        assert asked.post("/api/v1/read?store=false", content=png(2)).status_code == 200
        ready = asked.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "disk-full")
        assert "pneumoscope_disk_free_bytes 1.048576e+08" in asked.get("/metrics").text
        assert asked.delete(study).status_code == 204


def test_a_data_folder_that_was_open_is_closed(tmp_path: Path, tiny_bundle: Path) -> None:
    room = tmp_path / "room"
    (room / "films").mkdir(parents=True)
    room.chmod(0o755)
    (room / "films").chmod(0o755)
    films = tmp_path / "elsewhere"
    films.mkdir(mode=0o755)
    with client(room, tiny_bundle, films=f"file:{films}") as asked:
        assert asked.post("/api/v1/read", content=png()).status_code == 200
    for folder in (room, room / "films", films):
        assert folder.stat().st_mode & 0o077 == 0


def test_the_worklist_as_a_table(tmp_path: Path, tiny_bundle: Path) -> None:
    with client(tmp_path / "room", tiny_bundle) as asked:
        asked.post("/api/v1/read?name==1%2B1.png", content=png())
        asked.post("/api/v1/read?name=b.txt", content=b"no film")
        answer = asked.get("/api/v1/studies/table?format=csv")
        assert answer.headers["content-type"].startswith("text/csv")
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["status"] for row in rows] == ["refused", "read"]
        assert rows[1]["label"] == "'=1+1.png"
        assert len(asked.get("/api/v1/studies/table?format=json&status=read").json()) == 1
        assert asked.get("/api/v1/studies/table?format=xls").status_code == 422
        page = asked.get("/worklist?call=refused")
        assert "/worklist/table.csv?call=refused" in page.text
        assert len(asked.get("/worklist/table.json?call=refused").json()) == 1


def test_an_update_of_the_package_does_not_change_what_reads(
    tmp_path: Path, tiny_graph: bytes, tiny_meta: BundleMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped.onnx"
    monkeypatch.setattr("pneumoscope.server.engine.bundles.shipped_bundles", lambda: {"standard": shipped})
    write_bundle(shipped, tiny_graph, replace(tiny_meta, name="standard", version="1"))
    with client(tmp_path / "room", Path("standard")) as asked:
        assert asked.post("/api/v1/read", content=png()).json()["model"]["version"] == "1"
    write_bundle(shipped, tiny_graph, replace(tiny_meta, name="standard", version="2"))
    for seed in (2, 3):  # also after another start
        with client(tmp_path / "room", Path("standard")) as asked:
            assert asked.post("/api/v1/read", content=png(seed)).json()["model"]["version"] == "1"
            in_use = asked.get("/api/v1/bundles").json()["in_use"]
            assert in_use.startswith("standard-1")
    with client(tmp_path / "room", Path("standard")) as asked:
        assert asked.put("/api/v1/bundles/in-use", json={"name": "standard"}).status_code == 200
        assert asked.post("/api/v1/read", content=png(4)).json()["model"]["version"] == "2"
        log = asked.app.state.context.worklist.audit.page(action="bundle.use").items  # type: ignore[attr-defined]
        assert [(entry.actor, entry.target) for entry in log] == [
            ("local", "bundle:standard"),
            ("update", f"bundle:{in_use}"),
        ]
