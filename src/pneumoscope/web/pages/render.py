"""Pages from templates, with what all of them share: the notice, the places, the CSRF token, who is logged in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined

from pneumoscope import __version__
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import HTMLResponse

    from pneumoscope.web.security.who import Identity

__all__ = ["PLACES", "STATIC", "Place", "page", "templates"]

STATIC = Path(__file__).parent.parent / "static"
"""Folder of the style sheets, scripts and drawings."""


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation.

    Attributes:
        name: As pages call themselves.
        path: Where it is.
        label: As it is written.
        admin: Whether only administrators see it.
    """

    name: str
    path: str
    label: str
    admin: bool = False


PLACES = (
    Place("read", "/", "Read"),
    Place("worklist", "/worklist", "Worklist"),
    Place("models", "/models", "Models"),
    Place("dashboard", "/dashboard", "Dashboard"),
    Place("admin", "/admin", "Admin", admin=True),
)
"""The navigation, in the order of the work."""


@cache
def templates() -> Jinja2Templates:
    """The templates of this package; what is put into them is escaped, and a name that is not given is an error."""
    environment = Environment(
        loader=PackageLoader("pneumoscope.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return Jinja2Templates(env=environment)


def page(
    request: Request,
    identity: Identity | None,
    name: str,
    *,
    title: str | None = None,
    active: str | None = None,
    status: int = 200,
    **values: object,
) -> HTMLResponse:
    """Draw the page of ``templates/{name}.html``.

    Args:
        request: What asks for it.
        identity: Who asks; None before the login.
        name: Of the template, without its ending; also the class of the body ("page-read").
        title: Of the window; without it, the name with a capital.
        active: The entry of the navigation that is marked; without it, the name.
        status: Of the answer.
        values: For the template.
    """
    shared: dict[str, object] = {
        "name": name,
        "title": title or name.capitalize(),
        "active": active or name,
        "places": [] if identity is None else [each for each in PLACES if not each.admin or identity.may("admin")],
        "csrf": "" if identity is None else identity.csrf,
        "who": "" if identity is None or identity.via == "local" else identity.name,
        "can_log_out": identity is not None and identity.via == "session",
        "can_write": identity is not None and identity.may("write"),
        "notice": NOTICE,
        "version": __version__,
    }
    name = name.removesuffix(".html")
    return templates().TemplateResponse(request, f"{name}.html", {**shared, **values}, status_code=status)
