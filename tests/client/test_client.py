"""The client against a real application, and against servers that misbehave."""

from __future__ import annotations

import json
import pickle
import zipfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import httpx
import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from pneumoscope import client as public
from pneumoscope.client import Busy, Client, Problem, Unreachable
from pneumoscope.errors import UnreadableFilm
from pneumoscope.model.reader import load
from pneumoscope.reports.json import to_dict
from pneumoscope.server.app import create_app, local_address
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Through(httpx.BaseTransport):
    """Takes requests to an application in this process."""

    def __init__(self, inside: TestClient) -> None:
        self._inside = inside

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inside.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers={name: value for name, value in request.headers.items() if name != "host"},
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@pytest.fixture
def room(tmp_path: Path, tiny_bundle: Path) -> Iterator[Client]:
    app = create_app(WebConfig(data=tmp_path / "room", model=str(tiny_bundle), workers=1))
    with (
        TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 50000)) as inside,
        Client(local_address(app, "http://127.0.0.1"), transport=Through(inside)) as client,
    ):
        yield client


@pytest.fixture
def film(tmp_path: Path) -> Callable[[int], Path]:
    def made(seed: int) -> Path:
        coarse = np.random.default_rng(seed).integers(0, 256, (8, 9), dtype=np.uint8)
        path = tmp_path / f"film {seed}.png"
        Image.fromarray(coarse).resize((90, 70), Image.Resampling.BICUBIC).save(path)
        return path

    return made


