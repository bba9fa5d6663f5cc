"""The first run of a server that others can reach: one code, one administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.server.app import first_run_code
from pneumoscope.server.auth.state import SetupCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.security.conftest import Room, Visitor

FORM = {"name": "grace", "password": "a lamp beside the film", "again": "a lamp beside the film"}


@pytest.fixture
def new(open_room: Callable[..., Room]) -> Room:
    return open_room(host="0.0.0.0")  # noqa: S104 - nothing listens


def send(visitor: Visitor, **form: str) -> int:
    told = FORM | form
    return visitor.http.post("/setup", data=told, headers={"Origin": visitor.base}).status_code


def test_nothing_is_open_before_there_is_an_administrator(new: Room) -> None:
    assert new.code is not None
    for address in ("127.0.0.1", "192.0.2.9"):
        program = new.visitor(browser=False, address=address).http
        for method, path in (("GET", "/api/v1/films/7"), ("POST", "/api/v1/read"), ("GET", "/api/v1/session")):
            answer = program.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (503, "no-users")
        assert new.visitor(address=address).http.get("/worklist").headers["location"] == "/setup"
        assert program.get("/healthz").status_code == 200
    assert new.visitor().http.get("/login").headers["location"] == "/setup"


def test_the_code_makes_one_administrator_and_lets_them_in(new: Room) -> None:
    grace = new.visitor(address="192.0.2.9")
    assert send(grace, code=new.code or "") == 303
    assert grace.http.get("/api/v1/users").status_code == 200
    assert new.worklist.users.list()[0].role == "admin"
    assert grace.http.get("/setup").headers["location"] == "/login"
    # replayed, by another one
    eve = new.visitor(address="192.0.2.66")
    again = eve.http.post("/setup", data=FORM | {"name": "eve", "code": new.code or ""}, headers={"Origin": eve.base})
    assert (again.status_code, again.headers["location"]) == (303, "/login")
    assert new.worklist.users.count() == 1
    assert first_run_code(new.app) is None
    assert not new.guards.first.open


def test_it_may_be_typed_as_it_comes(new: Room) -> None:
    assert send(new.visitor(), code=f"  {(new.code or '').lower().replace('-', ' ')} ") == 303


def test_wrong_codes_are_counted(new: Room) -> None:
    visitor = new.visitor()
    assert [send(visitor, code=f"AAAA-AAAA-AAAA-AAA{i}") for i in range(5)] == [403] * 5
    assert send(visitor, code=new.code or "") == 403  # the right one comes too late
    assert "no code that works" in visitor.http.get("/setup").text
    code = first_run_code(new.app)  # the server was started again
    assert send(new.visitor(address="192.0.2.8"), code=code or "") == 303
    assert new.actions().count("setup.failed") == 6


def test_what_breaks_the_rules_takes_no_try(new: Room) -> None:
    visitor = new.visitor()
    for wrong in (
        {"password": "short", "again": "short"},
        {"again": "another one here"},
        {"name": "a/b"},
        {"name": ""},
    ):
        for _ in range(3):
            assert send(visitor, code="AAAA", **wrong) == 400
    assert send(visitor, code=new.code or "") == 303


def test_from_a_page_of_another_site_nothing_is_done(new: Room) -> None:
    visitor = new.visitor()
    form = FORM | {"code": new.code or ""}
    answer = visitor.http.post("/setup", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert new.worklist.users.count() == 0


def test_the_code_gets_old() -> None:
    now = [0.0]
    first = SetupCode(clock=lambda: now[0])
    assert not first.check("")
    code = first.issue()
    now[0] = 29 * 60
    assert (first.open, first.check(code)) == (True, True)
    now[0] = 30 * 60 + 1
    assert (first.open, first.check(code)) == (False, False)


def test_codes_differ_and_the_old_one_ends() -> None:
    first = SetupCode()
    codes = [first.issue() for _ in range(50)]
    assert len(set(codes)) == 50
    assert all(len(code) == 19 and code.count("-") == 3 for code in codes)
    assert not first.check(codes[0])
    assert first.check(codes[-1])
    first.spend()
    assert not first.check(codes[-1])


def test_on_this_machine_the_first_user_needs_no_code(room: Room) -> None:
    local = room.visitor(local=True)
    page = local.http.get("/setup").text
    assert "Code from" not in page
    assert send(local) == 303
    assert local.http.get("/api/v1/users").status_code == 200
    assert room.visitor().http.get("/worklist").headers["location"].startswith("/login")


def test_on_this_machine_who_has_no_token_makes_no_user(room: Room) -> None:
    far = room.visitor()
    assert send(far) == 403
    assert send(far, code="AAAA-AAAA-AAAA-AAAA") == 403
    assert room.worklist.users.count() == 0


def test_two_at_one_moment_make_one(new: Room) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from pneumoscope.errors import Conflict

    def make(name: str) -> bool:
        try:
            new.worklist.users.create_first(name, "hash", by="setup")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, [f"user{i}" for i in range(8)])) == 1
    assert new.worklist.users.count() == 1


def test_behind_tls_as_the_docs_say(open_room: Callable[..., Room]) -> None:
    room = open_room(
        login="always", trusted_proxies="127.0.0.1", secure_cookies=True, allowed_hosts="films.ward.example"
    )
    assert room.code is not None
    grace = room.visitor(base="https://films.ward.example")
    passed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    grace.http.headers.update(passed)
    assert send(grace, code=room.code) == 303
    assert set(grace.http.cookies) == {"__Host-pneumoscope_session"}
    assert grace.http.get("/api/v1/films/7").status_code == 200
    far = room.visitor(base="https://films.ward.example")
    far.http.headers.update(passed)
    assert far.log_in("grace", "not the password") == 401
    entry = room.worklist.audit.page(action="login.failed").items[0]
    assert entry.detail["address"] == "203.0.113.9"  # the person's, and not the proxy's
    plain = {"Origin": "http://films.ward.example"}
    assert grace.http.post("/api/v1/verdicts", headers=plain).status_code == 403
