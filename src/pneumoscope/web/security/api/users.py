"""Users: made, changed and shut out by administrators. None is deleted: the audit log's names keep their meaning."""

from __future__ import annotations

from fastapi import APIRouter, Request

from pneumoscope.errors import UsageError
from pneumoscope.web.context import Here
from pneumoscope.web.security.api.shapes import NewUser, UserChange, UserName, UserOut, Users
from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.login import check_name
from pneumoscope.web.security.passwords import check_rules
from pneumoscope.web.security.state import guards_of
from pneumoscope.web.security.who import Admin, no_token

__all__ = ["router"]

router = APIRouter(prefix="/users", tags=["users"])


@router.get("")
def all_users(here: Here, who: Admin) -> Users:
    """All users, by name."""
    del who
    return Users(items=[UserOut.of(row) for row in here.worklist.users.list()])


@router.post("", status_code=201)
def make(request: Request, here: Here, who: Admin, new: NewUser) -> UserOut:
    """Make a user. The first one is an administrator, and from then on everybody logs in."""
    no_token(who)
    guards = guards_of(request.app)
    check_name(new.name)
    check_rules(new.password, new.name)
    if guards.has_users(here.worklist):
        row = here.worklist.users.create(new.name, guards.passwords.hash(new.password), role=new.role, by=who.name)
    elif new.role != "admin":
        raise UsageError("the first user must be an administrator", where="role", remedy="Give role admin")
    else:
        row = here.worklist.users.create_first(new.name, guards.passwords.hash(new.password), by=who.name)
    return UserOut.of(row)


@router.patch("/{name}")
def change(request: Request, here: Here, who: Admin, name: UserName, what: UserChange) -> UserOut:
    """Change a user's role, let one in or shut one out, give a new password, or end a lockout.

    Shutting out and a new password end the user's sessions; what a user may do changes with the next request. The
    last active administrator stays one.
    """
    no_token(who)
    users = here.worklist.users
    row = users.get(name)
    if row is None:
        raise Denied(404, "not-found", "there is no such user")
    if who.name == row.name and (what.active is False or what.password is not None):
        raise _by_another(what)
    if what.password is not None:
        check_rules(what.password, row.name)
    if what.role is not None and what.role != row.role:
        row = users.set_role(row.name, what.role, by=who.name)
    if what.active is not None and what.active != row.active:
        row = users.set_active(row.name, what.active, by=who.name)
        if not what.active:
            here.worklist.sessions.end_all(row.name)
    if what.password is not None:
        row = users.set_password(row.name, guards_of(request.app).passwords.hash(what.password), by=who.name)
        here.worklist.sessions.end_all(row.name)
    if what.unlock:
        row = users.unlock(row.name, by=who.name)
    return UserOut.of(row)


@router.delete("/{name}/sessions", status_code=204)
def end_sessions(here: Here, who: Admin, name: UserName) -> None:
    """Log a user out everywhere."""
    no_token(who)
    row = here.worklist.users.get(name)
    if row is None:
        raise Denied(404, "not-found", "there is no such user")
    ended = here.worklist.sessions.end_all(row.name)
    here.worklist.audit.write(who.name, "session.end", f"user:{row.name}", ended=ended)


def _by_another(what: UserChange) -> Denied:
    if what.password is not None:
        return Denied(409, "own-password", "your own password is changed with the current one", "Use the account page")
    return Denied(409, "own-account", "you cannot shut yourself out", "Have another administrator do it")
