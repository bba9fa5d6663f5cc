"""What every answer carries."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from pneumoscope.reports.html import policy
from pneumoscope.server.auth.error_middleware import CONTENT_SECURITY_POLICY, SecurityHeaders

if TYPE_CHECKING:
    from tests.server.security.conftest import Room

EVERY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def test_every_answer_has_them(room: Room) -> None:
    here = room.visitor(local=True)
    asked = [
        here.http.get("/"),
        here.http.get("/login"),
        here.http.get("/setup"),
        here.http.get("/static/css/base.css"),
        here.http.get("/nothing"),
        here.http.get("/api/v1/fails"),
        here.http.get("/", headers={"Host": "evil.example"}),
        here.http.post("/api/v1/verdicts", headers={"Origin": "https://evil.example"}),
        here.http.get("/" + "a" * 4000),
        here.http.get("/healthz", headers={"X": "a" * 40_000}),
    ]
    assert {answer.status_code for answer in asked} >= {200, 403, 404, 414, 421, 431, 500}
    for answer in asked:
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert "camera=(self)" in answer.headers["Permissions-Policy"]
        assert {name: answer.headers[name] for name in EVERY} == EVERY
        assert "Server" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers  # it was not https
        assert len(answer.headers["X-Request-ID"]) == 16
    assert asked[0].headers["Cache-Control"] == "no-store"


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    for part in ("default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert part in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        (policy(), True),
        ("default-src *; frame-ancestors 'none'", False),
        ("default-src 'none'; script-src 'self'; frame-ancestors 'none'", False),
        ("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", False),
        ("default-src 'none'; img-src https://evil.example; frame-ancestors 'none'", False),
        ("default-src 'none'; img-src data:", False),
    ],
)
def test_a_route_may_bring_a_stricter_policy_and_no_looser_one(own: str, kept: bool) -> None:
    app = FastAPI()

    @app.get("/report")
    def report() -> Response:
        return Response("x", headers={"Content-Security-Policy": own, "X-Frame-Options": "ALLOWALL"})

    app.add_middleware(SecurityHeaders)
    answer = TestClient(app).get("/report")
    assert answer.headers["Content-Security-Policy"] == (own if kept else CONTENT_SECURITY_POLICY)
    assert answer.headers["X-Frame-Options"] == "DENY"


class _Inline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attributes}
        if tag == "style" or "style" in names or any(name.startswith("on") for name in names):
            self.found.append(self.get_starttag_text() or tag)
        if tag == "script" and "src" not in names:
            self.found.append("script")


def test_our_pages_need_nothing_inline(ward: Room, room: Room) -> None:
    for path in ("/login", "/setup"):
        for each in (ward, room):
            parser = _Inline()
            parser.feed(each.visitor().http.get(path).text)
            assert parser.found == []


def test_what_is_typed_stays_text(ward: Room) -> None:
    here = ward.visitor()
    for name in ('"><script>alert(1)</script>', "{{ 7777 * 7777 }}", "<img src=x onerror=alert(1)>"):
        form = {"name": name, "password": "x" * 12, "next": '/"><script>'}
        text = here.http.post("/login", data=form, headers={"Origin": here.base}).text
        assert not re.search(r"<script>|<img|60481729", text)
