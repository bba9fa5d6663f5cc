"""Requests that a person did not mean: from pages of other sites, or without the value that our pages hold."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.server.auth.limits import csrf_in_parts

if TYPE_CHECKING:
    from tests.web.security.conftest import Room, Visitor

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


def test_the_value_of_our_page_lets_a_request_through(ada: Visitor) -> None:
    assert ada.http.post("/api/v1/verdicts", headers=ada.csrf()).json() == "ada"


@pytest.mark.parametrize("value", ["", "0" * 64, "é" * 10, "x"])
def test_without_the_value_nothing_is_done(ada: Visitor, value: str) -> None:
    headers = {b"X-CSRF-Token": value.encode(), b"Origin": ada.base.encode()}
    answer = ada.http.post("/api/v1/verdicts", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["code"] == "csrf"


@pytest.mark.parametrize("headers", FOREIGN)
def test_from_another_site_nothing_is_done_even_with_the_value(ada: Visitor, headers: dict[str, str]) -> None:
    value = ada.csrf()["X-CSRF-Token"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ada.http.request(method, "/api/v1/verdicts", headers={"X-CSRF-Token": value, **headers})
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


def test_the_local_persons_browser_brings_the_value(room: Room) -> None:
    page = room.visitor(local=True)
    assert page.http.post("/api/v1/verdicts").status_code == 403  # as a browser without Origin would
    assert page.http.post("/api/v1/verdicts", headers=page.csrf()).json() == "local"
    assert page.http.post("/api/v1/verdicts", headers={"X-CSRF-Token": page.value("/")}).json() == "local"


def test_a_value_of_another_session_does_not_count(ward: Room, ada: Visitor) -> None:
    grace = ward.visitor()
    grace.log_in("grace")
    headers = {"X-CSRF-Token": grace.csrf()["X-CSRF-Token"], "Origin": ada.base}
    assert ada.http.post("/api/v1/verdicts", headers=headers).status_code == 403


def test_the_value_ends_with_the_session(ward: Room, ada: Visitor) -> None:
    before = ada.csrf()
    ada.http.post("/logout", headers=before)
    ada.log_in()
    assert ada.http.post("/api/v1/verdicts", headers=before).status_code == 403
    assert ada.http.post("/api/v1/verdicts", headers=ada.csrf()).status_code == 200
    assert ward.worklist.users.count() == 2


def test_the_login_form_has_a_value_of_its_own(ward: Room) -> None:
    # Else a page of another site could log a person in as somebody else, and watch what they upload.
    form = {"name": "ada", "password": "a lamp beside the film"}
    here, other = ward.visitor(), ward.visitor()
    ours, theirs = here.value(), other.value()
    assert ours != theirs
    for csrf in ({}, {"csrf": theirs}, {"csrf": ""}):
        assert here.http.post("/login", data=form | csrf, headers={"Origin": here.base}).status_code == 403
    foreign = here.http.post("/login", data=form | {"csrf": ours}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert here.http.post("/login", data=form | {"csrf": ours}, headers={"Origin": here.base}).status_code == 303


def test_the_value_in_a_form_counts_once(ada: Visitor) -> None:
    value = ada.csrf()["X-CSRF-Token"]
    send = {"content": f"csrf={value}&csrf=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    assert ada.http.post("/logout", **send).status_code == 403  # type: ignore[arg-type]
    many = "&".join(f"f{i}=1" for i in range(100))
    send["content"] = f"csrf={value}&{many}"
    assert ada.http.post("/logout", **send).status_code == 400  # type: ignore[arg-type]
    send["content"] = f"csrf={value}&x={'a' * 70_000}"
    assert ada.http.post("/logout", **send).status_code == 413  # type: ignore[arg-type]
    assert ada.http.post("/logout", data={"csrf": value}).status_code == 303


def parts(*fields: tuple[str, str], boundary: str = "edge") -> dict[str, Any]:
    """A form with files, as a browser sends it."""
    said = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    kind = f"multipart/form-data; boundary={boundary}"
    return {"content": f"{said}--{boundary}--\r\n".encode(), "headers": {"Content-Type": kind}}


def test_a_form_with_files_brings_the_value_as_its_first_field(ada: Visitor) -> None:
    value = ada.csrf()["X-CSRF-Token"]
    film = ("film", "x" * 200_000)
    assert ada.http.post("/api/v1/verdicts", **parts(("csrf", value), film)).json() == "ada"
    for form in (
        parts(film, ("csrf", value)),
        parts(("csrf", "x"), ("csrf", value)),
        parts(("csrf", "")),
        parts(("other", f'x\r\n--edge\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{value}')),
        parts(),
        {**parts(("csrf", value)), "headers": {"Content-Type": "multipart/form-data; boundary=.*"}},
        {**parts(("csrf", value)), "headers": {"Content-Type": "multipart/form-data"}},
    ):
        answer = ada.http.post("/api/v1/verdicts", **form)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    sent = parts(("csrf", value), film)
    sent["headers"]["Origin"] = "https://evil.example"
    assert ada.http.post("/api/v1/verdicts", **sent).status_code == 403


def test_the_body_behind_the_value_comes_whole_however_it_is_cut() -> None:
    whole = parts(("csrf", "abc"), ("film", "y" * 5000))["content"]
    for step in (1, 7, 64, 4096, len(whole)):
        chunks = [whole[at : at + step] for at in range(0, len(whole), step)]
        messages = [
            {"type": "http.request", "body": chunk, "more_body": at < len(chunks) - 1}
            for at, chunk in enumerate(chunks)
        ]

        async def receive(left: list[Any] = messages) -> Any:
            return left.pop(0)

        async def all_of_it() -> tuple[str, bytes]:
            value, again = await csrf_in_parts(receive, "edge")
            body, more = b"", True
            while more:
                message = await again()
                body, more = body + message["body"], message["more_body"]
            return value, body

        with ThreadPoolExecutor(1) as pool:  # a browser of other tests may keep a loop in this thread
            assert pool.submit(asyncio.run, all_of_it()).result() == ("abc", whole)


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
