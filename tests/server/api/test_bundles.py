"""Bundles over HTTP: listed, looked at, imported, put in use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pneumoscope.model.bundle import read_bundle, shipped_bundles, write_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.config import WebConfig


@pytest.fixture
def other(tiny_graph: bytes, tiny_meta: BundleMeta, tmp_path: Path) -> bytes:
    path = tmp_path / "other.onnx"
    write_bundle(path, tiny_graph, replace(tiny_meta, name="ward 7/other", version="2"))
    return path.read_bytes()


def test_listed(asked: TestClient) -> None:
    found = asked.get("/api/v1/bundles").json()
    assert [each["name"] for each in found["items"]] == [*shipped_bundles(), "tiny"]
    assert [each["name"] for each in found["items"] if each["in_use"]] == ["tiny"] == [found["in_use"]]
    assert found["items"][0]["presets"] == ["balanced", "screening", "three-way"]


def test_looked_at(asked: TestClient) -> None:
    meta = asked.get("/api/v1/bundles/standard").json()
    assert meta["shipped"] is True
    assert meta["operating_points"][0]["sensitivity"]["n"] > 0
    assert [each["name"] for each in meta["classes"]] == ["normal", "bacterial", "viral"]
    figures = asked.get("/api/v1/bundles/standard/figures").json()
    assert 0.5 < figures["figures"]["AUC"]["value"] <= 1
    assert figures["figures_on"]
    assert asked.get("/api/v1/bundles/nix").status_code == 404
    assert asked.get("/api/v1/bundles/nix/figures").status_code == 404


def test_imported_put_in_use_and_read_with(
    asked: TestClient, other: bytes, picture: Callable[..., bytes], room_config: WebConfig
) -> None:
    added = asked.post("/api/v1/bundles", content=other)
    assert added.status_code == 201
    assert (added.json()["name"], added.json()["shipped"]) == ("ward-7-other", False)
    assert asked.post("/api/v1/bundles", content=other).json() == added.json(), "again is no error"
    assert asked.put("/api/v1/bundles/in-use", json={"name": "ward-7-other"}).json()["in_use"] is True
    reading = asked.post("/api/v1/read", content=picture(1)).json()
    assert reading["model"] == {"name": "ward 7/other", "version": "2", "sha256": added.json()["sha256"]}
    stored = list((room_config.data / "bundles").iterdir())
    assert [path.name for path in stored] == [f"{added.json()['sha256']}.onnx"]
    actions = [each["action"] for each in asked.get("/api/v1/audit").json()["items"]]
    assert "bundle.use" in actions


def test_a_changed_bundle_of_a_shipped_name_gets_its_version_behind_it(
    asked: TestClient, tiny_graph: bytes, tiny_meta: BundleMeta, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "x.onnx", tiny_graph, replace(tiny_meta, name="standard", version="9"))
    added = asked.post("/api/v1/bundles", content=(tmp_path / "x.onnx").read_bytes())
    assert added.json()["name"] == "standard-9"
    assert (
        asked.get("/api/v1/bundles/standard").json()["version"] == read_bundle(shipped_bundles()["standard"])[1].version
    )


@pytest.mark.parametrize("how", ["no bundle", "cut", "flipped", "empty", "graph"])
def test_what_is_no_sound_bundle_is_not_taken(
    asked: TestClient, other: bytes, how: str, room_config: WebConfig, tiny_meta: BundleMeta, tmp_path: Path
) -> None:
    flipped = bytearray(other)
    flipped[100] ^= 1
    write_bundle(tmp_path / "bad.onnx", b"\x08\x09", replace(tiny_meta, name="bad"))
    content = {
        "no bundle": b"some other file",
        "cut": other[:-40],
        "flipped": bytes(flipped),
        "empty": b"",
        "graph": (tmp_path / "bad.onnx").read_bytes(),
    }[how]
    answer = asked.post("/api/v1/bundles", content=content)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(room_config.data) not in answer.text
    assert not list((room_config.data / "bundles").glob("*"))
    assert len(asked.get("/api/v1/bundles").json()["items"]) == len(shipped_bundles()) + 1


def test_another_bundle_of_the_same_name_is_not_taken(
    asked: TestClient, other: bytes, tiny_graph: bytes, tiny_meta: BundleMeta, tmp_path: Path
) -> None:
    assert asked.post("/api/v1/bundles", content=other).status_code == 201
    write_bundle(tmp_path / "x.onnx", tiny_graph, replace(tiny_meta, name="ward 7/other", version="3"))
    answer = asked.post("/api/v1/bundles", content=(tmp_path / "x.onnx").read_bytes())
    assert (answer.status_code, answer.json()["code"]) == (409, "taken")


def test_put_in_use_what_is_not_there(asked: TestClient) -> None:
    assert asked.put("/api/v1/bundles/in-use", json={"name": "nix"}).status_code == 400
    assert asked.put("/api/v1/bundles/in-use", json={}).status_code == 422


def test_the_name_of_an_imported_bundle_is_bounded(
    asked: TestClient, tiny_graph: bytes, tiny_meta: BundleMeta, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    write_bundle(other, tiny_graph, replace(tiny_meta, name="n" * 5000, version="2"))
    added = asked.post("/api/v1/bundles", content=other.read_bytes())
    assert added.status_code == 201
    assert len(added.json()["name"]) <= 64