def _says(*answers: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """A client of a server that gives these answers, and what it was asked."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return left.pop(0) if len(left) > 1 else left[0]

    return Client(transport=httpx.MockTransport(answer), patience=0.5, token="t0ken"), asked  # noqa: S106 - of nobody


def test_a_reading_is_the_reading_of_the_command(room: Client, film: Callable[[int], Path], tiny_bundle: Path) -> None:
    reading = room.read(film(1), preset="balanced")
    wanted = load(tiny_bundle, preset="balanced").read(film(1), name="film 1.png")
    assert reading.document == to_dict(wanted)
    assert reading.finding is not None
    assert wanted.finding is not None
    assert (reading.finding.name, reading.finding.call) == ("pneumonia", wanted.finding.call)
    assert reading.pattern is not None
    assert reading.evidence is not None
    assert reading.probabilities == reading.document["probabilities"]
    assert room.read(film(1).read_bytes(), name="x.png", store=False).film.path == "x.png"


def test_a_refusal_is_no_error(room: Client) -> None:
    reading = room.read(b"words and no film", name="a.txt")
    assert reading.status == "refused"
    assert reading.refusal is not None
    assert reading.refusal.code == "unreadable"
    assert reading.finding is None


def test_the_worklist(room: Client, film: Callable[[int], Path], tmp_path: Path) -> None:
    sent = [room.send(film(number)) for number in range(3)]
    ids = [each.study for each in sent]
    assert [study.id for study in room.studies()] == ids[::-1]
    now = datetime.now(UTC)
    assert list(room.studies(since=now + timedelta(hours=1))) == []
    # By its whole id, for a random one may begin with any number that a film's name has.
    assert [study.label for study in room.studies(text=ids[2])] == ["film 2.png"]
    study = ids[0]
    assert study is not None
    detail = room.study(study)
    assert detail.readings[0].id == sent[0].reading_id
    assert detail.readings[0].reading == sent[0].reading
    again = room.read_again(study, preset="balanced")
    assert [each.preset for each in again] == ["balanced"]
    other = "bacterial" if detail.study.pattern == "viral" else "viral"
    verdict = room.verdict(study, "correct", corrected_to=other, comment="see the left base")
    assert (verdict.kind, verdict.corrected_to) == ("correct", other)
    assert room.note(study, "seen").note == "seen"
    assert b'"notice"' in room.report(study, "json")
    room.save_table(tmp_path / "list.json", order="newest", since=now - timedelta(hours=1))
    rows = json.loads((tmp_path / "list.json").read_text())
    assert [row["study"] for row in rows] == ids[::-1]
    assert rows[2]["verdict"] == verdict.kind
    room.save_table(tmp_path / "list.csv", text=ids[2])
    assert (tmp_path / "list.csv").read_text().count("\n") == 2
    with pytest.raises(Problem):
        room.save_table(tmp_path / "list.xls")
    assert not (tmp_path / "list.xls").exists()
    assert room.previous(study) == ()
    judged = room.verdict(study, "not-assessable", findings=["motion"])
    assert (judged.kind, judged.findings) == ("not-assessable", ("motion",))
    room.delete(study)
    with pytest.raises(Problem, match="no such study") as caught:
        room.study(study)
    assert (caught.value.status, caught.value.kind) == (404, "not-found")
    assert room.bundles()["in_use"] == "tiny"


def test_a_zip(room: Client, film: Callable[[int], Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        archive.write(film(1), "a/one.png")
        archive.writestr("two.png", b"broken")
    found = room.send_zip(tmp_path / "films.zip")
    assert [each.name for each in found] == ["one.png", "two.png"]
    statuses = [each.reading.status for each in found if each.reading is not None]
    assert statuses == ["read", "refused"]


def test_a_problem_says_what_and_what_to_do(room: Client, film: Callable[[int], Path]) -> None:
    with pytest.raises(Problem) as caught:
        room.read(film(1), preset="nix")
    assert caught.value.status == 400
    assert "nix" in str(caught.value)
    assert "balanced" in caught.value.remedy
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (copy.status, copy.kind, str(copy)) == (400, "usage", str(caught.value))


def test_a_path_that_is_not_there(room: Client, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFilm, match="cannot be read"):
        room.read(tmp_path / "nix.png")


def _reading() -> dict[str, Any]:
    return {
        "version": 2,
        "film": {"path": "a", "sha256": None, "format": None, "rows": None, "columns": None},
        "status": "refused",
        "refusal": {"code": "unreadable", "reason": "r", "remedy": "m"},
        "corrections": [],
        "forced": False,
        "warnings": [],
        "probabilities": None,
        "positive_classes": [],
        "finding": None,
        "pattern": None,
        "evidence": None,
        "model": None,
        "software": {"name": "pneumoscope", "version": "9"},
        "notice": "n",
    }


def test_it_waits_as_long_as_it_is_told_and_tries_again() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "busy", "code": "busy"})
    client, asked = _says(busy, busy, httpx.Response(200, json=_reading()))
    assert client.read(b"film").status == "refused"
    assert len(asked) == 3
    assert {request.headers["authorization"] for request in asked} == {"Bearer t0ken"}
    assert {bytes(request.content) for request in asked} == {b"film"}


def test_it_gives_up_when_the_queue_stays_full() -> None:
    client, asked = _says(httpx.Response(503, headers={"Retry-After": "30"}, json={"detail": "busy", "code": "busy"}))
    with pytest.raises(Busy, match="busy"):
        client.read(b"film")
    assert len(asked) == 1, "30 s are more than its patience"


def test_an_answer_that_is_no_problem_document() -> None:
    client, _ = _says(httpx.Response(502, text="<html>Bad gateway</html>"))
    with pytest.raises(Problem, match="502"):
        client.read(b"film")
    assert client.ready() is False


def test_nobody_there() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    client = Client("http://127.0.0.1:9", transport=httpx.MockTransport(refuse))
    with pytest.raises(Unreachable, match="does not answer"):
        client.bundles()
    assert client.ready() is False


def test_another_finding_and_fields_of_a_newer_server() -> None:
    found = {"probability": 0.9, "threshold": 0.5, "lower": None, "preset": "p", "call": "tuberculosis", "new": 1}
    newer = {**_reading(), "status": "read", "refusal": None, "finding": {"name": "tuberculosis", **found}, "later": 1}
    older = {key: value for key, value in newer.items() if key not in {"version", "forced", "finding", "later"}}
    del older["corrections"], older["positive_classes"]
    older |= {"mended": ["inverted"], "tuberculosis": found}
    for document in (newer, older):  # of version 2, and of a server before 0.4.0
        client, _ = _says(httpx.Response(200, json=document))
        reading = client.read(b"film")
        assert reading.finding is not None
        assert (reading.finding.name, reading.finding.call) == ("tuberculosis", "tuberculosis")
        assert reading.document == document
    assert reading.corrections == ({"kind": "invert"},)


def test_what_is_public_is_what_is_named() -> None:
    assert sorted(public.__all__) == public.__all__
    assert all(hasattr(public, name) for name in public.__all__)
