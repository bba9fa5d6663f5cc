"""Pages from templates, with what all of them share, and their static files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined

from pneumoscope import __version__
from pneumoscope.server.auth.identity import Identity
from pneumoscope.server.root_path import prefix_links
from pneumoscope.settings import NOTICE

__all__ = ["NAVIGATION", "STATIC", "NavigationEntry", "assets_router", "page", "templates"]

STATIC = Path(__file__).parent.parent / "static"
"""Folder of the style sheets, scripts and drawings."""


@dataclass(frozen=True, slots=True)
class NavigationEntry:
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


NAVIGATION = (
    NavigationEntry("read", "/", "Read"),
    NavigationEntry("worklist", "/worklist", "Worklist"),
    NavigationEntry("reader-studies", "/reader-studies", "Readers"),
    NavigationEntry("models", "/models", "Models"),
    NavigationEntry("dashboard", "/dashboard", "Dashboard"),
    NavigationEntry("admin", "/admin", "Admin", admin=True),
)
"""The navigation, in the order of the work."""


@cache
def templates() -> Jinja2Templates:
    """The templates of this package; what is put into them is escaped, and a name that is not given is an error."""
    environment = Environment(
        loader=PackageLoader("pneumoscope.server"),
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
        "places": [] if identity is None else [each for each in NAVIGATION if not each.admin or identity.may("admin")],
        "base": getattr(request.state, "base", ""),
        "who": "" if identity is None or identity.via == "local" else identity.name,
        "can_log_out": identity is not None and identity.via == "session",
        "can_write": identity is not None and identity.may("write"),
        "notice": NOTICE,
        "version": __version__,
    }
    name = name.removesuffix(".html")
    answer = templates().TemplateResponse(request, f"{name}.html", {**shared, **values}, status_code=status)
    if base := str(shared["base"]):
        answer.body = prefix_links(bytes(answer.body), base)
        answer.headers["Content-Length"] = str(len(answer.body))
    return answer


assets_router = APIRouter(include_in_schema=False)


@cache
def _files() -> StaticFiles:
    return StaticFiles(directory=STATIC)


@assets_router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(path: str, request: Request) -> Response:
    """One file of the package; paths that lead out of its folder are not found."""
    answer = await _files().get_response(path, request.scope)
    # Modules import each other by plain names, so that an update must be seen at once: ask, and be told 304.
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@assets_router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """For browsers that ask for it without reading the page."""
    return await static("favicon.svg", request)
