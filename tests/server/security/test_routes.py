"""Every route of the whole application: each asks who comes, and none is reached by nobody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi import routing
from fastapi.testclient import TestClient

from pneumoscope.server.app import create_app, first_run_code
from pneumoscope.server.auth import identity as who
from pneumoscope.server.auth.middleware import is_public
from pneumoscope.server.auth.state import auth_state
from pneumoscope.server.config import WebConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

PUBLIC = {"/login", "/setup", "/static/{path:path}", "/favicon.ico", "/healthz", "/readyz"}
"""Written out once more: a path that is made public is made public here, too."""

BEHIND_THE_DOOR = {"/api/v1/openapi.json"}
"""FastAPI's own, which takes no dependency. The door asks in its place."""

ONES_OWN = re.compile(r"/logout|/api/v1/session(/.*)?|/api/v1/tokens(/.*)?|/account/.*")
"""Unsafe requests about the person alone: every identity may make them."""

ADMINISTRATORS = [
    ("DELETE", re.compile(r"/api/v1/studies/[^/]+")),
    ("POST", re.compile(r"/api/v1/(users|bundles)")),
    ("PUT", re.compile(r"/api/v1/bundles/in-use")),
    ("GET", re.compile(r"/api/v1/(users|audit(/check)?)")),
    ("PATCH", re.compile(r"/api/v1/users/[^/]+")),
    ("DELETE", re.compile(r"/api/v1/users/[^/]+/sessions")),
    ("GET", re.compile(r"/admin(/.*)?")),
    ("POST", re.compile(r"/admin/.*")),
    ("POST", re.compile(r"/(studies/[^/]+|worklist)/delete")),
    ("POST", re.compile(r"/models/(use|import)")),
    ("POST", re.compile(r"/api/v1/reader-studies(/[^/]+/(start|close|versions|import|annotations|readers/.*))?")),
    ("GET", re.compile(r"/api/v1/reader-studies/[^/]+(/results|/annotations)?")),
    ("PATCH", re.compile(r"/api/v1/reader-studies/[^/]+")),
    ("DELETE", re.compile(r"/api/v1/reader-studies/[^/]+")),
    ("POST", re.compile(r"/reader-studies/.*")),
    ("GET", re.compile(r"/reader-studies/[^/]+(/analysis/.*|/results.*)?")),
]


class Way(NamedTuple):
    """One method of one route, and the functions that it depends on."""

    method: str
    path: str
    asks: frozenset[object]


def ways(app: FastAPI) -> list[Way]:
    contexts = getattr(routing, "iter_route_contexts", None)  # FastAPI before 0.160 has flat routes
    found = []
    routes: Iterable[Any] = contexts(app.routes) if contexts else app.routes
    for each in routes:
        dependant = getattr(each, "dependant", None)
        asks = frozenset(() if dependant is None else calls(dependant))
        found += [Way(method, each.path, asks) for method in sorted(each.methods or {"GET"})]
    return found


def calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


class Whole(NamedTuple):
    """The whole application, started, as it would be on a network."""

    app: FastAPI
    client: TestClient
    ways: list[Way]
    code: str | None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    config = WebConfig(host="0.0.0.0", data=tmp_path_factory.mktemp("data"), workers=1, requests_per_minute=0)  # noqa: S104
    app = create_app(config)
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.9", 50000), follow_redirects=False) as client:
        yield Whole(app, client, ways(app), first_run_code(app))


def test_there_are_routes(whole: Whole) -> None:
    assert len({way.path for way in whole.ways}) > 20
    paths = {way.path for way in whole.ways}
    assert {"/", "/login", "/api/v1/read", "/api/v1/users", "/healthz", "/metrics"} <= paths


def test_each_asks_who_comes_but_the_public_ones(whole: Whole) -> None:
    guards = {who.reader, who.writer, who.admin}
    forgot = {way.path for way in whole.ways if not way.asks & guards} - PUBLIC - BEHIND_THE_DOOR
    assert forgot == set()


def test_what_is_public_is_what_stands_here(whole: Whole) -> None:
    assert {way.path for way in whole.ways if is_public(re.sub(r"{.*}", "x", way.path))} <= PUBLIC


def test_what_changes_something_asks_for_more_than_reading(whole: Whole) -> None:
    unsafe = [way for way in whole.ways if way.method not in ("GET", "HEAD") and way.path not in PUBLIC]
    weak = {way.path for way in unsafe if not way.asks & {who.writer, who.admin} and not ONES_OWN.fullmatch(way.path)}
    assert weak == set()


def test_what_is_an_administrators_asks_for_one(whole: Whole) -> None:
    checked = 0
    for way in whole.ways:
        if any(way.method == method and path.fullmatch(way.path) for method, path in ADMINISTRATORS):
            checked += 1
            assert who.admin in way.asks, way
    assert checked >= 8


def test_nobody_reaches_any_of_them(whole: Whole) -> None:
    guards = auth_state(whole.app)
    worklist = whole.app.state.context.worklist
    for users in (False, True):
        if users and worklist.users.count() == 0:
            worklist.users.create("grace", guards.passwords.hash("a lamp beside the film"), role="admin", by="test")
        for way in whole.ways:
            path = re.sub(r"{.*?}", "x", way.path)
            if is_public(path):
                continue
            for accept in ("text/html", "application/json"):
                answer = whole.client.request(way.method, path, headers={"Accept": accept})
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/login" if users else "/setup"), way
                else:
                    assert answer.status_code == (401 if users else 503), way
                assert "set-cookie" not in answer.headers


ODD = (
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cwindows",
    "%00",
    "x" * 300,
    "'%20OR%201=1%20--",
    "{{7*7}}",
    "-1",
)


@pytest.mark.parametrize("odd", ODD)
def test_ids_that_are_none_are_refused_everywhere(whole: Whole, odd: str) -> None:
    worklist = whole.app.state.context.worklist
    from pneumoscope.server.auth import sessions

    guards = auth_state(whole.app)
    if worklist.users.count() == 0:
        worklist.users.create("grace", guards.passwords.hash("a lamp beside the film"), role="admin", by="test")
    secret = sessions.begin_session(worklist, "grace", guards.policy, now=guards.now())
    cookie = {"Cookie": f"pneumoscope_session={secret}"}
    tried = 0
    for way in whole.ways:
        if "{" not in way.path or way.path.startswith("/static"):
            continue
        tried += 1
        path = re.sub(r"{.*?}", odd, way.path)
        answer = whole.client.request(way.method, path, headers=cookie | {"Sec-Fetch-Site": "same-origin"})
        if answer.status_code == 303:  # a form that goes back to its page, whatever became of it
            assert re.fullmatch(r"/[a-z]+(/[a-z]+)?(\?[a-z=&0-9]+)?", answer.headers["location"]), way
            continue
        assert 400 <= answer.status_code < 500, (way.method, path, answer.status_code, answer.text[:200])
        assert str(whole.app.state.context.config.data) not in answer.text
        assert "Traceback" not in answer.text
    assert tried > 10
    assert worklist.users.count() == 1
