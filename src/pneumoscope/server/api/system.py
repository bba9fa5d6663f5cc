"""Live events, health, metrics, usage statistics."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import PneumoscopeError, StorageFull
from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.context import CONTENT_TYPE_LATEST, Context, Here
from pneumoscope.server.error_responses import problem_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["events_router", "health_router", "usage_router"]

events_router = APIRouter(prefix="/api/v1", tags=["events"])

_LONGEST = 300.0  # seconds; the browser connects again, and whoever has signed out meanwhile hears no more
_KEEP_ALIVE = 15.0  # seconds between signs of life, so that nothing on the way takes the line for dead
_MOST = 200  # ids in one event


@events_router.get(
    "/events",
    summary="Hear of changes",
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    response_class=StreamingResponse,
)
async def events(
    request: Request,
    here: Here,
    _: Reader,
    since: Annotated[int | None, Query(ge=0, lt=2**62, description="The latest change that is known already")] = None,
) -> StreamingResponse:
    """``event: changed`` with ``{"latest": n, "ids": [...]}``, a second apart. The stream ends after 5 minutes."""
    last = request.headers.get("last-event-id", "")
    start = int(last) if last.isdecimal() and len(last) < 19 else since
    latest, _ids = await run_in_threadpool(here.worklist.studies.changes_since, 2**62)
    stream = _stream(here, latest if start is None else min(start, latest))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(here: Context, seen: int) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    end, alive = loop.time() + _LONGEST, loop.time()
    yield f"retry: 2000\nid: {seen}\n\n"
    while loop.time() < end and not here.closing:
        latest = await here.watch.after(seen, timeout=min(_KEEP_ALIVE, max(0.1, end - loop.time())))
        if latest > seen:
            latest, ids = await run_in_threadpool(here.worklist.studies.changes_since, seen)
            yield f"event: changed\nid: {latest}\ndata: {json.dumps({'latest': latest, 'ids': ids[:_MOST]})}\n\n"
            seen, alive = latest, loop.time()
        elif loop.time() - alive >= _KEEP_ALIVE - 1:
            yield ": alive\n\n"
            alive = loop.time()


health_router = APIRouter(tags=["health"])


@health_router.get("/healthz", summary="Is it alive?")
async def healthz() -> dict[str, str]:
    """The server answers. Needs no identity."""
    return {"status": "ok"}


@health_router.get("/readyz", summary="Is it ready to read?")
async def readyz(here: Here) -> Response:
    """The bundle in use is loaded, the database answers and the disk has room; 503 until then. Needs no identity."""
    try:
        await run_in_threadpool(here.worklist.ping)
        await run_in_threadpool(here.worklist.disk.check)
    except StorageFull as error:
        return problem_for(503, error.code, error.what, error.remedy)
    except PneumoscopeError:
        return problem_for(503, "not-ready", "the database does not answer", headers={"Retry-After": "5"})
    if here.trouble is not None:
        await run_in_threadpool(here.look_again)
    if here.trouble is not None:
        return problem_for(503, "not-ready", "the bundle in use cannot be loaded", "See the server's log")
    if not here.engine.ready:
        return problem_for(503, "not-ready", "the bundle is being loaded", headers={"Retry-After": "1"})
    await run_in_threadpool(lambda: here.bundles.in_use)
    alarm = here.bundles.alarm
    return JSONResponse({"status": "ready"} if alarm is None else {"status": "ready", "alarm": alarm})


@health_router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(here: Here, _: Reader) -> Response:
    """Readings by status and call, seconds, films that wait, refusals, errors. No film, name or person is in them."""
    return Response(here.metrics.page(), media_type=CONTENT_TYPE_LATEST)


usage_router = APIRouter(prefix="/api/v1", tags=["numbers"])


@usage_router.get("/numbers", summary="Numbers of the last days")
def usage(here: Here, _: Reader, days: Annotated[int, Query(ge=1, le=3660)] = 30) -> dict[str, Any]:
    """Readings a day, calls, refusals, scores of the bundle in use, inputs, seconds, agreement; by days of UTC."""
    store = here.worklist.numbers
    bundle = here.bundles.get()
    return {
        "days": days,
        "bundle": {"name": bundle.name, "sha256": bundle.sha256},
        "totals": store.totals(),
        "per_day": [asdict(each) for each in store.per_day(days)],
        "calls": [asdict(each) for each in store.calls(days)],
        "refusals": [asdict(each) for each in store.refusals(days)],
        "scores": asdict(store.scores(days, bundle.sha256)),
        "inputs": [asdict(each) for each in store.inputs(days)],
        "seconds": [asdict(each) for each in store.seconds(days)],
        "agreement": [asdict(each) for each in store.agreement(days)],
    }
