"""Style sheets, scripts and drawings. A browser asks again each time, and is told that nothing has changed (304)."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

from pneumoscope.web.pages.render import STATIC

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@cache
def _files() -> StaticFiles:
    return StaticFiles(directory=STATIC)


@router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
async def static(path: str, request: Request) -> Response:
    """One file of the package; paths that lead out of its folder are not found."""
    answer = await _files().get_response(path, request.scope)
    # Modules import each other by plain names, so that an update must be seen at once: ask, and be told 304.
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """For browsers that ask for it without reading the page."""
    return await static("favicon.svg", request)
