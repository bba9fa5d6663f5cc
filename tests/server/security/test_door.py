"""What the door does not let through, whatever lies behind it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from pneumoscope.server.auth.error_middleware import CONTENT_SECURITY_POLICY
from pneumoscope.server.auth.middleware import is_public

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.security.conftest import Room


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.1@evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1/",
        "127.0.0.1,evil.example",
        "",
        "[::1",
        "192.168.1.7",
        "0.0.0.0",  # noqa: S104 - a name that somebody sends
        "127.0.0.1:999999",
        "2130706433",
    ],
)
def test_a_name_that_was_bent_to_this_machine_is_not_ours(room: Room, host: str) -> None:
    for path in ("/", "/api/v1/films/7", "/login", "/static/css/base.css", "/healthz"):
        answer = room.visitor(browser=False, local=True).http.get(path, headers={"Host": host})
        assert answer.status_code == 421, path
        assert "local" not in answer.text.replace("allowed_hosts", "")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_our_names_on_loopback(room: Room, host: str) -> None:
    assert (
        room.visitor(browser=False, local=True).http.get("/api/v1/films/7", headers={"Host": host}).status_code == 200
    )


def test_two_hosts_are_none(room: Room) -> None:
    twice = [("Host", "127.0.0.1"), ("Host", "evil.example")]
    assert room.visitor(browser=False, local=True).http.get("/healthz", headers=twice).status_code == 421


def test_on_the_network_addresses_and_told_names_are_ours(ward: Room) -> None:
    http = ward.visitor(browser=False).http
    for host, status in (
        ("192.168.1.7:8000", 200),
        ("[2001:db8::7]", 200),
        ("films.ward.example", 200),
        ("FILMS.ward.example:443", 200),
        ("other.example", 421),
        ("films.ward.example.evil.example", 421),
    ):
        assert http.get("/healthz", headers={"Host": host}).status_code == status, host


def test_a_route_that_forgets_to_ask_is_behind_the_door_all_the_same(ward: Room, room: Room) -> None:
    assert ward.visitor(browser=False).http.get("/api/v1/forgetful").status_code == 401
    ada = ward.visitor()
    ada.log_in()
    assert ada.http.get("/api/v1/forgetful").status_code == 200
    del room


@pytest.mark.parametrize(
    "path",
    ["/static", "/static/a/b", "/login", "/setup", "/healthz", "/readyz", "/favicon.ico"],
)
def test_public_paths(path: str) -> None:
    assert is_public(path)


@pytest.mark.parametrize(
    "path",
    ["/", "/loginx", "/staticfiles", "/healthz2", "/api/v1/login", "/setup.html", "/LOGIN", "//static", "/metrics"],
)
def test_their_neighbours_are_not_public(path: str) -> None:
    assert not is_public(path)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../api/v1/films/7",
        "/static/%2e%2e/api/v1/films/7",
        "/static/..%2f..%2fapi/v1/films/7",
        "/static/%2e%2e%2f%2e%2e%2fsecurity/keys.py",
        "/static/..%5c..%5csecurity%5ckeys.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/....//....//security/keys.py",
        "/static/css",
        "/static/",
        "/login/../api/v1/films/7",
        "/login/x",
    ],
)
def test_no_way_leads_out_of_the_public_folder(ward: Room, path: str) -> None:
    sent = []

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        # httpx tidies paths; a real attacker does not.
        from urllib.parse import unquote

        await ward.app({**scope, "path": unquote(path), "raw_path": path.encode()}, receive, send)  # type: ignore[arg-type]

    client = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)  # type: ignore[arg-type]
    answer = client.get("/")
    sent.append(answer)
    assert answer.status_code in (303, 400, 401, 404, 405), path
    assert "def " not in answer.text
    assert "root:" not in answer.text
    assert "ada 7" not in answer.text


def test_long_and_odd_requests_are_refused(room: Room) -> None:
    http = room.visitor(browser=False, local=True).http
    assert http.get("/" + "a" * 3000).status_code == 414
    assert http.get("/?" + "a" * 9000).status_code == 414
    assert http.get("/healthz", headers={"X-Long": "a" * 40_000}).status_code == 431
    assert http.get("/healthz", headers={f"X-{i}": "a" for i in range(150)}).status_code == 431
    assert http.get("/healthz", headers={"Cookie": "a=b;" * 9_000}).status_code == 431
    assert http.get("/api/v1/films/a%00b").status_code == 400
    assert http.get("/api/v1/films/a%0d%0aSet-Cookie:x").status_code == 400
    for method in ("TRACE", "CONNECT", "PROPFIND", "X" * 1000):
        assert http.request(method, "/healthz").status_code == 405, method


def test_bodies_have_a_limit_told_or_not(open_room: Callable[..., Room]) -> None:
    room = open_room(max_request_bytes=3 * 2**20)
    http = room.visitor(browser=False, local=True).http

    def stream(size: int) -> Callable[[], object]:
        def parts() -> object:
            for _ in range(size // 2**16):
                yield b"x" * 2**16

        return parts

    assert http.post("/api/v1/users", content=b"x" * (2**20 + 1)).status_code == 413
    assert http.post("/api/v1/users", content=stream(2**21)()).status_code == 413  # type: ignore[arg-type]
    assert http.post("/api/v1/read", content=b"x" * 2**21).json() == 2**21
    assert http.post("/api/v1/read", content=b"x" * (3 * 2**20 + 1)).status_code == 413
    assert http.post("/api/v1/read", content=stream(2**22)()).status_code == 413  # type: ignore[arg-type]
    assert http.post("/api/v1/read", content=b"x", headers={"Content-Length": "-1"}).status_code == 400
    assert http.post("/api/v1/read", content=b"x", headers={"Content-Length": "9" * 30}).status_code == 400


def test_what_fails_inside_tells_nothing_but_its_number(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "pneumoscope.server"):
        program = room.visitor(browser=False, local=True).http.get("/api/v1/fails")
        person = room.visitor(local=True).http.get("/api/v1/fails", headers={"Accept": "text/html"})
    for answer in (program, person):
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
        assert ".py" not in answer.text
        assert answer.headers["X-Request-ID"] in answer.text
        assert answer.headers["X-Request-ID"] in caplog.text
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "/secret/path" in caplog.text  # which the administrator needs


def test_the_number_is_ours_and_not_the_callers(room: Room) -> None:
    http = room.visitor(browser=False, local=True).http
    numbers = {http.get("/healthz", headers={"X-Request-ID": "forged\tline"}).headers["X-Request-ID"] for _ in range(3)}
    assert len(numbers) == 3
    assert all(len(number) == 16 and number.isalnum() for number in numbers)


def test_without_a_store_nobody_comes_in(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    ward.worklist.close()
    ward.app.state.context.worklist.users = None

    from pneumoscope.errors import StorageError

    def broken(*_: object) -> None:
        raise StorageError("the database cannot be reached", where="/var/lib/secret.sqlite")

    ward.app.state.context.worklist.sessions.get = broken
    answer = ada.http.get("/api/v1/films/7")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert ada.http.get("/healthz").status_code == 200


def test_there_are_no_websockets(room: Room) -> None:
    from starlette.websockets import WebSocketDisconnect

    with (
        pytest.raises(WebSocketDisconnect),
        room.visitor(browser=False, local=True).http.websocket_connect("/api/v1/films/7"),
    ):
        pass


def test_pages_for_persons_are_pages(ward: Room) -> None:
    ada = ward.visitor()
    answer = ada.http.get("/", headers={"Host": "evil.example"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "Research use only" in answer.text
    assert "<h1>" in answer.text
