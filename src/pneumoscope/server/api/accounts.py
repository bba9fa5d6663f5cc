"""The API of sessions, users, tokens and the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import UsageError
from pneumoscope.server.auth import sessions
from pneumoscope.server.auth.identity import Admin, Denied, Identity, Reader, require_person
from pneumoscope.server.auth.login import check_name, log_in
from pneumoscope.server.auth.passwords import check_rules
from pneumoscope.server.auth.state import auth_state
from pneumoscope.server.auth.tokens import TOKEN_MARK, new_token, token_hash
from pneumoscope.server.context import Here

if TYPE_CHECKING:
    from pneumoscope.server.store.records import AuditEntry, TokenRow, UserRow

__all__ = [
    "AuditEntryOut",
    "AuditFilter",
    "AuditPage",
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
    "audit_router",
    "router",
    "session_router",
    "tokens_router",
    "users_router",
]

_Role = Literal["reader", "admin"]
_Scope = Literal["read", "write", "admin"]

UserName = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
TokenId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AuditFilter = Annotated[str | None, Query(max_length=200, pattern=r"^[ -~]*$")]
_Secret = Annotated[str, Field(max_length=1000, json_schema_extra={"format": "password"})]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Who(BaseModel):
    """Who asks."""

    name: str
    role: _Role
    scopes: list[str]
    via: Literal["local", "session", "token"]


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


class AuditEntryOut(BaseModel):
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
    def of(cls, entry: AuditEntry) -> AuditEntryOut:
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


class AuditPage(BaseModel):
    """Some lines, newest first; ``next`` is the cursor of those before them."""

    items: list[AuditEntryOut]
    next: str | None


session_router = APIRouter(prefix="/session", tags=["session"])


@session_router.get("")
def who_am_i(who: Reader) -> Who:
    """Name, role, scopes, and how they are known."""
    return Who(name=who.name, role=who.role, scopes=sorted(who.scopes), via=who.via)


@session_router.delete("", status_code=204)
def log_out(request: Request, here: Here, who: Reader) -> Response:
    """End this session."""
    _session_of(who)
    here.worklist.sessions.end(who.session)
    here.worklist.audit.write(who.name, "logout", f"user:{who.name}")
    answer = Response(status_code=204, headers={"Clear-Site-Data": '"cache"'})
    sessions.forget_cookie(answer, sessions.SESSION_COOKIE, https=request.state.https)
    return answer


@session_router.get("/all")
def list_sessions(here: Here, who: Reader) -> list[SessionOut]:
    """Where I am logged in."""
    _session_of(who)
    return [
        SessionOut(created=row.created, last_seen=row.last_seen, expires=row.expires, this=row.hash == who.session)
        for row in here.worklist.sessions.list(who.name)
    ]


@session_router.delete("/others", status_code=204)
def end_other_sessions(here: Here, who: Reader) -> None:
    """End my sessions everywhere but here."""
    _session_of(who)
    ended = here.worklist.sessions.end_all(who.name, but=who.session)
    here.worklist.audit.write(who.name, "session.end", f"user:{who.name}", ended=ended)


@session_router.put("/password", status_code=204)
async def change_password(request: Request, here: Here, who: Reader, change: NewPassword) -> Response:
    """Change my password. All my sessions end; this browser gets a new one."""
    _session_of(who)
    guards = auth_state(request.app)
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
        return sessions.begin_session(here.worklist, who.name, guards.policy, now=guards.now())

    answer = Response(status_code=204)
    secret = await run_in_threadpool(changed)
    sessions.give_cookie(answer, sessions.SESSION_COOKIE, secret, https=request.state.https)
    return answer


def _session_of(who: Identity) -> None:
    if not who.session:
        raise Denied(409, "no-session", "this needs a login in a browser", "Log in with name and password")


users_router = APIRouter(prefix="/users", tags=["users"])


@users_router.get("")
def list_users(here: Here, who: Admin) -> Users:
    """All users, by name."""
    del who
    return Users(items=[UserOut.of(row) for row in here.worklist.users.list()])


@users_router.post("", status_code=201)
def create_user(request: Request, here: Here, who: Admin, new: NewUser) -> UserOut:
    """Make a user. The first one is an administrator, and from then on everybody logs in."""
    require_person(who)
    guards = auth_state(request.app)
    check_name(new.name)
    check_rules(new.password, new.name)
    if guards.has_users(here.worklist):
        row = here.worklist.users.create(new.name, guards.passwords.hash(new.password), role=new.role, by=who.name)
    elif new.role != "admin":
        raise UsageError("the first user must be an administrator", where="role", remedy="Give role admin")
    else:
        row = here.worklist.users.create_first(new.name, guards.passwords.hash(new.password), by=who.name)
    return UserOut.of(row)


@users_router.patch("/{name}")
def update_user(request: Request, here: Here, who: Admin, name: UserName, what: UserChange) -> UserOut:
    """Change a user's role, let one in or shut one out, give a new password, or end a lockout.

    Shutting out and a new password end the user's sessions; what a user may do changes with the next request. The
    last active administrator stays one.
    """
    require_person(who)
    users = here.worklist.users
    row = users.get(name)
    if row is None:
        raise Denied(404, "not-found", "there is no such user")
    if who.name == row.name and (what.active is False or what.password is not None):
        raise _by_another(what)
    if what.password is not None:
        check_rules(what.password, row.name)
    if what.role is not None and what.role != row.role:
        row = users.set_role(row.name, what.role, by=who.name)
    if what.active is not None and what.active != row.active:
        row = users.set_active(row.name, what.active, by=who.name)
        if not what.active:
            here.worklist.sessions.end_all(row.name)
    if what.password is not None:
        row = users.set_password(row.name, auth_state(request.app).passwords.hash(what.password), by=who.name)
        here.worklist.sessions.end_all(row.name)
    if what.unlock:
        row = users.unlock(row.name, by=who.name)
    return UserOut.of(row)


@users_router.delete("/{name}/sessions", status_code=204)
def end_user_sessions(here: Here, who: Admin, name: UserName) -> None:
    """Log a user out everywhere."""
    require_person(who)
    row = here.worklist.users.get(name)
    if row is None:
        raise Denied(404, "not-found", "there is no such user")
    ended = here.worklist.sessions.end_all(row.name)
    here.worklist.audit.write(who.name, "session.end", f"user:{row.name}", ended=ended)


def _by_another(what: UserChange) -> Denied:
    if what.password is not None:
        return Denied(409, "own-password", "your own password is changed with the current one", "Use the account page")
    return Denied(409, "own-account", "you cannot shut yourself out", "Have another administrator do it")


tokens_router = APIRouter(prefix="/tokens", tags=["tokens"])

_MAX_TOKENS = 50  # of one user
_PREFIX_LENGTH = len(TOKEN_MARK) + 6


@tokens_router.get("")
def list_tokens(
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


@tokens_router.post("", status_code=201)
def create_token(request: Request, here: Here, who: Reader, new: NewToken) -> TokenOut:
    """Make a token for myself, with some of what I may do. ``token`` is in this answer, and never again.

    A token makes no tokens: what was stolen with one ends when it is revoked.
    """
    require_person(who)
    if who.via == "local":
        raise Denied(409, "no-users", "a token belongs to a user, and there is none yet", "Make the first user")
    if not set(new.scopes) <= who.scopes:
        raise Denied(403, "role", "your role does not have these scopes", "Ask for fewer")
    if len(here.worklist.tokens.list(who.name)) >= _MAX_TOKENS:
        raise Denied(409, "too-many-tokens", f"you have {_MAX_TOKENS} tokens", "Revoke one that is not used any more")
    token = new_token()
    row = here.worklist.tokens.create(
        token_hash(token),
        name=new.name,
        user=who.name,
        scopes=sorted(set(new.scopes)),
        prefix=token[:_PREFIX_LENGTH],
        expires=auth_state(request.app).now() + timedelta(days=new.days),
        by=who.name,
    )
    return TokenOut.of(row, token)


@tokens_router.delete("/{token}", status_code=204)
def revoke_token(here: Here, who: Reader, token: TokenId) -> None:
    """Revoke a token of mine; administrators revoke anybody's; a token, only itself. It ends with the next request."""
    if token != who.token:
        require_person(who)
    known = here.worklist.tokens.list(None if who.may("admin") else who.name)
    if all(row.id != token for row in known):
        raise Denied(404, "not-found", "there is no such token")
    here.worklist.tokens.revoke(token, by=who.name)


audit_router = APIRouter(prefix="/audit", tags=["audit"])


class AuditVerification(BaseModel):
    """Whether the log is whole; ``head`` is the digest of its last line, to be kept elsewhere."""

    entries: int
    ok: bool
    first_bad: int | None
    head: str


@audit_router.get("")
def list_audit(
    here: Here,
    who: Admin,
    *,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: AuditFilter = None,
    actor: AuditFilter = None,
    action: AuditFilter = None,
    target: AuditFilter = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> AuditPage:
    """Lines of the log, newest first. ``action`` may be the beginning of several: "study."."""
    del who
    found = here.worklist.audit.page(
        limit=limit, cursor=cursor, actor=actor, action=action, target=target, since=since, until=until
    )
    return AuditPage(items=[AuditEntryOut.of(entry) for entry in found.items], next=found.next)


@audit_router.get("/check")
def verify_audit(here: Here, who: Admin) -> AuditVerification:
    """Compute the chain again from the first line."""
    del who
    found = here.worklist.audit.verify()
    return AuditVerification(entries=found.entries, ok=found.ok, first_bad=found.first_bad, head=found.head)


router = APIRouter(prefix="/api/v1")
for _router in (session_router, users_router, tokens_router, audit_router):
    router.include_router(_router)
