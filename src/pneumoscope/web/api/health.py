"""What machines ask of a server: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError
from pneumoscope.web.api.problems import problem
from pneumoscope.web.context import Here
from pneumoscope.web.metrics import CONTENT_TYPE_LATEST
from pneumoscope.web.security.who import Reader

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """The server answers. Needs no identity."""
    return {"status": "ok"}


@router.get("/readyz", summary="Is it ready to read?")
async def readyz(here: Here) -> Response:
    """The bundle in use is loaded and the database answers; 503 until then. Needs no identity."""
    try:
        await run_in_threadpool(here.worklist.ping)
    except PneumoscopeError:
        return problem(503, "not-ready", "the database does not answer", headers={"Retry-After": "5"})
    if here.trouble is not None:
        return problem(503, "not-ready", "the bundle in use cannot be loaded", "See the server's log")
    if not here.engine.ready:
        return problem(503, "not-ready", "the bundle is being loaded", headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(here: Here, _: Reader) -> Response:
    """Readings by status and call, seconds, films that wait, refusals, errors. No film, name or person is in them."""
    return Response(here.metrics.page(), media_type=CONTENT_TYPE_LATEST)
