"""The Admin pages: users, tokens, audit log, settings.

What is done to users and tokens is done by the API's own functions, so that there is one set of rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.api import accounts as token_api
from pneumoscope.server.api import accounts as user_api
from pneumoscope.server.api.accounts import NewUser, UserChange
from pneumoscope.server.auth.identity import Admin, Denied
from pneumoscope.server.auth.passwords import MIN_LENGTH
from pneumoscope.server.context import Here
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.wording import bytes_of, describe_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.config import WebConfig

__all__ = ["Setting", "effective_settings", "router"]

_SECRET = re.compile(r"(://[^:/@]+:)[^@]+@")
_LABELS = {
    "host": "Address to listen on",
    "port": "Port",
    "data": "Data folder",
    "database_url": "Database",
    "films_url": "Films are kept in",
    "model": "Bundle until another is put in use",
    "workers": "Films read at the same time",
    "queue": "Films that may wait",
    "readers": "Bundles kept loaded",
    "max_bytes": "Largest film",
    "max_request_bytes": "Largest request",
    "max_pixels": "Most pixels of a film",
    "max_files": "Films in one request",
    "keep_identity": "Patient's identity in DICOM files",
    "keep_names": "Names of files",
    "login": "Login",
    "secure_cookies": "Cookies over https only",
    "allowed_hosts": "Other names of this server",
    "trusted_proxies": "Proxies that are believed",
    "idle_minutes": "A session that is not used ends after",
    "session_hours": "Any session ends after",
    "requests_per_minute": "Requests a minute of one person",
}
_UNITS = {"idle_minutes": "minutes", "session_hours": "hours"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: in words, its value, and the variable that sets it; ``changed`` from its default."""

    label: str
    value: str
    variable: str
    changed: bool


def effective_settings(config: WebConfig) -> tuple[Setting, ...]:
    """The settings that matter to who runs the server; a password within an address is left out."""
    defaults = {field.name: field.default for field in fields(config)}
    found = []
    for name, label in _LABELS.items():
        if not hasattr(config, name):
            continue
        plain = name.removesuffix("_url")
        value = getattr(config, name)
        found.append(
            Setting(
                label,
                _words(name, value),
                f"PNEUMOSCOPE_WEB_{plain.upper()}",
                plain in defaults and getattr(config, plain) != defaults[plain] and plain != "data",
            )
        )
    return tuple(found)


_SHOWN_SETTINGS = {
    ("keep_identity", True): "kept",
    ("keep_identity", False): "removed when they come in",
    ("keep_names", True): "kept as labels; never of DICOM files",
    ("keep_names", False): "not kept",
    ("secure_cookies", True): "yes",
    ("secure_cookies", False): "where the request came by https",
    ("workers", 0): "one a CPU",
    ("requests_per_minute", 0): "not counted",
}


def _words(name: str, value: object) -> str:
    if isinstance(value, int) and (name, value) in _SHOWN_SETTINGS:
        return _SHOWN_SETTINGS[name, value]
    if isinstance(value, int) and name.endswith("bytes"):
        return bytes_of(value)
    if isinstance(value, int):
        return str(value) if name == "port" else f"{value:,} {_UNITS.get(name, '')}".strip()
    return _SECRET.sub(r"\1...@", str(value)) or "none"


router = APIRouter(include_in_schema=False, prefix="/admin", route_class=PageRoute)

_TABS = {"users": "Users", "tokens": "API tokens", "log": "Audit log", "settings": "Settings"}
_LONGEST = 36_500  # days

_DONE = {
    "make": "{} may log in now.",
    "role-admin": "{} is an administrator now.",
    "role-reader": "{} is a reader now.",
    "active-yes": "{} may log in again.",
    "active-no": "{} is deactivated.",
    "password": "{} has a new password, and is logged out everywhere.",
    "unlock": "{} is unlocked.",
    "sessions": "{} is logged out everywhere.",
}

Text = Annotated[str, Form(max_length=1000)]


@router.get("")
def users(request: Request, here: Here, who: Admin, done: str = "", user: str = "") -> HTMLResponse:
    """Who may log in. ``done`` and ``user`` tell what was done before, if there is such a user."""
    known = here.worklist.users.get(user) if done in _DONE and user else None
    return _users(request, here, who, done="" if known is None else _DONE[done].format(known.name))


@router.post("/users", response_model=None)
def make_user(
    request: Request, here: Here, who: Admin, *, name: Text, role: Text, password: Text
) -> HTMLResponse | RedirectResponse:
    """Make a user."""

    def make() -> None:
        user_api.create_user(
            request, here, who, NewUser.model_validate({"name": name, "role": role, "password": password})
        )

    return _tried(request, here, who, make, done="make", user=name)


