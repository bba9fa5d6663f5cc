"""The pages before one is logged in: login, first run, logout."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from pneumoscope.errors import Conflict, PneumoscopeError, UsageError
from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.identity import Denied, Identity, Reader
from pneumoscope.server.auth.login import check_name, log_in
from pneumoscope.server.auth.passwords import MIN_LENGTH, check_rules
from pneumoscope.server.auth.state import auth_state
from pneumoscope.server.context import Here
from pneumoscope.server.pages.render import page

__all__ = ["router", "safe_target"]

router = APIRouter(include_in_schema=False)

_TARGET = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # a path of ours: printable ASCII, no backslash, not "//host"

_Text = Annotated[str, Field(max_length=1000)]


class _Login(BaseModel):
    name: _Text = ""
    password: _Text = ""
    next: _Text = "/"


class _Setup(BaseModel):
    code: _Text = ""
    name: _Text = ""
    password: _Text = ""
    again: _Text = ""


def safe_target(wanted: str) -> str:
    """Where to go after the login: a path of ours, or the first page."""
    return wanted if len(wanted) <= 2000 and _TARGET.fullmatch(wanted) and not wanted.startswith("/login") else "/"


@router.get("/login")
async def login_page(request: Request, here: Here, next: str = "/") -> Response:  # noqa: A002 - its name in the address
    """The form; who is in already goes on."""
    guards = auth_state(request.app)
    if _who(request) is not None:
        return RedirectResponse(safe_target(next), 303)
    if not await run_in_threadpool(guards.has_users, here.worklist):
        return RedirectResponse("/setup", 303)
    return _draw(request, "login", title="Log in", target=safe_target(next), user="")


@router.post("/login")
async def login(request: Request, here: Here, form: Annotated[_Login, Form()]) -> Response:
    """Let a person in: with a new session, whatever session the browser had before."""
    guards = auth_state(request.app)
    name, target = form.name.strip(), safe_target(form.next)
    try:
        user = await log_in(guards, here.worklist, name, form.password, address=request.state.address)
    except Denied as no:
        return _draw(request, "login", no=no, title="Log in", target=target, user=name[:64])
    return await run_in_threadpool(_enter, request, here, user.name, target)


@router.post("/logout")
def logout(request: Request, here: Here, who: Reader) -> Response:
    """End the session, and have the browser forget what it kept of films."""
    if who.session:
        here.worklist.sessions.end(who.session)
        here.worklist.audit.write(who.name, "logout", f"user:{who.name}")
    answer = RedirectResponse("/login", 303, headers={"Clear-Site-Data": '"cache"'})
    sessions.forget_cookie(answer, sessions.SESSION_COOKIE, https=request.state.https)
    return answer


@router.get("/setup")
async def setup_page(request: Request, here: Here) -> Response:
    """The form that makes the first administrator; gone as soon as there is one."""
    guards = auth_state(request.app)
    if await run_in_threadpool(guards.has_users, here.worklist):
        return RedirectResponse("/login", 303)
    if _who(request) is None and not guards.needs_code():
        return _draw(request, "local_token", title="Local token")
    return _setup(request)


@router.post("/setup")
async def setup(request: Request, here: Here, form: Annotated[_Setup, Form()]) -> Response:
    """Make the first administrator, and let them in."""
    guards = auth_state(request.app)
    if await run_in_threadpool(guards.has_users, here.worklist):
        return RedirectResponse("/login", 303)
    name = form.name.strip()
    try:
        await _first(request, here, form, name)
    except PneumoscopeError as error:
        status = 409 if isinstance(error, Conflict) else 400
        # What is wrong is not the code, so that it need not be typed again.
        no = Denied(status, error.code, error.what, error.remedy)
        return _setup(request, no=no, user=name[:64], code=form.code[:40])
    except Denied as no:
        return _setup(request, no=no, user=name[:64])
    return await run_in_threadpool(_enter, request, here, name, "/")


async def _first(request: Request, here: Here, form: _Setup, name: str) -> None:
    """Make the first administrator. The rules come before the code, so that a weak password takes no try."""
    guards = auth_state(request.app)
    check_name(name)
    check_rules(form.password, name)
    if form.password != form.again:
        raise UsageError("the two passwords are not the same", remedy="Type the same one twice")
    if _who(request) is None:
        if wait := guards.tries.take(request.state.address):
            raise Denied.too_many(wait)
        if not guards.needs_code() or not guards.first.check(form.code):
            await run_in_threadpool(here.worklist.audit.write, "nobody", "setup.failed", address=request.state.address)
            raise Denied(
                403,
                "setup-code",
                "this code does not work: it is wrong, was used, or is older than half an hour",
                "The server shows a new one when it is started again",
            )
    kept = await run_in_threadpool(guards.passwords.hash, form.password)
    await run_in_threadpool(here.worklist.users.create_first, name, kept, by="setup")
    guards.first.spend()


def _who(request: Request) -> Identity | None:
    found = request.state.identity
    return found if isinstance(found, Identity) else None


def _enter(request: Request, here: Here, user: str, target: str) -> Response:
    """Begin a session; the one that the browser came with, if any, ends."""
    guards, https = auth_state(request.app), request.state.https
    sessions.end_session(here.worklist, sessions.cookie_of(request.headers, sessions.SESSION_COOKIE, https=https))
    secret = sessions.begin_session(here.worklist, user, guards.policy, now=guards.now())
    answer = RedirectResponse(target, 303)
    sessions.give_cookie(answer, sessions.SESSION_COOKIE, secret, https=https)
    return answer


def _setup(request: Request, *, no: Denied | None = None, user: str = "", code: str = "") -> Response:
    guards = auth_state(request.app)
    coded = _who(request) is None
    return _draw(
        request,
        "setup",
        no=no,
        title="First run",
        user=user,
        code=code,
        coded=coded,
        open=guards.first.open,
        least=MIN_LENGTH,
    )


def _draw(request: Request, name: str, *, no: Denied | None = None, title: str, **values: object) -> Response:
    """Draw a form, with what was wrong with the one before."""
    who = _who(request)
    answer = page(
        request,
        who if who is not None and who.via == "local" else None,
        name,
        title=title,
        active=name,
        status=200 if no is None else no.status_code,
        wrong="" if no is None else _sentence(no.what),
        remedy="" if no is None else _sentence(no.remedy),
        **values,
    )
    if no is not None and no.headers and "Retry-After" in no.headers:
        answer.headers["Retry-After"] = no.headers["Retry-After"]
    return answer


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""
