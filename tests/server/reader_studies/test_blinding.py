"""Readers of a running study see nothing of its films elsewhere: no row, no reading, no label, no other reader."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi import routing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any as StudyRoom

    from fastapi import FastAPI

API = "/api/v1/reader-studies"


class Hidden(NamedTuple):
    """A film of a study."""

    study: str
    film: str
    reading: str
    label: str


def hidden(room: StudyRoom, ident: str) -> list[Hidden]:
    return [
        Hidden(each.study, each.film, each.reading, room.worklist.studies.get(each.study).label)
        for each in room.studies.films(ident)
    ]


def get_paths(app: FastAPI) -> list[str]:
    contexts = getattr(routing, "iter_route_contexts", None)
    routes: Iterable[Any] = contexts(app.routes) if contexts else app.routes
    return sorted({each.path for each in routes if "GET" in (getattr(each, "methods", None) or ())})


def test_no_route_that_names_a_film_study_or_reading_shows_it(study_room: StudyRoom) -> None:
    ident = study_room.make(6)
    one = hidden(study_room, ident)[0]
    values = {"study": one.study, "sha256": one.film, "reading": one.reading, "form": "json"}
    ada, grace = study_room.clients["ada"], study_room.clients["grace"]
    tried = 0
    for path in get_paths(study_room.app):
        if not re.search(r"{(study|sha256|reading)}", path):
            continue
        address = re.sub(r"{(\w+)(:\w+)?}", lambda found: values.get(found[1], "x"), path)
        assert ada.get(address).status_code == 403, path
        assert grace.get(address).status_code != 403, path
        tried += 1
    assert tried >= 10
    posted = ada.post(f"/api/v1/studies/{one.study}/verdicts", json={"kind": "agree"})
    assert posted.status_code == 403
    study_room.clients["grace"].post(f"{API}/{ident}/close")
    assert ada.get(f"/api/v1/studies/{one.study}").status_code == 200


@pytest.mark.parametrize("path", ["/worklist", "/worklist/results", "/api/v1/studies", "/api/v1/studies/table"])
def test_lists_leave_its_films_out(study_room: StudyRoom, path: str) -> None:
    ident = study_room.make(6)
    films = hidden(study_room, ident)
    ada, grace = study_room.clients["ada"], study_room.clients["grace"]
    for client, seen in ((ada, False), (grace, True)):
        text = client.get(path, headers={"Accept": "text/html"}).text
        assert "ward" in text or "emergency" in text  # other studies are there
        for one in films:
            assert (one.study in text) is seen
            assert seen or one.film not in text
            assert (one.label in text) is seen


def test_rows_by_id_actions_and_search_leave_them_out(study_room: StudyRoom) -> None:
    ident = study_room.make(6)
    one = hidden(study_room, ident)[0]
    ada = study_room.clients["ada"]
    assert one.study not in ada.get("/worklist/rows", params={"ids": one.study}).text
    assert ada.post("/api/v1/studies/actions", json={"action": "agree", "ids": [one.study]}).json()["done"] == 0
    assert ada.get("/api/v1/studies", params={"q": one.film}).json()["items"] == []
    free = ada.get("/api/v1/studies", params={"limit": 1}).json()["items"][0]["id"]
    page = ada.get(f"/studies/{free}", headers={"Accept": "text/html"}).text
    assert not any(each.study in page for each in hidden(study_room, ident))  # neighbours


def test_the_same_film_is_not_read_again_for_its_reader(study_room: StudyRoom) -> None:
    film = study_room.clients["grace"].post("/api/v1/read", content=picture(), params={"name": "one.png"})
    study = film.headers["Location"].rsplit("/", 1)[1]
    ident = study_room.make(manifest=f"study,label\n{study},bacterial\n")
    for store in ("true", "false"):
        given = study_room.clients["ada"].post("/api/v1/read", content=picture(), params={"store": store})
        assert given.status_code == 409
        assert "probabilities" not in given.text
    study_room.clients["grace"].post(f"{API}/{ident}/close")
    assert study_room.clients["ada"].post("/api/v1/read", content=picture()).status_code == 200


def picture() -> bytes:
    from io import BytesIO

    import numpy as np
    from PIL import Image

    coarse = np.random.default_rng(7).integers(0, 256, (6, 5), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(coarse).resize((120, 140), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def test_what_a_reader_is_told_has_no_label_name_or_model(study_room: StudyRoom) -> None:
    ident = study_room.make(4)
    films = hidden(study_room, ident)
    ada = study_room.clients["ada"]
    task = ada.post(f"{API}/{ident}/task")
    page = ada.get(f"/reader-studies/{ident}/read", headers={"Accept": "text/html"})
    listed = ada.get(API)
    for answer in (task, page, listed):
        assert answer.status_code == 200
        for one in films:
            for secret in (*one, "bacterial", "probability", "ben"):
                assert secret not in answer.text.replace('probability": null', ""), secret
    source = task.json()["source"]
    pixels = ada.get(f"/api/v1{source}/pixels")
    assert pixels.headers["content-type"] == "image/png"
    assert not any(one.study in str(pixels.headers) or one.film in str(pixels.headers) for one in films)
    assert ada.get(f"/api/v1{source}/evidence").status_code == 404
    aided = source.replace("unaided", "aided")
    assert ada.get(f"/api/v1{aided}/evidence").status_code == 404
    later = source.rsplit("/", 1)[0]
    assert ada.get(f"/api/v1{later}/2/pixels").status_code == 200  # loaded ahead
    assert ada.get(f"/api/v1{later}/3/pixels").status_code == 404


def test_readers_reach_no_page_of_the_administrators(study_room: StudyRoom) -> None:
    ident = study_room.make(4)
    ada = study_room.clients["ada"]
    for path in ("", "/results"):
        assert ada.get(f"{API}/{ident}{path}").status_code == 403
    for path in ("new", ident, f"{ident}/results.csv"):
        assert ada.get(f"/reader-studies/{path}", headers={"Accept": "text/html"}).status_code == 403
    for action in ("start", "close", "version", "delete", "let-go"):
        assert ada.post(f"/reader-studies/{ident}/{action}").status_code == 403


def test_a_study_of_others_is_not_there(study_room: StudyRoom) -> None:
    ident = study_room.make(4, readers=["ben"])
    ada = study_room.clients["ada"]
    assert ada.get(API).json() == []
    assert ada.post(f"{API}/{ident}/task").status_code == 404
    assert study_room.read(ident, "ben")["status"] == 201
    assert ada.get(f"/api/v1/studies/{hidden(study_room, ident)[0].study}").status_code == 200  # nothing is hidden
