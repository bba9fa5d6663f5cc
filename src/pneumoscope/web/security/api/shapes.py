"""What the API of users and tokens gives out and takes in. Unknown fields are refused, so that none is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from pneumoscope.worklist.records import AuditEntry, TokenRow, UserRow

__all__ = [
    "Entries",
    "Entry",
    "NewPassword",
    "NewToken",
    "NewUser",
    "SessionOut",
    "TokenId",
    "TokenOut",
    "Tokens",
    "UserChange",
    "UserName",
    "UserOut",
    "Users",
    "Who",
    "Word",
]

_Role = Literal["reader", "admin"]
_Scope = Literal["read", "write", "admin"]

UserName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
TokenId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Word = Annotated[str | None, Query(max_length=200, pattern=r"^[ -~]*$")]
_Secret = Annotated[str, Field(max_length=1000, json_schema_extra={"format": "password"})]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Who(BaseModel):
    """Who asks."""

    name: str
    role: _Role
    scopes: list[str]
    via: Literal["local", "session", "token"]
    csrf: str


class SessionOut(BaseModel):
    """A place where one is logged in."""

    created: datetime
    last_seen: datetime
    expires: datetime
    this: bool


class NewPassword(_In):
    """A change of one's own password."""

    current: _Secret
    new: _Secret


class UserOut(BaseModel):
    """A user, as administrators see them."""

    name: str
    role: _Role
    active: bool
    created: datetime
    last_login: datetime | None
    failures: int
    locked_until: datetime | None

    @classmethod
    def of(cls, row: UserRow) -> UserOut:
        """Everything but the password's hash, which the row does not hold."""
        return cls(
            name=row.name,
            role=row.role,
            active=row.active,
            created=row.created,
            last_login=row.last_login,
            failures=row.failures,
            locked_until=row.locked_until,
        )


class Users(BaseModel):
    """All users, by name."""

    items: list[UserOut]


class NewUser(_In):
    """A user to make."""

    name: Annotated[str, Field(max_length=64)]
    role: _Role
    password: _Secret


class UserChange(_In):
    """What is to be changed of a user; what is left out stays."""

    role: _Role | None = None
    active: bool | None = None
    password: _Secret | None = None
    unlock: Literal[True] | None = None


class TokenOut(BaseModel):
    """A token, without its secret; of a new one, with it, for the only time."""

    id: str
    name: str
    user: str
    scopes: list[_Scope]
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    prefix: str
    token: str | None = None

    @classmethod
    def of(cls, row: TokenRow, token: str | None = None) -> TokenOut:
        """A row of the store."""
        return cls(
            id=row.id,
            name=row.name,
            user=row.user,
            scopes=list(row.scopes),
            created=row.created,
            expires=row.expires,
            last_used=row.last_used,
            prefix=row.prefix,
            token=token,
        )


class Tokens(BaseModel):
    """Tokens, newest first."""

    items: list[TokenOut]


class NewToken(_In):
    """A token to make; ``days`` until it expires."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[ -~]+$")]
    scopes: Annotated[list[_Scope], Field(min_length=1, max_length=3)]
    days: Annotated[int, Field(ge=1, le=366)] = 90


class Entry(BaseModel):
    """A line of the audit log."""

    sequence: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, object]
    previous: str
    digest: str

    @classmethod
    def of(cls, entry: AuditEntry) -> Entry:
        """A line of the store."""
        return cls(
            sequence=entry.sequence,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            detail=dict(entry.detail),
            previous=entry.previous,
            digest=entry.digest,
        )


class Entries(BaseModel):
    """Some lines, newest first; ``next`` is the cursor of those before them."""

    items: list[Entry]
    next: str | None
