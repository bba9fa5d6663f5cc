"""A request that is turned away: one exception, with the status, a code, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Denied"]


class Denied(HTTPException):
    """A request that is turned away, on purpose and in plain words.

    Args:
        status: Of HTTP.
        code: For programs ("csrf", "locked"); one word.
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
        return cls(403, "role", "your role does not allow this", "Ask an administrator of this reading room")

    @classmethod
    def too_many(cls, seconds: float) -> Denied:
        """Too many requests; come back in so many seconds."""
        wait = max(1, int(seconds + 0.999))
        return cls(
            429, "too-many-requests", "too many requests", f"Wait {wait} s and try again", {"Retry-After": str(wait)}
        )
