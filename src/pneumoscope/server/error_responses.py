"""Errors as responses: problem documents for programs (RFC 9457), pages for persons.

References:
    RFC 9457 (problem details for HTTP).
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from pneumoscope.errors import (
    BundleError,
    Conflict,
    FilmError,
    MissingExtra,
    NotFound,
    PneumoscopeError,
    StorageError,
    UsageError,
)
from pneumoscope.server.auth.identity import Denied, Identity
from pneumoscope.server.context import NotReady
from pneumoscope.server.engine.queue import QueueFull
from pneumoscope.server.intake.upload import TooMuch

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

__all__ = [
    "SCHEMA",
    "denied_problem",
    "denied_response",
    "install_error_handlers",
    "problem_for",
    "problem_of",
    "redirect_to",
    "redirect_to_login",
    "wants_html",
]

_TITLES = {404: "Not found", 405: "Not found", 500: "Error"}
_PROGRAMS = ("/api/", "/metrics", "/static/", "/healthz", "/readyz")


def wants_html(request: Request) -> bool:
    """Whether a person looks at the answer."""
    if request.url.path.startswith(_PROGRAMS):
        return False
    return "text/html" in request.headers.get("accept", "") or request.headers.get("sec-fetch-mode") == "navigate"


def denied_response(request: Request, no: Denied) -> Response:
    """Answer a request that is turned away."""
    if not wants_html(request):
        return denied_problem(request, no)
    from pneumoscope.server.pages.render import page  # noqa: PLC0415 - programs need no templates

    found = getattr(request.state, "identity", None)
    drawn = page(
        request,
        found if isinstance(found, Identity) else None,
        "denied",
        title=_TITLES.get(no.status_code, "Access denied" if no.status_code < 500 else "Not ready"),
        status=no.status_code,
        what=_sentence(no.what),
        remedy=_sentence(no.remedy),
        request_id=getattr(request.state, "request_id", ""),
    )
    drawn.headers.update({name: value for name, value in (no.headers or {}).items() if name != "WWW-Authenticate"})
    return drawn


def denied_problem(request: Request, no: Denied) -> Response:
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


def redirect_to_login(request: Request, page: str = "/login") -> Response:
    """Send a person to the login, and back afterwards."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = page if page != "/login" else f"/login?next={quote(wanted, safe='/')}"
    return redirect_to(request, target)


def redirect_to(request: Request, target: str) -> Response:
    """Send a person to another page of ours.

    A link on a page of another site comes without our cookie (SameSite=Strict), also if the person is logged in. A
    page of ours in between makes the next step our own, which brings the cookie.

    Args:
        request: What is answered.
        target: Path and query, quoted, so that nothing in it means anything in HTML.
    """
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        target = getattr(request.state, "base", "") + target
        return HTMLResponse(
            f'<!doctype html><title>pneumoscope</title><meta http-equiv="refresh" content="0;url={target}">'
        )
    return RedirectResponse(target, 303)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""


_LOG = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[PneumoscopeError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (TooMuch, 413),
    (QueueFull, 503),
    (NotReady, 503),
    (MissingExtra, 501),
    (StorageError, 507),
    (FilmError, 422),
    (BundleError, 422),
    (UsageError, 400),
)
_RETRY = 2  # seconds; of a server that starts

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "One word for programs"},
        "detail": {"type": "string", "description": "What happened, in a sentence"},
        "remedy": {"type": "string", "description": "What to do about it; may be empty"},
    },
    "required": ["type", "title", "status", "code", "detail", "remedy"],
}


def problem_of(error: PneumoscopeError) -> dict[str, Any]:
    """An error of ours as the object that stands in an answer."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return _problem_response(status, error.code, error.what, error.remedy)


def problem_for(
    status: int, code: str, what: str, remedy: str = "", headers: dict[str, str] | None = None
) -> JSONResponse:
    """An answer that says what went wrong.

    Args:
        status: Of HTTP.
        code: For programs; one word.
        what: What happened, one clause.
        remedy: What to do, one sentence without a full stop.
        headers: To send along.
    """
    document = _problem_response(status, code, what, remedy)
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


def _problem_response(status: int, code: str, what: str, remedy: str) -> dict[str, Any]:
    return {
        "type": f"urn:pneumoscope:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": what,
        "remedy": remedy,
    }


def install_error_handlers(app: FastAPI) -> None:
    """Answer the errors that routes raise."""
    app.add_exception_handler(PneumoscopeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PneumoscopeError)  # noqa: S101 - it is registered for these
    document = problem_of(error)
    status = int(document["status"])
    headers = {}
    if isinstance(error, QueueFull):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, NotReady):
        headers["Retry-After"] = str(_RETRY)
    if status >= 500 and not headers:
        number = getattr(request.state, "request_id", "")
        _LOG.error("request=%s %s failed: %s", number, request.method, error)  # ours say what it is: no traceback
    if status in (413, 503):
        headers["Connection"] = "close"
    request.app.state.context.metrics.problem(status, error.code)
    if wants_html(request):
        return denied_response(request, Denied(status, error.code, error.what, error.remedy, headers))
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for these
    said = [
        f"{'.'.join(str(part) for part in each['loc'] if part != 'body') or 'body'}: {each['msg']}"
        for each in error.errors()
    ]
    request.app.state.context.metrics.problem(422, "invalid")
    return problem_for(422, "invalid", "; ".join(said)[:1000], "The API's reference says what each field may be")


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    request.app.state.context.metrics.problem(error.status_code, code)
    what = {404: "there is nothing at this address", 405: "this address does not take this method"}
    no = Denied(error.status_code, code, what.get(error.status_code, str(error.detail)), headers=error.headers)
    if wants_html(request):
        return denied_response(request, no)
    return problem_for(no.status_code, no.code, no.what, headers=dict(error.headers or {}))