@router.post("/users/{name}", response_model=None)
def change_user(
    request: Request, here: Here, who: Admin, name: str, *, what: Text, value: Text = ""
) -> HTMLResponse | RedirectResponse:
    """Change one thing of a user: ``what`` is role, active, password, unlock or sessions."""

    def change() -> None:
        if what == "sessions":
            user_api.end_user_sessions(here, who, name)
            return
        changes: dict[str, dict[str, object]] = {
            "role": {"role": value},
            "active": {"active": value == "yes"},
            "password": {"password": value},
            "unlock": {"unlock": True},
        }
        wanted = changes.get(what, {what: value})  # what is unknown is refused by the API's own model
        user_api.update_user(request, here, who, name, UserChange.model_validate(wanted))

    done = f"{what}-{value}" if what in {"role", "active"} else what
    return _tried(request, here, who, change, done=done, user=name)


@router.get("/tokens")
def tokens(request: Request, here: Here, who: Admin) -> HTMLResponse:
    """Everybody's keys for programs."""
    return _draw(request, who, "tokens", tokens=here.worklist.tokens.list(), say=words)


@router.post("/tokens/{token}/revoke")
def revoke(here: Here, who: Admin, token: str) -> RedirectResponse:
    """Revoke a key."""
    token_api.revoke_token(here, who, token)
    return RedirectResponse("/admin/tokens", status_code=303)


@router.get("/log")
def log(
    request: Request,
    here: Here,
    who: Admin,
    *,
    actor: str = "",
    action: str = "",
    cursor: str = "",
    verify: bool = False,
) -> HTMLResponse:
    """The audit log, newest first; with ``verify`` its chain is computed again."""
    found = here.worklist.audit.page(limit=50, cursor=cursor or None, actor=actor or None, action=action or None)
    return _draw(
        request,
        who,
        "log",
        lines=tuple(describe_entries(entry) for entry in found.items),
        next=found.next,
        actor=actor,
        action=action,
        cursor=cursor,
        check=here.worklist.audit.verify() if verify else None,
        say=words,
    )


@router.get("/settings")
def settings(request: Request, here: Here, who: Admin, done: str = "") -> HTMLResponse:
    """What is kept, for how long, and how the server was started."""
    return _draw(
        request,
        who,
        "settings",
        keep_days=here.keep_days,
        given_days=here.config.keep_days,
        totals=here.worklist.numbers.totals(),
        configured=effective_settings(here.config),
        done=bool(done),
        say=words,
    )


@router.post("/settings/retention")
def retention(here: Here, who: Admin, days: Annotated[int, Form(ge=0, le=_LONGEST)]) -> RedirectResponse:
    """For how many days studies are kept; 0 keeps them."""
    here.worklist.settings.set("keep_days", days, by=who.name)
    return RedirectResponse("/admin/settings?done=retention", status_code=303)


def _users(
    request: Request, here: Here, who: Admin, *, done: str = "", wrong: str = "", user: str = "", status: int = 200
) -> HTMLResponse:
    return _draw(
        request,
        who,
        "users",
        users=here.worklist.users.list(),
        me=who.name,
        local=who.via == "local",
        least=MIN_LENGTH,
        done=done,
        wrong=wrong,
        user=user,
        status=status,
        say=words,
    )


def _tried(
    request: Request, here: Here, who: Admin, act: Callable[[], None], *, done: str, user: str
) -> HTMLResponse | RedirectResponse:
    """Do it and go back to the users; what is refused is said on their page."""
    try:
        act()
    except Denied as no:
        wrong, status = f"{no.what}. {no.remedy}", no.status_code
    except PneumoscopeError as error:
        wrong, status = f"{error.what}. {error.remedy}", 400
    except ValueError:  # pydantic's, of a value that no form of ours sends
        wrong, status = "The form has a value that cannot be. Try again", 422
    else:
        return RedirectResponse(f"/admin?{urlencode({'done': done, 'user': user})}", status_code=303)
    told = f"{wrong[:1].upper()}{wrong[1:]}."
    return _users(request, here, who, wrong=told, user=user if done == "make" else "", status=status)


def _draw(request: Request, who: Admin, tab: str, *, status: int = 200, **values: object) -> HTMLResponse:
    return page(
        request,
        who,
        f"admin_{tab}",
        title=f"{_TABS[tab]} - Admin",
        active="admin",
        status=status,
        tab=tab,
        tabs=_TABS,
        **values,
    )
