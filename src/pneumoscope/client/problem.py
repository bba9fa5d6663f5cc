"""What a reading room said no with."""

from __future__ import annotations

from pneumoscope.errors import PneumoscopeError

__all__ = ["Busy", "Problem", "Unreachable"]


class Problem(PneumoscopeError):
    """An answer that is an error (RFC 9457).

    Attributes:
        status: Of HTTP.
        kind: The code for programs: "busy", "not-found", "too-large", ...
    """

    code = "problem"

    def __init__(self, what: str, *, status: int, kind: str, where: str | None = None, remedy: str = "") -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.status, self.kind = status, kind

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes."""
        return (_problem, (type(self), (self.what, self.status, self.kind, self.where, self.remedy)))


class Busy(Problem):
    """The queue stayed full for as long as the client was willing to wait."""


class Unreachable(PneumoscopeError):
    """The reading room does not answer."""

    code = "unreachable"


def _problem(kind_of: type[Problem], parts: tuple[str, int, str, str | None, str]) -> Problem:
    what, status, kind, where, remedy = parts
    return kind_of(what, status=status, kind=kind, where=where, remedy=remedy)
