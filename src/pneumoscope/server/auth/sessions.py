"""Sessions: the cookie, and who is behind it.

The cookie holds 256 bits of chance and nothing else; the store knows its sha256. It is HttpOnly, SameSite=Strict, and
over https Secure, with the prefix ``__Host-`` that keeps neighbouring hosts from setting it.

References:
    OWASP Session Management; RFC 6265bis section 4.1.3 (cookie name prefixes).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pneumoscope.server.auth.identity import Identity, scopes_of
from pneumoscope.server.auth.tokens import new_secret, token_hash

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response

    from pneumoscope.server.auth.policy import Policy
    from pneumoscope.server.store.worklist import Worklist

__all__ = [
    "LOCAL_COOKIE",
    "SESSION_COOKIE",
    "begin_session",
    "cookie_of",
    "end_session",
    "find_session",
    "forget_cookie",
    "give_cookie",
]

SESSION_COOKIE = "pneumoscope_session"
"""The cookie of who is logged in."""

LOCAL_COOKIE = "pneumoscope_local"
"""How the cookie of the local person begins, while there are no users."""

_LENGTH = 43
_TOUCH = timedelta(minutes=1)  # the last use is written down at most so often


def cookie_of(headers: Headers, name: str, *, https: bool) -> str:
    """A cookie of ours; empty if it is not there, has another form, or is there twice (somebody slipped one in)."""
    full = _full(name, https=https)
    found = []
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == full:
                found.append(value)
    if len(found) != 1 or len(found[0]) != _LENGTH or not found[0].isascii():
        return ""
    return found[0]


def give_cookie(response: Response, name: str, secret: str, *, https: bool) -> None:
    """Send a cookie that ends with the browser's session."""
    response.set_cookie(_full(name, https=https), secret, path="/", httponly=True, samesite="strict", secure=https)


def forget_cookie(response: Response, name: str, *, https: bool) -> None:
    """Take a cookie back."""
    response.delete_cookie(_full(name, https=https), path="/", httponly=True, samesite="strict", secure=https)


def begin_session(worklist: Worklist, user: str, policy: Policy, *, now: datetime) -> str:
    """Start a session with a new secret.

    Returns:
        The secret, for the cookie.

    Raises:
        NotFound: There is no such user.
    """
    secret = new_secret()
    worklist.sessions.start(token_hash(secret), user=user, csrf="", expires=now + policy.idle)
    return secret


def find_session(
    worklist: Worklist, secret: str, policy: Policy, *, now: datetime, used: bool = True
) -> Identity | None:
    """Who holds this cookie.

    Args:
        worklist: The store.
        secret: The cookie's.
        policy: With the two ends of a session: not used for so long, and so long at all.
        now: The time, aware.
        used: This request is a person's doing, so that the session goes on.

    Returns:
        None if the session has ended, or the user was deactivated.
    """
    key = token_hash(secret)
    known = worklist.sessions.get(key)
    if known is None:
        return None
    session, user = known
    last = session.created + policy.absolute
    if now >= min(last, session.expires) or not user.active:
        worklist.sessions.end(key)
        return None
    if used and now - session.last_seen >= _TOUCH:
        worklist.sessions.seen(key, expires=min(last, now + policy.idle))
    return Identity(user.name, user.role, scopes_of(user.role), "session", cookie=True, session=key)


def end_session(worklist: Worklist, secret: str) -> None:
    """End a session by its cookie; one that is not there is no error."""
    if secret:
        worklist.sessions.end(token_hash(secret))


def _full(name: str, *, https: bool) -> str:
    return f"__Host-{name}" if https else name
