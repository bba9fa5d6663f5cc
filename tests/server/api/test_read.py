"""Films in, readings out, over HTTP."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import jsonschema  # type: ignore[import-untyped]
import pytest

from pneumoscope.model.reader import load
from pneumoscope.reports.json import schema, to_dict
from pneumoscope.server.auth.state import auth_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.context import Context


def _files(*films: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("film", (name, data, "application/octet-stream")) for name, data in films]


def test_one_film_gives_the_reading_of_the_command(
    asked: TestClient, picture: Callable[..., bytes], tiny_bundle: Path
) -> None:
    data = picture(1)
    answer = asked.post("/api/v1/read?name=films/one.jpeg", content=data)
    assert answer.status_code == 200
    jsonschema.validate(answer.json(), schema())
    assert answer.json() == to_dict(load(tiny_bundle).read(data, name="one.jpeg"))
    study = asked.get(answer.headers["location"]).json()
    assert study["study"]["label"] == "one.jpeg"
    assert study["study"]["source"] == "api"
    assert [each["id"] for each in study["readings"]] == [answer.headers["x-pneumoscope-reading"]]
    assert study["readings"][0]["reading"] == answer.json()
    assert "read;dur=" in answer.headers["server-timing"]


def test_the_same_bytes_again_are_the_same_study(
    asked: TestClient, picture: Callable[..., bytes], inside: Context
) -> None:
    first, again = (asked.post(f"/api/v1/read?name={name}", content=picture(2)) for name in ("a.jpg", "b.jpg"))
    assert first.headers["location"] == again.headers["location"]
    assert first.headers["x-pneumoscope-reading"] == again.headers["x-pneumoscope-reading"]
    assert first.json() == again.json()
    assert inside.metrics.registry.get_sample_value("pneumoscope_reading_seconds_count") == 1.0


def test_another_preset_is_another_reading_of_the_same_study(asked: TestClient, picture: Callable[..., bytes]) -> None:
    answers = [
        asked.post("/api/v1/read", content=picture(3), params=params)
        for params in ({}, {"preset": "balanced"}, {"coverage": 0.95}, {"preset": "screening"}, {"mend": "false"})
    ]
    assert [each.status_code for each in answers] == [200] * 5
    assert len({each.headers["location"] for each in answers}) == 1
    ids = [each.headers["x-pneumoscope-reading"] for each in answers]
    assert ids[3] == ids[0], "screening is the bundle's own preset"
    assert len(set(ids)) == 4
    assert [each.json()["finding"]["preset"] for each in answers[:2]] == ["screening", "balanced"]
    assert answers[2].json()["pattern"]["coverage"] == 0.95


def test_store_false_keeps_nothing(asked: TestClient, picture: Callable[..., bytes], room_config: WebConfig) -> None:
    answer = asked.post("/api/v1/read?store=false", content=picture(4))
    assert answer.json()["status"] == "read"
    assert "location" not in answer.headers
    assert asked.get("/api/v1/studies").json()["items"] == []
    assert not [path for path in (room_config.data / "films").rglob("*") if path.is_file()]


def test_a_form_gives_one_reading_a_film_in_order(asked: TestClient, picture: Callable[..., bytes]) -> None:
    films = [(f"folder/{number}.png", picture(number, "PNG")) for number in range(7)]
    readings = asked.post("/api/v1/read", files=_files(*films)).json()["readings"]
    assert [each["name"] for each in readings] == [f"{number}.png" for number in range(7)]
    assert len({each["study"] for each in readings}) == 7
    for each, (_, data) in zip(readings, films, strict=True):
        alone = asked.post("/api/v1/read", content=data)
        assert alone.headers["x-pneumoscope-reading"] == each["reading_id"], "the same film is the same reading"
        assert alone.json() == each["reading"]


def test_lines_come_one_a_film(asked: TestClient, picture: Callable[..., bytes]) -> None:
    films = _files(*((f"{number}.jpg", picture(number)) for number in range(3)))
    answer = asked.post("/api/v1/read", files=films, headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["name"] for line in lines] == ["0.jpg", "1.jpg", "2.jpg"]
    assert all(line["reading"]["status"] == "read" for line in lines)


@pytest.mark.parametrize("as_form", [False, True])
def test_a_zip_gives_its_films(asked: TestClient, picture: Callable[..., bytes], *, as_form: bool) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.jpeg", picture(1))
        archive.writestr("__MACOSX/a/._one.jpeg", b"junk")
        archive.writestr("readme.txt", "no film")
        archive.writestr("../../two.png", picture(2, "PNG"))
        archive.writestr("three.jpg", picture(3)[:200])
    if as_form:
        answer = asked.post("/api/v1/read", files=_files(("films.zip", file.getvalue())))
    else:
        answer = asked.post("/api/v1/read", content=file.getvalue(), headers={"Accept": "application/x-ndjson"})
    readings = answer.json()["readings"] if as_form else [json.loads(line) for line in answer.text.splitlines()]
    assert [(each["name"], each["reading"]["status"]) for each in readings] == [
        ("one.jpeg", "read"),
        ("two.png", "read"),
        ("three.jpg", "refused"),
    ]


def test_what_is_no_film_is_refused_and_not_kept(asked: TestClient, room_config: WebConfig, inside: Context) -> None:
    secret = b"name,born\nJane Roe,2019-03-01\n" * 20
    answer = asked.post("/api/v1/read?name=patients.csv", content=secret)
    assert answer.status_code == 200, "a refusal is a reading, not an error"
    assert answer.json()["refusal"]["code"] == "unreadable"
    assert answer.json()["probabilities"] is None
    detail = asked.get(answer.headers["location"]).json()
    assert detail["study"]["status"] == "refused"
    assert detail["films"][0]["kept"] is False
    for path in room_config.data.rglob("*"):
        assert not path.is_file() or b"Jane Roe" not in path.read_bytes(), path
    film = detail["films"][0]["sha256"]
    assert asked.get(f"/api/v1/films/{film}/thumbnail").status_code == 404
    assert asked.get(f"/api/v1/films/{film}/picture").status_code == 404
    assert asked.post(f"{answer.headers['location']}/readings?preset=balanced").status_code == 409
    value = inside.metrics.registry.get_sample_value("pneumoscope_refusals_total", {"code": "unreadable"})
    assert value == 1.0


def test_the_gate_refuses_with_a_code(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, picture: Callable[..., bytes]
) -> None:
    room = open_room(replace(room_config, model="standard"))
    refused = room.post("/api/v1/read", content=picture(5, size=(300, 300))).json()
    assert refused["status"] == "refused"
    assert refused["refusal"]["code"] not in ("unreadable", "unsupported")
    assert refused["finding"] is None
    forced = room.post("/api/v1/read?force=true", content=picture(5, size=(300, 300))).json()
    assert forced["status"] == "read"
    assert forced["forced"] is True


@pytest.mark.parametrize(
    ("query", "content", "status", "code"),
    [
        ("bundle=nix", b"x", 400, "usage"),
        ("bundle=/etc/passwd", b"x", 400, "usage"),
        ("preset=nix", b"x", 400, "usage"),
        ("coverage=0.5", b"x", 400, "usage"),
        ("coverage=2", b"x", 422, "invalid"),
        ("mend=perhaps", b"x", 422, "invalid"),
        ("", b"", 400, "usage"),
        ("", b"PK\x05\x06" + bytes(18), 422, "bad-zip"),
        ("", b"PK\x03\x04 and no more", 422, "bad-zip"),
    ],
)
def test_what_makes_no_sense_is_a_problem(
    asked: TestClient, room_config: WebConfig, query: str, content: bytes, status: int, code: str
) -> None:
    answer = asked.post(f"/api/v1/read?{query}", content=content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert str(room_config.data) not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_damaged_form_is_a_problem(asked: TestClient, kind: str) -> None:
    answer = asked.post("/api/v1/read", content=b"--y\r\nnothing", headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (400, "usage")


def test_too_many_films_are_refused_together(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, picture: Callable[..., bytes]
) -> None:
    room = open_room(replace(room_config, max_files=2))
    answer = room.post("/api/v1/read", files=_files(*((f"{n}.jpg", picture(n)) for n in range(3))))
    assert answer.status_code == 400
    assert "more than 2 films" in answer.json()["detail"]
    assert room.get("/api/v1/studies").json()["items"] == []


def test_a_film_over_the_limit_is_413_and_in_a_form_refused_by_itself(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, picture: Callable[..., bytes]
) -> None:
    small, large = picture(1), picture(2, "BMP", size=(300, 300))
    room = open_room(replace(room_config, max_bytes=len(small) + 100))
    answer = room.post("/api/v1/read", content=large)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    readings = room.post("/api/v1/read", files=_files(("l.bmp", large), ("s.jpg", small))).json()["readings"]
    assert [each["reading"]["status"] for each in readings] == ["refused", "read"]
    assert readings[0]["reading"]["refusal"]["code"] == "too-large"
    assert readings[0]["study"] is None


def test_too_many_pixels_are_refused(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, picture: Callable[..., bytes]
) -> None:
    room = open_room(replace(room_config, max_pixels=5000))
    assert room.post("/api/v1/read", content=picture(1)).json()["refusal"]["code"] == "too-large"


def test_names_are_not_kept_where_they_may_not_be(
    open_room: Callable[[WebConfig], TestClient], room_config: WebConfig, picture: Callable[..., bytes]
) -> None:
    room = open_room(replace(room_config, keep_names=False))
    answer = room.post("/api/v1/read?name=Jane Roe.jpeg", content=picture(1))
    assert answer.json()["film"]["path"] == f"film {answer.json()['film']['sha256'][:8]}"
    room.post("/api/v1/read?name=Jane Roe.csv", content=b"not a film at all")
    assert "Roe" not in room.get("/api/v1/studies").text


def test_a_page_and_a_program_are_told_apart(asked: TestClient, picture: Callable[..., bytes]) -> None:
    name, value = auth_state(asked.app).local_cookie  # type: ignore[arg-type]
    page = {"Authorization": "", "Cookie": f"{name}={value}", "Sec-Fetch-Site": "same-origin"}
    by_page = asked.post("/api/v1/read", content=picture(1), headers=page)
    by_program = asked.post("/api/v1/read", content=picture(2))
    sources = [asked.get(each.headers["location"]).json()["study"]["source"] for each in (by_page, by_program)]
    assert sources == ["web", "api"]


def test_ready_when_the_bundle_is_loaded(asked: TestClient) -> None:
    until = time.monotonic() + 20
    while asked.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert asked.get("/healthz").json() == {"status": "ok"}
