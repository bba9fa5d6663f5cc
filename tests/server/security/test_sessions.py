"""Logging in and out: the cookie, and everything that ends a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.auth.tokens import token_hash
from pneumoscope.server.pages.login import safe_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.security.conftest import Room

OTHER = "two lamps beside the film"
FILM = "/api/v1/films/7"


def test_login_gives_a_cookie_that_scripts_and_other_sites_do_not_get(ward: Room) -> None:
    ada = ward.visitor()
    form = {
        "name": "ada",
        "password": "a lamp beside the film",
        "next": "/worklist?call=pneumonia",
    }
    answer = ada.http.post("/login", data=form, headers={"Origin": ada.base})
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist?call=pneumonia")
    cookie = next(
        each for each in answer.headers.get_list("set-cookie") if "_session=" in each and "Max-Age=0" not in each
    )
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert ada.http.get(FILM).status_code == 200
    assert len(ada.session()) == 43
    assert ward.actions()[-1] == "login"


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(open_room: Callable[..., Room]) -> None:
    room = open_room(host="0.0.0.0", secure_cookies=True, allowed_hosts="films.ward.example")  # noqa: S104
    room.user("ada")
    ada = room.visitor(base="https://films.ward.example", address="192.0.2.9")
    assert ada.log_in() == 303
    assert ada.http.get(FILM).status_code == 200
    assert all(name.startswith("__Host-") for name in ada.http.cookies)
    assert "Strict-Transport-Security" in ada.http.get("/login").headers


def test_the_store_never_sees_the_cookie(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    secret = ada.session()
    session = ward.worklist.sessions.get(token_hash(secret))
    assert session is not None
    assert secret not in repr(session)


def test_a_session_cannot_be_fixed_beforehand(ward: Room) -> None:
    mallory = ward.visitor()
    mallory.log_in("ada")
    ada = ward.visitor()
    planted = mallory.session()
    ada.http.cookies.set("pneumoscope_session", planted)
    assert ada.http.get("/login").status_code == 303  # she is in already, by a cookie that another one gave her
    answer = ada.http.post(
        "/login",
        data={"name": "ada", "password": "a lamp beside the film"},
        headers=ada.own(),
    )
    assert answer.status_code == 303
    fresh = answer.cookies["pneumoscope_session"]
    assert fresh != planted
    assert ward.worklist.sessions.get(token_hash(planted)) is None  # what the other one holds is worth nothing now


def test_a_made_up_cookie_is_nobody(ward: Room) -> None:
    for value in ("a" * 43, "a" * 5000, "", "%00" * 20, "../../etc/passwd", "' OR 1=1 --"):
        answer = ward.visitor(browser=False).http.get(FILM, headers={"Cookie": f"pneumoscope_session={value}"})
        assert answer.status_code == 401


def test_two_cookies_of_one_name_are_none(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for values in ((ada.session(), "b" * 43), ("b" * 43, ada.session()), (ada.session(), ada.session())):
        twice = "; ".join(f"pneumoscope_session={value}" for value in values)
        assert ward.visitor(browser=False).http.get(FILM, headers={"Cookie": twice}).status_code == 401


def test_a_session_ends_when_it_is_not_used(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for _ in range(5):
        ward.clock.on(minutes=29)
        assert ada.http.get(FILM).status_code == 200
    ward.clock.on(minutes=31)
    assert ada.http.get(FILM).status_code == 401


def test_any_session_ends_some_time(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for _ in range(12 * 60 // 20 - 1):
        ward.clock.on(minutes=20)
        assert ada.http.get(FILM).status_code == 200
    ward.clock.on(minutes=21)
    assert ada.http.get(FILM).status_code == 401


def test_a_page_left_open_does_not_keep_a_session(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for _ in range(2):
        ward.clock.on(minutes=20)
        ada.http.get("/api/v1/events")  # 404 here; what counts is that the door has seen it
    assert ada.http.get(FILM).status_code == 401


def test_logout_ends_the_session_on_the_server(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    kept = ada.session()
    answer = ada.http.post("/logout", headers=ada.own())
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert ada.session() == ""
    ada.http.cookies.set("pneumoscope_session", kept)
    assert ada.http.get(FILM).status_code == 401
    assert ward.actions()[-1] == "logout"


def test_a_new_password_ends_all_sessions_but_gives_this_browser_a_new_one(ward: Room) -> None:
    here, there = ward.visitor(), ward.visitor()
    assert (here.log_in(), there.log_in()) == (303, 303)
    before = here.session()
    change = {"current": "a lamp beside the film", "new": OTHER}
    assert here.http.put("/api/v1/session/password", json=change, headers=here.own()).status_code == 204
    assert here.http.get(FILM).status_code == 200
    assert here.session() != before
    assert there.http.get(FILM).status_code == 401
    assert ward.visitor().log_in() == 401
    assert ward.visitor().log_in(password=OTHER) == 303


def test_a_new_password_needs_the_old_one_and_the_rules(ward: Room) -> None:
    ada = ward.visitor()
    ada.log_in()
    for change, status in (
        ({"current": "something else here", "new": OTHER}, 403),
        ({"current": "a lamp beside the film", "new": "short"}, 400),
        ({"current": "a lamp beside the film", "new": "ada is my name"}, 400),
    ):
        answer = ada.http.put("/api/v1/session/password", json=change, headers=ada.own())
        assert answer.status_code == status
        assert "lamp" not in answer.text
    assert ada.http.get(FILM).status_code == 200


def test_who_is_shut_out_is_out_at_once(ward: Room) -> None:
    ada, grace = ward.visitor(), ward.visitor()
    ada.log_in()
    grace.log_in("grace")
    assert grace.http.patch("/api/v1/users/ada", json={"active": False}, headers=grace.own()).status_code == 200
    assert ada.http.get(FILM).status_code == 401
    assert ward.visitor().log_in() == 401
    grace.http.patch("/api/v1/users/ada", json={"active": True}, headers=grace.own())
    assert ada.http.get(FILM).status_code == 401  # the old session does not come back
    assert ward.visitor().log_in() == 303


def test_sessions_elsewhere_can_be_seen_and_ended(ward: Room) -> None:
    here, there, grace = ward.visitor(), ward.visitor(), ward.visitor()
    here.log_in()
    there.log_in()
    listed = here.http.get("/api/v1/session/all").json()
    assert [each["this"] for each in listed].count(True) == 1
    assert len(listed) == 2
    assert here.http.delete("/api/v1/session/others", headers=here.own()).status_code == 204
    assert (here.http.get(FILM).status_code, there.http.get(FILM).status_code) == (200, 401)
    grace.log_in("grace")
    assert grace.http.delete("/api/v1/users/ada/sessions", headers=grace.own()).status_code == 204
    assert here.http.get(FILM).status_code == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x=1",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/login?next=/login",
        "/" + "a" * 3000,
        "/ünicode",
    ],
)
def test_the_login_leads_to_no_other_site(ward: Room, wanted: str) -> None:
    assert safe_target(wanted) == "/"
    ada = ward.visitor()
    form = {"name": "ada", "password": "a lamp beside the film", "next": wanted}
    answer = ada.http.post("/login", data=form, headers={"Origin": ada.base})
    if answer.status_code == 303:  # a text of thousands of characters is refused before
        assert answer.headers["location"] == "/"
    assert "x" not in answer.cookies


def test_a_good_target_is_kept() -> None:
    assert safe_target("/studies/12?reading=3&x=%2F") == "/studies/12?reading=3&x=%2F"


def test_a_person_is_led_to_the_login_and_a_program_is_told(ward: Room) -> None:
    answer = ward.visitor().http.get("/worklist?call=pneumonia&x=%22%3E")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=/worklist%3Fcall%3Dpneumonia%26x%3D%2522%253E"
    told = ward.visitor(browser=False).http.get(FILM)
    assert (told.status_code, told.json()["code"]) == (401, "login-required")
    assert told.headers["WWW-Authenticate"].startswith("Bearer")
    assert told.headers["content-type"] == "application/problem+json"


def test_a_link_from_elsewhere_goes_by_a_page_of_ours_so_that_the_strict_cookie_comes_along(ward: Room) -> None:
    heads = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = ward.visitor().http.get('/studies/1"><script>', headers=heads)
    assert answer.status_code == 200
    assert 'content="0;url=/login?next=/studies/1%2522%253E%253Cscript%253E"' in answer.text or (
        'content="0;url=/login?next=/studies/1%22%3E%3Cscript%3E"' in answer.text
    )
    assert "<script>" not in answer.text
