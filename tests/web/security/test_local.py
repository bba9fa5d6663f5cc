"""The person at this machine, before there are users, and the moment when there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.security.conftest import Room

NEW = {"name": "grace", "role": "admin", "password": "a lamp beside the film"}


def test_no_login_on_loopback_without_users(room: Room) -> None:
    who = room.visitor(browser=False).http
    assert who.get("/").text.endswith("local")
    assert who.post("/api/v1/verdicts").json() == "local"
    assert who.delete("/api/v1/studies/7").status_code == 200
    assert who.get("/api/v1/session").json()["role"] == "admin"
    assert room.code is None


@pytest.mark.parametrize("address", ["192.0.2.7", "::2", "testclient"])
def test_local_is_only_who_is_on_this_machine(room: Room, address: str) -> None:
    assert room.visitor(address=address, browser=False).http.get("/api/v1/films/7").status_code == 403


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"])
def test_who_comes_through_a_proxy_is_not_local(room: Room, header: str) -> None:
    # A proxy on this machine would make everybody on the network the local administrator.
    answer = room.visitor(browser=False).http.get("/api/v1/films/7", headers={header: "127.0.0.1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "no-users")


def test_the_first_user_ends_the_time_without_login(room: Room) -> None:
    who = room.visitor(browser=False).http
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


def test_never_asking_counts_on_loopback_alone(open_room: Callable[..., Room]) -> None:
    from pneumoscope.errors import ConfigError

    room = open_room(login="never")
    room.user("grace", "admin")
    assert room.visitor(browser=False).http.get("/api/v1/films/7").status_code == 200
    with pytest.raises(ConfigError, match="lets everybody in"):
        open_room(login="never", host="0.0.0.0")  # noqa: S104 - it is refused


def test_a_token_needs_a_user(room: Room) -> None:
    answer = room.visitor(browser=False).http.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "no-users")
