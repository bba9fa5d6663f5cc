"""Who I am here, where else I am logged in, my password, and the way out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from pneumoscope.web.context import Here
from pneumoscope.web.security import sessions
from pneumoscope.web.security.api.shapes import NewPassword, SessionOut, Who
from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.login import log_in
from pneumoscope.web.security.passwords import check_rules
from pneumoscope.web.security.state import guards_of
from pneumoscope.web.security.who import Identity, Reader

__all__ = ["router"]

router = APIRouter(prefix="/session", tags=["session"])


@router.get("")
def who_am_i(who: Reader) -> Who:
    """Name, role, scopes, and the CSRF value that a browser's unsafe requests bring in ``X-CSRF-Token``."""
    return Who(name=who.name, role=who.role, scopes=sorted(who.scopes), via=who.via, csrf=who.csrf)


@router.delete("", status_code=204)
def log_out(request: Request, here: Here, who: Reader) -> Response:
    """End this session."""
    _session_of(who)
    here.worklist.sessions.end(who.session)
    here.worklist.audit.write(who.name, "logout", f"user:{who.name}")
    answer = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    sessions.forget_cookie(answer, sessions.SESSION, https=request.state.https)
    return answer


@router.get("/all")
def everywhere(here: Here, who: Reader) -> list[SessionOut]:
    """Where I am logged in."""
    _session_of(who)
    return [
        SessionOut(created=row.created, last_seen=row.last_seen, expires=row.expires, this=row.hash == who.session)
        for row in here.worklist.sessions.list(who.name)
    ]


@router.delete("/others", status_code=204)
def leave_others(here: Here, who: Reader) -> None:
    """End my sessions everywhere but here."""
    _session_of(who)
    ended = here.worklist.sessions.end_all(who.name, but=who.session)
    here.worklist.audit.write(who.name, "session.end", f"user:{who.name}", ended=ended)


@router.put("/password", status_code=204)
async def change_password(request: Request, here: Here, who: Reader, change: NewPassword) -> Response:
    """Change my password. All my sessions end; this browser gets a new one."""
    _session_of(who)
    guards = guards_of(request.app)
    check_rules(change.new, who.name)
    try:  # the same way as at the login, so that a stolen session cannot guess without end
        where = request.state.address
        await log_in(guards, here.worklist, who.name, change.current, address=where, action="password.check")
    except Denied as no:
        if no.code != "login-failed":
            raise
        raise Denied(403, "password", "the current password is not right", "Type it again") from None

    def changed() -> str:
        here.worklist.users.set_password(who.name, guards.passwords.hash(change.new), by=who.name)
        here.worklist.sessions.end_all(who.name)
        return sessions.begin(here.worklist, who.name, guards.policy, now=guards.now())

    answer = Response(status_code=204)
    secret = await run_in_threadpool(changed)
    sessions.give_cookie(answer, sessions.SESSION, secret, https=request.state.https)
    return answer


def _session_of(who: Identity) -> None:
    if not who.session:
        raise Denied(409, "no-session", "this needs a login in a browser", "Log in with name and password")
