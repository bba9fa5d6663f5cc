"""The first page: films are dropped, and their readings come."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from pneumoscope.web.context import Here
from pneumoscope.web.pages.points import points_shown
from pneumoscope.web.pages.render import page
from pneumoscope.web.security.who import Reader

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def read(request: Request, who: Reader, here: Here) -> HTMLResponse:
    """The Read page, for the bundle in use."""
    meta = here.bundles.get().meta
    return page(
        request,
        who,
        "read",
        title="Read",
        finding=meta.finding,
        bundle=f"{meta.name} {meta.version}",
        classes=meta.classes,
        points=points_shown(meta),
        max_bytes=here.config.max_bytes,
        max_request_bytes=here.config.max_request_bytes,
        max_files=here.config.max_files,
    )
