"""API tokens: what they open, what they do not, and how they end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.server.auth.tokens import is_token, new_token, token_hash

if TYPE_CHECKING:
    from tests.server.security.conftest import Room


def make(room: Room, name: str = "ada", scopes: tuple[str, ...] = ("read",), days: int = 90) -> dict[str, Any]:
    visitor = room.visitor()
    assert visitor.log_in(name) == 303
    told = {"name": "the ward's archive", "scopes": list(scopes), "days": days}
    answer = visitor.http.post("/api/v1/tokens", json=told, headers=visitor.own())
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_is_shown_once_and_kept_as_a_hash(ward: Room) -> None:
    made = make(ward)
    token = made["token"]
    assert is_token(token)
    assert made["prefix"] == token[:13]
    known = ward.worklist.tokens.get(token_hash(token))
    assert known is not None
    assert token not in repr(known)
    assert token[len(made["prefix"]) :] not in repr(ward.worklist.audit.page(limit=500).items)
    ada = ward.visitor()
    ada.log_in()
    listed = ada.http.get("/api/v1/tokens").json()["items"]
    assert [each["token"] for each in listed] == [None]


@pytest.mark.parametrize(
    ("scopes", "read", "write", "delete"),
    [
        (("read",), 200, 403, 403),
        (("write",), 403, 200, 403),
        (("read", "write"), 200, 200, 403),
        (("admin",), 403, 403, 200),
        (("read", "write", "admin"), 200, 200, 200),
    ],
)
def test_a_token_opens_what_its_scopes_say(
    ward: Room, scopes: tuple[str, ...], read: int, write: int, delete: int
) -> None:
    http = ward.visitor(browser=False).http
    heads = bearer(make(ward, "grace", scopes)["token"])
    assert http.get("/api/v1/films/7", headers=heads).status_code == read
    assert http.post("/api/v1/verdicts", headers=heads).status_code == write
    assert http.delete("/api/v1/studies/7", headers=heads).status_code == delete


def test_a_reader_cannot_make_a_token_for_administrators(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for scopes in (["admin"], ["read", "admin"], [], ["root"], ["read"] * 4):
        answer = ada.http.post("/api/v1/tokens", json={"name": "x", "scopes": scopes}, headers=ada.own())
        assert answer.status_code in (403, 422), scopes
    odd = {"name": "x", "scopes": ["read"], "user": "grace"}
    assert ada.http.post("/api/v1/tokens", json=odd, headers=ada.own()).status_code == 422


def test_a_token_loses_what_its_owner_loses(ward: Room) -> None:
    http = ward.visitor(browser=False).http
    ward.user("joan", "admin")
    heads = bearer(make(ward, "joan", ("read", "admin"))["token"])
    assert http.delete("/api/v1/studies/7", headers=heads).status_code == 200
    ward.worklist.users.set_role("joan", "reader", by="test")
    assert http.delete("/api/v1/studies/7", headers=heads).status_code == 403
    assert http.get("/api/v1/films/7", headers=heads).status_code == 200
    ward.worklist.users.set_active("joan", False, by="test")
    assert http.get("/api/v1/films/7", headers=heads).status_code == 401


def test_a_token_expires(ward: Room) -> None:
    http = ward.visitor(browser=False).http
    heads = bearer(make(ward, days=1)["token"])
    ward.clock.on(hours=23)
    assert http.get("/api/v1/films/7", headers=heads).status_code == 200
    ward.clock.now += timedelta(hours=1)
    assert http.get("/api/v1/films/7", headers=heads).status_code == 401


def test_a_token_keeps_no_users_and_no_tokens(ward: Room) -> None:
    http = ward.visitor(browser=False).http
    made = make(ward, "grace", ("read", "write", "admin"))
    other = make(ward, "ada")
    heads = bearer(made["token"])
    new = {"name": "eve", "role": "admin", "password": "a lamp beside the film"}
    assert http.post("/api/v1/users", json=new, headers=heads).status_code == 403
    assert http.patch("/api/v1/users/ada", json={"role": "admin"}, headers=heads).status_code == 403
    assert http.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]}, headers=heads).status_code == 403
    assert http.delete(f"/api/v1/tokens/{other['id']}", headers=heads).status_code == 403
    assert http.delete("/api/v1/users/ada/sessions", headers=heads).status_code == 403
    change = {"current": "a lamp beside the film", "new": "another lamp there"}
    assert http.put("/api/v1/session/password", json=change, headers=heads).status_code == 409
    assert http.delete(f"/api/v1/tokens/{made['id']}", headers=heads).status_code == 204  # but it may end itself
    assert http.get("/api/v1/films/7", headers=heads).status_code == 401


def test_tokens_of_others_are_not_seen_and_not_revoked(ward: Room) -> None:
    of_grace = make(ward, "grace")
    of_ada = make(ward, "ada")
    ada, grace = ward.visitor(), ward.visitor()
    ada.log_in()
    grace.log_in("grace")
    assert ada.http.get("/api/v1/tokens?user=grace").status_code == 403
    assert ada.http.get("/api/v1/tokens?all=true").status_code == 403
    assert ada.http.delete(f"/api/v1/tokens/{of_grace['id']}", headers=ada.own()).status_code == 404
    assert len(grace.http.get("/api/v1/tokens?all=true").json()["items"]) == 2
    assert grace.http.delete(f"/api/v1/tokens/{of_ada['id']}", headers=grace.own()).status_code == 204
    assert grace.http.delete(f"/api/v1/tokens/{of_ada['id']}", headers=grace.own()).status_code == 404


def test_a_wrong_token_is_not_made_good_by_a_cookie(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for wrong in (new_token(), "x", "", "pneumo_" + "a" * 42, "pneumo_" + "a" * 43 + "\u00e9", "a" * 9000):
        heads = {"Authorization": f"Bearer {wrong}".encode()}
        answer = ada.http.get("/api/v1/films/7", headers={b"Authorization": heads["Authorization"]})
        assert answer.status_code == 401, wrong
        assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_nor_by_being_on_this_machine(room: Room) -> None:
    answer = room.visitor(browser=False).http.get("/api/v1/films/7", headers=bearer(new_token()))
    assert answer.status_code == 401


def test_a_token_needs_no_origin_but_a_page_of_another_site_cannot_use_it(ward: Room) -> None:
    heads = bearer(make(ward, scopes=("read", "write"))["token"])
    http = ward.visitor(browser=False).http
    assert http.post("/api/v1/verdicts", headers=heads).json() == "ada"
    assert http.post("/api/v1/verdicts", headers=heads | {"Origin": "https://evil.example"}).status_code == 403
    assert http.post("/api/v1/verdicts", headers=heads | {"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_proxys_own_authorization_is_not_ours(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    answer = ada.http.get("/api/v1/films/7", headers={"Authorization": "Basic YTpi"})
    assert answer.status_code == 200


def test_so_many_tokens_and_no_more(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    heads = ada.own()
    statuses = [
        ada.http.post("/api/v1/tokens", json={"name": str(i), "scopes": ["read"]}, headers=heads).status_code
        for i in range(51)
    ]
    assert statuses == [201] * 50 + [409]
