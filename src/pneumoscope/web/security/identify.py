"""From a request to the identity behind it: an API token, a session's cookie, or the local token."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pneumoscope.web.security import sessions
from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.keys import digest, is_token, same
from pneumoscope.web.security.who import LOCAL, Identity, scopes_of

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from pneumoscope.web.security.state import Guards
    from pneumoscope.worklist import Worklist

__all__ = ["holds_local", "identify"]

_UNTOUCHED = ("/api/v1/events",)
"""Paths that an open page asks for by itself: they do not keep a session going."""


def identify(
    guards: Guards,
    worklist: Worklist,
    *,
    headers: Headers,
    path: str,
    https: bool,
) -> Identity | None:
    """Find who asks; called in a thread, for it asks the store.

    A token goes before a cookie, and a token that is wrong is never made good by a cookie. Where a request comes from
    proves nothing: a proxy, a forwarded port and another account of the machine all come from loopback.

    Raises:
        Denied: There is a token, and it is wrong.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":  # others are those of a proxy before us
        return _of_token(guards, worklist, token.strip())
    if secret := sessions.cookie_of(headers, sessions.SESSION, https=https):
        found = sessions.find(worklist, secret, guards.policy, now=guards.now(), used=path not in _UNTOUCHED)
        if found is not None:
            return found
    if holds_local(guards, headers, https=https) and guards.takes_local(worklist):
        return replace(LOCAL, csrf=guards.local_csrf)
    return None


def holds_local(guards: Guards, headers: Headers, *, https: bool) -> bool:
    """Whether the request brings the local person's cookie, or the local token in a header; nothing is asked for it."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return same(token.strip(), guards.local_token)
    name, value = guards.local_cookie
    return same(sessions.cookie_of(headers, name, https=https), value)


def _of_token(guards: Guards, worklist: Worklist, token: str) -> Identity:
    if same(token, guards.local_token) and guards.takes_local(worklist):
        return LOCAL
    found = worklist.tokens.get(digest(token)) if is_token(token) else None
    if found is None:
        raise Denied(
            401,
            "token",
            "this API token is unknown, or it has expired",
            "Make a new one on the Admin page",
            {"WWW-Authenticate": 'Bearer realm="pneumoscope", error="invalid_token"'},
        )
    row, user = found
    if not user.active or (row.expires is not None and row.expires <= guards.now()):
        raise Denied.unknown()
    worklist.tokens.used(row.id)
    # What its owner may not do any more, it may not either.
    return Identity(user.name, user.role, frozenset(row.scopes) & scopes_of(user.role), "token", csrf="", token=row.id)
