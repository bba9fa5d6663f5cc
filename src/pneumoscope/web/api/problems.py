"""Every error as ``application/problem+json`` (RFC 9457): what, a code for programs, and what to do. Never a path."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pneumoscope.errors import (
    BundleError,
    FilmError,
    MissingExtra,
    NotFound,
    PneumoscopeError,
    StorageError,
    Taken,
    UsageError,
)
from pneumoscope.web.context import NotReady
from pneumoscope.web.engine import QueueFull
from pneumoscope.web.intake.upload import TooMuch
from pneumoscope.web.security.answers import denied, for_person
from pneumoscope.web.security.denial import Denied

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

__all__ = ["SCHEMA", "install", "problem", "problem_of"]

_LOG = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[PneumoscopeError], int], ...] = (
    (NotFound, 404),
    (Taken, 409),
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
    return _document(status, error.code, error.what, error.remedy)


def problem(status: int, code: str, what: str, remedy: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says what went wrong.

    Args:
        status: Of HTTP.
        code: For programs; one word.
        what: What happened, one clause.
        remedy: What to do, one sentence without a full stop.
        headers: To send along.
    """
    document = _document(status, code, what, remedy)
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


def _document(status: int, code: str, what: str, remedy: str) -> dict[str, Any]:
    return {
        "type": f"urn:pneumoscope:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": what,
        "remedy": remedy,
    }


def install(app: FastAPI) -> None:
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
        _LOG.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    if status in (413, 503):
        headers["Connection"] = "close"
    request.app.state.context.metrics.problem(status, error.code)
    if for_person(request):
        return denied(request, Denied(status, error.code, error.what, error.remedy, headers))
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for these
    said = [
        f"{'.'.join(str(part) for part in each['loc'] if part != 'body') or 'body'}: {each['msg']}"
        for each in error.errors()
    ]
    request.app.state.context.metrics.problem(422, "invalid")
    return problem(422, "invalid", "; ".join(said)[:1000], "The API's reference says what each field may be")


async def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for these
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    request.app.state.context.metrics.problem(error.status_code, code)
    what = {404: "there is nothing at this address", 405: "this address does not take this method"}
    no = Denied(error.status_code, code, what.get(error.status_code, str(error.detail)), headers=error.headers)
    if for_person(request):
        return denied(request, no)
    return problem(no.status_code, no.code, no.what, headers=dict(error.headers or {}))
