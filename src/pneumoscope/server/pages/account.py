"""My account: password, tokens, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.api import accounts as session_api
from pneumoscope.server.api import accounts as token_api
from pneumoscope.server.api.accounts import NewPassword, NewToken
from pneumoscope.server.auth.identity import Denied, Identity, Reader
from pneumoscope.server.auth.passwords import MIN_LENGTH
from pneumoscope.server.context import Context, Here
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page

if TYPE_CHECKING:
    from pneumoscope.server.api.accounts import TokenOut

__all__ = ["router"]

router = APIRouter(include_in_schema=False, prefix="/account", route_class=PageRoute)

_SCOPES = {
    "read": "look at studies, films and reports",
    "write": "read films, give verdicts, write notes",
    "admin": "everything that an administrator may",
}

Text = Annotated[str, Form(max_length=1000)]


@router.get("")
def account(request: Request, here: Here, who: Reader, done: str = "") -> HTMLResponse:
    """The page."""
    return _draw(request, here, who, done=done)


@router.post("/password", response_model=None)
async def password(request: Request, here: Here, who: Reader, *, current: Text, new: Text, again: Text) -> Response:
    """Change one's password."""
    if new != again:
        return _draw(request, here, who, wrong="The two new passwords are not the same.", status=400)
    try:
        changed = await session_api.change_password(request, here, who, NewPassword(current=current, new=new))
    except (Denied, PneumoscopeError) as no:
        return _draw(request, here, who, wrong=_sentences(no), status=400)
    answer = RedirectResponse("/account?done=password", status_code=303)
    for name, value in changed.headers.items():
        if name.lower() == "set-cookie":
            answer.headers.append(name, value)
    return answer


@router.post("/others")
def others(here: Here, who: Reader) -> RedirectResponse:
    """Log out everywhere else."""
    session_api.end_other_sessions(here, who)
    return RedirectResponse("/account?done=others", status_code=303)


@router.post("/tokens")
def make_token(
    request: Request,
    here: Here,
    who: Reader,
    *,
    name: Text,
    scopes: Annotated[list[str], Form(default_factory=list)],
    days: Annotated[int, Form()] = 90,
) -> HTMLResponse:
    """Make a key; it stands in this answer, and never again."""
    try:
        new = NewToken.model_validate({"name": name, "scopes": scopes, "days": days})
        made = token_api.create_token(request, here, who, new)
    except (Denied, PneumoscopeError) as no:
        return _draw(request, here, who, wrong_token=_sentences(no), status=400)
    except ValueError:
        told = "A token needs a name in plain letters, at least one thing that it may do, and 1 to 366 days."
        return _draw(request, here, who, wrong_token=told, status=422)
    return _draw(request, here, who, made=made)


@router.post("/tokens/{token}/revoke")
def revoke(here: Here, who: Reader, token: str) -> RedirectResponse:
    """Revoke one of one's keys."""
    token_api.revoke_token(here, who, token)
    return RedirectResponse("/account?done=revoke", status_code=303)


def _draw(
    request: Request,
    here: Context,
    who: Identity,
    *,
    done: str = "",
    wrong: str = "",
    wrong_token: str = "",
    made: TokenOut | None = None,
    status: int = 200,
) -> HTMLResponse:
    told = {
        "password": "Your password is changed, and you are logged out everywhere else.",
        "others": "You are logged out everywhere else.",
        "revoke": "The token is revoked.",
    }
    local = who.via != "session"
    return page(
        request,
        who,
        "account",
        active="account",
        status=status,
        me=who,
        local=local,
        sessions=() if local else here.worklist.sessions.list(who.name),
        tokens=() if local else here.worklist.tokens.list(who.name),
        scopes={name: about for name, about in _SCOPES.items() if name in who.scopes},
        told=told.get(done, ""),
        wrong=wrong,
        wrong_token=wrong_token,
        made=made,
        least=MIN_LENGTH,
        say=words,
    )


def _sentences(no: Denied | PneumoscopeError) -> str:
    said = f"{no.what[:1].upper()}{no.what[1:]}."
    return f"{said} {no.remedy}." if no.remedy else said
