"""Who may do what, and ways to more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.auth.identity import ROLES, Identity, scopes_of

if TYPE_CHECKING:
    from tests.server.security.conftest import Room, Visitor

NEW = {"name": "eve", "role": "admin", "password": "a lamp beside the film"}


@pytest.fixture
def ada(ward: Room) -> Visitor:
    visitor = ward.visitor()
    assert visitor.log_in() == 303
    return visitor


@pytest.fixture
def grace(ward: Room) -> Visitor:
    visitor = ward.visitor()
    assert visitor.log_in("grace") == 303
    return visitor


def test_a_reader_reads_and_gives_verdicts(ada: Visitor) -> None:
    assert ada.http.get("/api/v1/films/7").status_code == 200
    assert ada.http.post("/api/v1/verdicts", headers=ada.own()).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/v1/studies/7", None),
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", NEW),
        ("PATCH", "/api/v1/users/ada", {"role": "admin"}),
        ("PATCH", "/api/v1/users/grace", {"active": False}),
        ("PATCH", "/api/v1/users/nobody", {"unlock": True}),
        ("DELETE", "/api/v1/users/grace/sessions", None),
        ("GET", "/api/v1/audit", None),
        ("GET", "/api/v1/audit/check", None),
    ],
)
def test_a_reader_does_nothing_of_an_administrators(
    ward: Room, ada: Visitor, method: str, path: str, body: dict[str, object] | None
) -> None:
    before = ward.worklist.users.list()
    answer = ada.http.request(method, path, json=body, headers=ada.own())
    assert (answer.status_code, answer.json()["code"]) == (403, "role")
    assert ward.worklist.users.list() == before


def test_a_role_cannot_be_brought_along(ward: Room, ada: Visitor) -> None:
    for headers in ({"X-Role": "admin"}, {"X-Forwarded-User": "grace"}, {"Remote-User": "grace"}):
        assert ada.http.get("/api/v1/users", headers=headers).status_code == 403
    assert ada.http.get("/api/v1/users?role=admin").status_code == 403
    ada.http.cookies.set("role", "admin")
    assert ada.http.get("/api/v1/users").status_code == 403
    change = {"current": "a lamp beside the film", "new": "two lamps there now", "role": "admin"}
    assert ada.http.put("/api/v1/session/password", json=change, headers=ada.own()).status_code == 422
    assert ward.worklist.users.get("ada").role == "reader"  # type: ignore[union-attr]


def test_a_role_holds_from_the_next_request_on(ward: Room, ada: Visitor, grace: Visitor) -> None:
    assert grace.http.patch("/api/v1/users/ada", json={"role": "admin"}, headers=grace.own()).status_code == 200
    assert ada.http.get("/api/v1/users").status_code == 200
    ward.worklist.users.set_role("ada", "reader", by="test")
    assert ada.http.get("/api/v1/users").status_code == 403


def test_the_last_administrator_stays(ward: Room, grace: Visitor) -> None:
    assert grace.http.patch("/api/v1/users/grace", json={"role": "reader"}, headers=grace.own()).status_code == 400
    assert grace.http.patch("/api/v1/users/grace", json={"active": False}, headers=grace.own()).status_code == 409
    assert ward.worklist.users.get("grace").role == "admin"  # type: ignore[union-attr]


def test_ones_own_password_needs_the_current_one(grace: Visitor) -> None:
    # A browser that was left open must not be enough to take the account over.
    body = {"password": "now it is mine alone"}
    answer = grace.http.patch("/api/v1/users/grace", json=body, headers=grace.own())
    assert (answer.status_code, answer.json()["code"]) == (409, "own-password")


@pytest.mark.parametrize(
    ("new", "status"),
    [
        (NEW, 201),
        (NEW | {"role": "root"}, 422),
        (NEW | {"name": "ADA"}, 409),  # as another in other letters
        (NEW | {"name": "local"}, 400),
        (NEW | {"name": "eve/../ada"}, 400),
        (NEW | {"name": "eve\r\nX: 1"}, 400),
        (NEW | {"name": "\u0435ve"}, 400),  # the first letter is Cyrillic
        (NEW | {"name": ""}, 400),
        (NEW | {"name": "e" * 65}, 422),
        (NEW | {"password": "too short"}, 400),
        (NEW | {"password": "password123"}, 400),
        (NEW | {"password": "I am eve, let me in"}, 400),
        (NEW | {"password": "x" * 300}, 400),
        (NEW | {"id": "1"}, 422),
        ({"name": "eve"}, 422),
    ],
)
def test_making_users(grace: Visitor, new: dict[str, str], status: int) -> None:
    answer = grace.http.post("/api/v1/users", json=new, headers=grace.own())
    assert answer.status_code == status, answer.text
    assert new.get("password", "-") not in answer.text
    assert "argon2" not in answer.text


@pytest.mark.parametrize("odd", ["..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "'; DROP TABLE x; --", "%"])
def test_ids_that_are_none(grace: Visitor, odd: str) -> None:
    for method, path in (("PATCH", "users/{}"), ("DELETE", "users/{}/sessions"), ("DELETE", "tokens/{}")):
        answer = grace.http.request(method, f"/api/v1/{path.format(odd)}", json={"unlock": True}, headers=grace.own())
        assert answer.status_code in (400, 404, 405, 422), (odd, path)
        assert "passwd" not in answer.text


def test_an_unknown_role_may_nothing() -> None:
    assert scopes_of("root") == frozenset()
    assert ROLES["reader"] < ROLES["admin"]
    nobody = Identity("x", "reader", frozenset(), "token")
    assert not any(nobody.may(scope) for scope in ("read", "write", "admin"))
