"""The person at this machine, before there are users, and the moment when there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.security.conftest import Room

NEW = {"name": "grace", "role": "admin", "password": "a lamp beside the film"}


def test_no_login_on_loopback_without_users(room: Room) -> None:
    who = room.visitor(browser=False, local=True).http
    assert who.get("/").text.endswith("local")
    assert who.post("/api/v1/verdicts").json() == "local"
    assert who.delete("/api/v1/studies/7").status_code == 200
    assert who.get("/api/v1/session").json()["role"] == "admin"
    assert room.code is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.7", "testclient"])
@pytest.mark.parametrize("browser", [True, False])
def test_an_address_proves_nothing(room: Room, address: str, browser: bool) -> None:
    # A plain proxy, a forwarded port and every account of the machine come from loopback.
    who = room.visitor(address=address, browser=browser).http
    for path in ("/api/v1/films/7", "/api/v1/users", "/api/v1/session"):
        assert who.get(path, headers={"Accept": "application/json"}).status_code in (303, 401)
    assert who.post("/api/v1/users", json=NEW).status_code == 401
    assert room.worklist.users.count() == 0


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_the_address(room: Room) -> None:
    who = room.visitor()
    token = room.guards.local_token
    answer = who.http.get(f"/worklist?page=2&token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist?page=2")
    cookie = answer.headers["set-cookie"]
    assert token not in cookie
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert who.http.get("/").text.endswith("local")
    odd = who.http.get(f"http://127.0.0.1//evil.example/?token={token}")
    assert odd.headers["location"] == "/evil.example/", "and never to another host"


def test_another_token_lets_nobody_in(room: Room) -> None:
    who = room.visitor()
    for token in ("", "x", "pneumo_" + "a" * 43, room.guards.local_token[:-1], "é" * 50):
        answer = who.http.get("/", params={"token": token})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    program = room.visitor(browser=False).http
    answer = program.get("/api/v1/films/7", headers={"Authorization": "Bearer pneumo_" + "a" * 43})
    assert (answer.status_code, answer.json()["code"]) == (401, "token")
    assert program.get("/api/v1/films/7", params={"token": room.guards.local_token}).status_code == 401


def test_who_comes_without_the_token_is_told_where_it_is(room: Room) -> None:
    who = room.visitor().http
    assert who.get("/").headers["location"] == "/setup"
    page = who.get("/setup").text
    assert 'name="token"' in page
    assert 'name="password"' not in page


def test_the_cookie_is_nothing_on_another_server(room: Room) -> None:
    who = room.visitor(local=True)
    room.guards.local_token = "pneumo_" + "b" * 43
    assert who.http.get("/").status_code == 303


def test_the_first_user_ends_the_time_without_login(room: Room) -> None:
    who = room.visitor(browser=False, local=True).http
    assert who.post("/api/v1/users", json=NEW | {"role": "reader"}).status_code == 400  # nobody would be left to help
    assert who.post("/api/v1/users", json=NEW).status_code == 201
    assert who.get("/api/v1/films/7").status_code == 401
    assert who.post("/api/v1/users", json=NEW | {"name": "eve"}).status_code == 401
    assert who.get("/healthz").status_code == 200
    assert room.visitor().log_in("grace") == 303


def test_a_login_can_be_asked_for_on_loopback_too(open_room: Callable[..., Room]) -> None:
    room = open_room(login="always")
    assert room.code is not None
    assert room.visitor(browser=False).http.get("/api/v1/films/7").status_code == 503
    assert room.visitor(browser=False, local=True).http.get("/api/v1/films/7").status_code == 401


def test_never_asking_counts_on_loopback_alone(open_room: Callable[..., Room]) -> None:
    from pneumoscope.errors import ConfigError

    room = open_room(login="never")
    room.user("grace", "admin")
    assert room.visitor(browser=False).http.get("/api/v1/films/7").status_code == 401
    assert room.visitor(browser=False, local=True).http.get("/api/v1/films/7").status_code == 200
    with pytest.raises(ConfigError, match="lets everybody in"):
        open_room(login="never", host="0.0.0.0")  # noqa: S104 - it is refused


def test_a_token_needs_a_user(room: Room) -> None:
    answer = room.visitor(browser=False, local=True).http.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "no-users")
