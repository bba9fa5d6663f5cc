"""Keys for programs: each user has their own; administrators see and revoke everybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request

from pneumoscope.web.context import Here
from pneumoscope.web.security.api.shapes import NewToken, TokenId, TokenOut, Tokens
from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.keys import TOKEN_MARK, digest, new_token
from pneumoscope.web.security.state import guards_of
from pneumoscope.web.security.who import Reader, no_token

__all__ = ["router"]

router = APIRouter(prefix="/tokens", tags=["tokens"])

_MOST = 50  # of one user
_SHOWN = len(TOKEN_MARK) + 6


@router.get("")
def some_tokens(
    here: Here,
    who: Reader,
    user: Annotated[str | None, Query(max_length=64)] = None,
    everybody: Annotated[bool, Query(alias="all")] = False,
) -> Tokens:
    """My tokens; for administrators also those of one ``user``, or ``all``."""
    wanted = None if everybody else user or who.name
    if wanted != who.name and not who.may("admin"):
        raise Denied.scope("admin", by_token=who.via == "token")
    return Tokens(items=[TokenOut.of(row) for row in here.worklist.tokens.list(wanted)])


@router.post("", status_code=201)
def make(request: Request, here: Here, who: Reader, new: NewToken) -> TokenOut:
    """Make a token for myself, with some of what I may do. ``token`` is in this answer, and never again.

    A token makes no tokens: what was stolen with one ends when it is revoked.
    """
    no_token(who)
    if who.via == "local":
        raise Denied(409, "no-users", "a token belongs to a user, and there is none yet", "Make the first user")
    if not set(new.scopes) <= who.scopes:
        raise Denied(403, "role", "your role does not have these scopes", "Ask for fewer")
    if len(here.worklist.tokens.list(who.name)) >= _MOST:
        raise Denied(409, "too-many-tokens", f"you have {_MOST} tokens", "Revoke one that is not used any more")
    token = new_token()
    row = here.worklist.tokens.create(
        digest(token),
        name=new.name,
        user=who.name,
        scopes=sorted(set(new.scopes)),
        prefix=token[:_SHOWN],
        expires=guards_of(request.app).now() + timedelta(days=new.days),
        by=who.name,
    )
    return TokenOut.of(row, token)


@router.delete("/{token}", status_code=204)
def revoke(here: Here, who: Reader, token: TokenId) -> None:
    """Revoke a token of mine; administrators revoke anybody's; a token, only itself. It ends with the next request."""
    if token != who.token:
        no_token(who)
    known = here.worklist.tokens.list(None if who.may("admin") else who.name)
    if all(row.id != token for row in known):
        raise Denied(404, "not-found", "there is no such token")
    here.worklist.tokens.revoke(token, by=who.name)
