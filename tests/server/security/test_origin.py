"""Requests that a person did not mean: from pages of other sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.server.security.conftest import Room, Visitor

FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Origin": "http://evil.example@127.0.0.1"},
    {"Origin": "http://[broken"},
    {"Referer": "https://evil.example/http://127.0.0.1/"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "cross-site"},
)


@pytest.fixture
def ada(ward: Room) -> Visitor:
    visitor = ward.visitor()
    assert visitor.log_in() == 303
    return visitor


OURS = ({"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "same-origin"}, {"Referer": "http://127.0.0.1/worklist"})


@pytest.mark.parametrize("headers", OURS)
def test_a_page_of_ours_lets_a_request_through(ward: Room, ada: Visitor, headers: dict[str, str]) -> None:
    del ada.http.headers["Sec-Fetch-Site"]
    assert ada.http.post("/api/v1/verdicts", headers=headers).json() == "ada"
    assert ward.worklist.users.count() == 2


def test_a_cookie_without_a_word_of_where_it_comes_from_does_nothing(ada: Visitor) -> None:
    del ada.http.headers["Sec-Fetch-Site"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ada.http.request(method, "/api/v1/verdicts")
        assert (answer.status_code, answer.json()["code"]) == (403, "origin")


@pytest.mark.parametrize("headers", FOREIGN)
def test_from_another_site_nothing_is_done(ada: Visitor, headers: dict[str, str]) -> None:
    del ada.http.headers["Sec-Fetch-Site"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ada.http.request(method, "/api/v1/verdicts", headers=headers)
        assert answer.status_code == 403
        assert answer.json()["code"] in ("origin", "cross-site")


@pytest.mark.parametrize("headers", FOREIGN)
def test_the_local_person_is_guarded_too(room: Room, headers: dict[str, str]) -> None:
    # Any page on the web can send a form to http://127.0.0.1.
    for browser in (True, False):
        victim = room.visitor(browser=browser, local=True)
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "image/png"):
            told = headers | {"Content-Type": kind}
            assert victim.http.post("/api/v1/verdicts", headers=told, content=b"a=b").status_code == 403


def test_another_site_cannot_log_a_person_in(ward: Room) -> None:
    # Else it could watch what they upload in its own name.
    form = {"name": "ada", "password": "a lamp beside the film"}
    here = ward.visitor()
    for headers in FOREIGN:
        assert here.http.post("/login", data=form, headers=headers).status_code == 403
    assert here.session() == ""
    assert here.http.post("/login", data=form, headers={"Origin": here.base}).status_code == 303


def test_a_page_of_another_site_cannot_load_ours_into_itself(room: Room) -> None:
    here = room.visitor(local=True)
    for site in ("cross-site", "same-site"):
        for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("no-cors", "script")):
            heads = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
            assert here.http.get("/api/v1/films/7", headers=heads).status_code == 403
            assert here.http.get("/static/css/base.css", headers=heads).status_code == 403
        link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        assert here.http.get("/", headers=link).status_code == 200


def test_no_other_site_is_allowed_to_ask(ada: Visitor) -> None:
    ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = ada.http.options("/api/v1/verdicts", headers=ask)
    assert answer.status_code >= 400
    assert not [name for name in answer.headers if name.startswith("access-control")]
