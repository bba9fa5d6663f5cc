"""Users, sessions and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import Conflict, NotFound, UsageError

if TYPE_CHECKING:
    from tests.server.store.conftest import Clock

    from pneumoscope.server.store.worklist import Worklist

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def staffed(worklist: Worklist) -> Worklist:
    worklist.users.create_first("Anna", "hash of anna", by="setup")
    worklist.users.create("Bob", "hash of bob", role="reader", by="Anna")
    return worklist


def test_users_are_made_once(staffed: Worklist, clock: Clock) -> None:
    users = staffed.users
    assert [(row.name, row.role, row.active) for row in users.list()] == [
        ("Anna", "admin", True),
        ("Bob", "reader", True),
    ]
    anna = users.get(" aNNa ")
    assert anna is not None
    assert (anna.created, anna.last_login, anna.failures, anna.locked_until) == (clock.at, None, 0, None)
    assert users.password_of("ANNA") == "hash of anna"
    assert (users.get("nobody"), users.password_of("nobody"), users.failed("nobody", "192.0.2.1")) == (None, None, None)
    with pytest.raises(Conflict):
        users.create("BOB", "x", role="reader", by="Anna")
    with pytest.raises(Conflict):
        users.create_first("Carla", "x", by="setup")
    with pytest.raises(UsageError):
        users.create(" \n", "x", role="reader", by="Anna")
    with pytest.raises(UsageError):
        users.create("Carla", "x", role="king", by="Anna")  # type: ignore[arg-type]
    assert users.count() == users.count(active_only=True) == 2
    lines = staffed.audit.page(action="user.").items
    assert [(line.actor, line.target) for line in lines] == [("Anna", "user:Bob"), ("setup", "user:Anna")]
    assert "hash" not in str(lines)


def test_an_admin_always_remains(staffed: Worklist) -> None:
    with pytest.raises(UsageError, match="only active admin"):
        staffed.users.set_role("anna", "reader", by="Anna")
    with pytest.raises(UsageError, match="only active admin"):
        staffed.users.set_active("anna", False, by="Anna")
    anna = staffed.users.get("anna")
    assert anna is not None
    assert (anna.role, anna.active) == ("admin", True)
    assert staffed.users.set_role("bob", "admin", by="Anna").role == "admin"
    assert staffed.users.set_role("anna", "reader", by="Bob").role == "reader"
    with pytest.raises(UsageError, match="only active admin"):
        staffed.users.set_active("bob", False, by="Bob")
    with pytest.raises(NotFound):
        staffed.users.set_role("nobody", "admin", by="Bob")
    assert staffed.audit.verify().entries == 4  # what was refused is not in the log


def test_failures_lock_and_are_forgotten(staffed: Worklist, clock: Clock) -> None:
    users = staffed.users
    assert [users.failed("bob", "192.0.2.1").failures for _ in range(3)] == [1, 2, 3]  # type: ignore[union-attr]
    until = clock.at + timedelta(minutes=5)
    assert users.lock("bob", "192.0.2.1", until).locked_until == until
    row = users.unlock("bob", by="Anna")
    assert (row.failures, row.locked_until) == (0, None)
    users.failed("bob", "192.0.2.1")
    clock.forward(hours=1)
    row = users.logged_in("bob", "192.0.2.1")
    assert (row.failures, row.last_login) == (0, clock.at)
    with pytest.raises(NotFound):
        users.lock("nobody", "192.0.2.1", until)


def test_a_new_password_ends_sessions_and_a_new_hash_does_not(staffed: Worklist, clock: Clock) -> None:
    staffed.sessions.start(A, user="bob", csrf="x", expires=clock.at + timedelta(hours=1))
    staffed.users.rehash("bob", "stronger")
    assert staffed.users.password_of("bob") == "stronger"
    assert staffed.sessions.get(A) is not None
    staffed.users.set_password("bob", "other", by="Anna")
    assert staffed.users.password_of("bob") == "other"
    assert staffed.sessions.get(A) is None


def test_sessions_end(staffed: Worklist, clock: Clock) -> None:
    sessions = staffed.sessions
    hour = timedelta(hours=1)
    row = sessions.start(A, user="BOB", csrf="secret", expires=clock.at + hour)
    assert (row.user, row.csrf, row.created, row.expires) == ("Bob", "secret", clock.at, clock.at + hour)
    found = sessions.get(A)
    assert found is not None
    assert (found[0], found[1].name) == (row, "Bob")
    assert sessions.get(B) is None
    clock.forward(minutes=59)
    sessions.seen(A, expires=clock.at + hour)
    clock.forward(minutes=59)
    assert sessions.get(A) is not None
    assert sessions.list("bob")[0].last_seen == clock.at - timedelta(minutes=59)
    clock.forward(minutes=1)
    assert sessions.get(A) is None
    assert sessions.list("bob") == ()
    sessions.start(B, user="bob", csrf="", expires=clock.at + hour)
    sessions.start(C, user="bob", csrf="", expires=clock.at + hour)
    assert sessions.purge() == 1
    assert sessions.end_all("bob", but=C) == 1
    assert [one.hash for one in sessions.list("bob")] == [C]
    sessions.end(C)
    sessions.end(C)
    assert sessions.get(C) is None
    with pytest.raises(NotFound):
        sessions.start(A, user="nobody", csrf="", expires=clock.at)


def test_who_is_kept_out_is_out_at_once(staffed: Worklist, clock: Clock) -> None:
    staffed.sessions.start(A, user="bob", csrf="", expires=clock.at + timedelta(hours=1))
    staffed.tokens.create(B, name="x", user="bob", scopes=["read"], prefix="p", expires=None, by="Bob")
    staffed.users.set_active("bob", False, by="Anna")
    assert (staffed.sessions.get(A), staffed.tokens.get(B)) == (None, None)
    staffed.users.set_active("bob", True, by="Anna")
    assert staffed.sessions.get(A) is None
    assert staffed.tokens.get(B) is not None
    assert staffed.users.count(active_only=True) == 2


def test_tokens(staffed: Worklist, clock: Clock) -> None:
    tokens = staffed.tokens
    row = tokens.create(
        A,
        name="node",
        user="bob",
        scopes=["read", "write"],
        prefix="pn_ab",
        expires=clock.at + timedelta(days=1),
        by="Bob",
    )
    assert (row.user, row.scopes, row.prefix, row.last_used) == ("Bob", ("read", "write"), "pn_ab", None)
    found = tokens.get(A)
    assert found is not None
    assert (found[0], found[1].role) == (row, "reader")
    tokens.used(row.id)
    noted = clock.at
    clock.forward(seconds=30)
    tokens.used(row.id)
    assert tokens.list("BOB")[0].last_used == noted
    clock.forward(seconds=30)
    tokens.used(row.id)
    assert tokens.list("bob")[0].last_used == clock.at
    clock.forward(days=1)
    assert tokens.get(A) is None
    other = tokens.create(B, name="for ever", user="anna", scopes=["admin"], prefix="pn_cd", expires=None, by="Anna")
    assert [one.id for one in tokens.list()] == [other.id, row.id]
    assert tokens.revoke(other.id, by="Anna") == other
    assert tokens.get(B) is None
    with pytest.raises(NotFound):
        tokens.revoke(other.id, by="Anna")
    for scopes in ([], ["read", "root"]):
        with pytest.raises(UsageError):
            tokens.create(C, name="", user="bob", scopes=scopes, prefix="", expires=None, by="Bob")  # type: ignore[arg-type]
    lines = staffed.audit.page(action="token.").items
    assert [line.action for line in lines] == ["token.revoke", "token.create", "token.create"]
    assert A not in str(lines)
