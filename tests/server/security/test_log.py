"""The audit log over the API: who did what, for administrators, and whether it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.server.auth.audit import record_audit
from pneumoscope.server.auth.identity import Identity

if TYPE_CHECKING:
    from tests.server.security.conftest import Room


def test_every_step_is_written_down(ward: Room) -> None:
    start = len(ward.actions())
    ada, grace = ward.visitor(), ward.visitor()
    ada.log_in(password="not the password")  # noqa: S106
    ada.log_in()
    grace.log_in("grace")
    new = {"name": "joan", "role": "reader", "password": "a lamp beside the film"}
    grace.http.post("/api/v1/users", json=new, headers=grace.own())
    grace.http.patch("/api/v1/users/joan", json={"role": "admin"}, headers=grace.own())
    grace.http.patch("/api/v1/users/joan", json={"active": False}, headers=grace.own())
    grace.http.patch("/api/v1/users/ada", json={"password": "another lamp here"}, headers=grace.own())
    made = grace.http.post("/api/v1/tokens", json={"name": "x", "scopes": ["read"]}, headers=grace.own()).json()
    grace.http.delete(f"/api/v1/tokens/{made['id']}", headers=grace.own())
    grace.http.delete("/api/v1/users/ada/sessions", headers=grace.own())
    grace.http.post("/logout", headers=grace.own())
    assert ward.actions()[start:] == [
        "login.failed",
        "login",
        "login",
        "user.create",
        "user.role",
        "user.active",
        "user.password",
        "token.create",
        "token.revoke",
        "session.end",
        "logout",
    ]
    text = repr(ward.worklist.audit.page(limit=500).items)
    assert "lamp" not in text
    assert "argon2" not in text


def test_an_administrator_reads_it_in_pages(ward: Room) -> None:
    grace = ward.visitor()
    grace.log_in("grace")
    for number in range(7):
        record_audit(ward.app.state.context, "node", "film.read", f"study:{number}", bundle="standard 0.2.0")
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = grace.http.get(f"/api/v1/audit?limit=3&action=film.{f'&cursor={cursor}' if cursor else ''}").json()
        seen += [entry["target"] for entry in answer["items"]]
        cursor = answer["next"]
    assert seen == [f"study:{number}" for number in range(6, -1, -1)]
    assert grace.http.get("/api/v1/audit?cursor=nonsense").status_code == 400
    assert grace.http.get("/api/v1/audit?limit=100000").status_code == 422
    assert grace.http.get("/api/v1/audit?since=2026-01-01T00:00:00Z").status_code == 200
    assert grace.http.get("/api/v1/audit?since=2026-01-01T00:00:00").status_code == 422


def test_it_says_whether_it_is_whole(ward: Room) -> None:
    from sqlalchemy import text

    grace = ward.visitor()
    grace.log_in("grace")
    whole = grace.http.get("/api/v1/audit/check").json()
    assert whole["ok"]
    assert whole["entries"] == 3
    with ward.worklist.database.engine.begin() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence = 2"))
    broken = grace.http.get("/api/v1/audit/check").json()
    assert (broken["ok"], broken["first_bad"]) == (False, 2)


def test_a_tokens_doing_names_the_token(ward: Room) -> None:
    who = Identity("ada", "reader", frozenset({"read"}), "token", token="t1")  # noqa: S106
    entry = record_audit(ward.app.state.context, who, "report.export", "study:7", format="pdf")
    assert (entry.actor, entry.detail) == ("ada", {"format": "pdf", "token": "t1"})
