"""How a request is told no: a problem document for programs, a page for persons. Neither tells where or how it failed.

References:
    RFC 9457 (problem details for HTTP).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse

from pneumoscope.web.security.who import Identity

if TYPE_CHECKING:
    from fastapi import Request

    from pneumoscope.web.security.denial import Denied

__all__ = ["denied", "for_person", "go_to", "problem", "to_login"]

_TITLES = {404: "Not here", 405: "Not here", 500: "Trouble"}
_PROGRAMS = ("/api/", "/metrics", "/static/", "/healthz", "/readyz")


def for_person(request: Request) -> bool:
    """Whether a person looks at the answer."""
    if request.url.path.startswith(_PROGRAMS):
        return False
    return "text/html" in request.headers.get("accept", "") or request.headers.get("sec-fetch-mode") == "navigate"


def denied(request: Request, no: Denied) -> Response:
    """Answer a request that is turned away."""
    if not for_person(request):
        return problem(request, no)
    from pneumoscope.web.pages.render import page  # noqa: PLC0415 - programs need no templates

    found = getattr(request.state, "identity", None)
    drawn = page(
        request,
        found if isinstance(found, Identity) else None,
        "denied",
        title=_TITLES.get(no.status_code, "Not let in" if no.status_code < 500 else "Not ready"),
        status=no.status_code,
        what=_sentence(no.what),
        remedy=_sentence(no.remedy),
        request_id=getattr(request.state, "request_id", ""),
    )
    drawn.headers.update({name: value for name, value in (no.headers or {}).items() if name != "WWW-Authenticate"})
    return drawn


def problem(request: Request, no: Denied) -> Response:
    """The same as a problem document."""
    told = {
        "type": f"urn:pneumoscope:problem:{no.code}",
        "title": HTTPStatus(no.status_code).phrase,
        "status": no.status_code,
        "detail": no.what,
        "remedy": no.remedy,
        "code": no.code,
        "request": getattr(request.state, "request_id", ""),
    }
    return Response(json.dumps(told), no.status_code, dict(no.headers or {}), media_type="application/problem+json")


def to_login(request: Request, page: str = "/login") -> Response:
    """Send a person to the login, and back afterwards."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = page if page != "/login" else f"/login?next={quote(wanted, safe='/')}"
    return go_to(request, target)


def go_to(request: Request, target: str) -> Response:
    """Send a person to another page of ours.

    A link on a page of another site comes without our cookie (SameSite=Strict), also if the person is logged in. A
    page of ours in between makes the next step our own, which brings the cookie.

    Args:
        request: What is answered.
        target: Path and query, quoted, so that nothing in it means anything in HTML.
    """
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return HTMLResponse(
            f'<!doctype html><title>pneumoscope</title><meta http-equiv="refresh" content="0;url={target}">'
        )
    return RedirectResponse(target, 303)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""
