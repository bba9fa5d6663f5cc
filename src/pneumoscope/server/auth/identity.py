"""Who asks: the identity behind a request, what a route demands of it, and the refusal.

Every route takes one of ``Reader``, ``Writer`` and ``Admin``, or stands in ``PUBLIC``; a test walks all of them::

    @router.post("/studies/{study}/verdicts")
    def give(study: str, who: Writer) -> ...: ...

The identity itself is found before any route runs (``middleware.py``) and lies in the request's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = [
    "LOCAL_IDENTITY",
    "PUBLIC",
    "ROLES",
    "Admin",
    "Denied",
    "Identity",
    "Reader",
    "Role",
    "Scope",
    "Writer",
    "blind_reader",
    "require_person",
    "scopes_of",
]


class Denied(HTTPException):
    """A request that is turned away, on purpose and in plain words.

    Args:
        status: Of HTTP.
        code: For programs ("origin", "locked"); one word.
        what: What happened, one clause without a full stop. Never tells whether a user or an id exists.
        remedy: What the person can do, one sentence without a full stop.
        headers: To send along (``Retry-After``).
    """

    def __init__(
        self, status: int, code: str, what: str, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail=f"{what}. {remedy}." if remedy else f"{what}.", headers=headers)
        self.code = code
        self.what = what
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes."""
        return (type(self), (self.status_code, self.code, self.what, self.remedy, self.headers))

    @classmethod
    def unknown(cls) -> Denied:
        """Nobody is signed in."""
        return cls(
            401,
            "login-required",
            "this needs a login",
            "Log in, or send an API token",
            {"WWW-Authenticate": 'Bearer realm="pneumoscope"'},
        )

    @classmethod
    def scope(cls, scope: str, *, by_token: bool) -> Denied:
        """Somebody is, but may not do this."""
        if by_token:
            return cls(403, "scope", f"this token does not have the scope {scope}", "Use a token that has it")
        return cls(403, "role", "your role does not allow this", "Ask an administrator of this web application")

    @classmethod
    def blinded(cls) -> Denied:
        """The film is read in a reader study, and its reader must not see what else is known of it."""
        return cls(
            403,
            "blinded",
            "this film belongs to a reader study in which you read",
            "It is shown here when the reader study is closed",
        )

    @classmethod
    def too_many(cls, seconds: float) -> Denied:
        """Too many requests; come back in so many seconds."""
        wait = max(1, int(seconds + 0.999))
        return cls(
            429, "too-many-requests", "too many requests", f"Wait {wait} s and try again", {"Retry-After": str(wait)}
        )


Role = Literal["reader", "admin"]
Scope = Literal["read", "write", "admin"]

PUBLIC = ("/login", "/setup", "/static", "/favicon.ico", "/healthz", "/readyz")
"""Paths that need no identity, with what lies below them. Nothing here shows a film, a reading or a name."""

ROLES: dict[str, frozenset[str]] = {
    "reader": frozenset({"read", "write"}),
    "admin": frozenset({"read", "write", "admin"}),
}
"""What each role may do. A token has some of its owner's scopes, never more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    Attributes:
        name: Of the user; "local" for who started the server, while there are no users.
        role: "reader" reads films and gives verdicts; "admin" also keeps users, bundles and settings, and deletes.
        scopes: Of "read", "write", "admin".
        via: How they are known: "local" (the token that the terminal prints, without users), "session" (cookie), or
            "token" (API).
        cookie: Known by a cookie, which a browser sends by itself, also where a page of another site made it ask.
        session: sha256 of the session's cookie; empty without one.
        token: Id of the token; empty without one.
    """

    name: str
    role: Role
    scopes: frozenset[str]
    via: Literal["local", "session", "token"]
    cookie: bool = False
    session: str = ""
    token: str = ""

    def may(self, scope: Scope) -> bool:
        """Whether this identity has the scope."""
        return scope in self.scopes


LOCAL_IDENTITY = Identity(name="local", role="admin", scopes=ROLES["admin"], via="local")
"""The person who holds the local token."""


def blind_reader(who: Identity) -> str:
    """The name under which films of running reader studies are left out of lists; empty for administrators."""
    return "" if who.role == "admin" else who.name


def scopes_of(role: str) -> frozenset[str]:
    """What a role may do; nothing if it is unknown."""
    return ROLES.get(role, frozenset())


def require_person(who: Identity) -> None:
    """Demand a person: users, passwords and tokens are not a token's to keep, or a stolen one would outlive itself.

    Raises:
        Denied: It is a token.
    """
    if who.via == "token":
        raise Denied(403, "token", "a token cannot do this", "Log in with name and password")


def _identity(connection: HTTPConnection, scope: Scope) -> Identity:
    found = getattr(connection.state, "identity", None)
    if not isinstance(found, Identity):
        raise Denied.unknown()
    if not found.may(scope):
        raise Denied.scope(scope, by_token=found.via == "token")
    _check_blinding(connection, found)
    return found


def _check_blinding(connection: HTTPConnection, who: Identity) -> None:
    """Keep a reader of a running reader study from what the worklist knows of its films.

    Asked here, so that no route that names a study, a film or a reading can forget it.

    Raises:
        Denied: The film is of such a study.
    """
    named = connection.path_params
    if who.role == "admin" or not named.keys() & {"study", "sha256", "reading"}:
        return
    blinding = connection.app.state.context.worklist.reader_studies.blinding
    names = {key: str(named.get(name, "")) for key, name in (("study", "study"), ("film", "sha256"))}
    if blinding.hides(who.name, **names, reading=str(named.get("reading", ""))):
        raise Denied.blinded()


# It checks nothing: it tells the API's description that a token may stand in the header.
_Told = Annotated[object, Depends(HTTPBearer(auto_error=False, scheme_name="token", description="An API token"))]


def reader(connection: HTTPConnection, _: _Told = None) -> Identity:
    """Demand an identity that may read."""
    return _identity(connection, "read")


def writer(connection: HTTPConnection, _: _Told = None) -> Identity:
    """Demand one that may add films, readings, verdicts and notes."""
    return _identity(connection, "write")


def admin(connection: HTTPConnection, _: _Told = None) -> Identity:
    """Demand one that may keep users, bundles and settings, delete, and see the audit log."""
    return _identity(connection, "admin")


Reader = Annotated[Identity, Depends(reader)]
Writer = Annotated[Identity, Depends(writer)]
Admin = Annotated[Identity, Depends(admin)]
