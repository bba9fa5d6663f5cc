"""Server-sent events: a page hears of studies that came or changed, whoever changed them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pneumoscope.web.context import Context, Here
from pneumoscope.web.security.who import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["events"])

_LONGEST = 300.0  # seconds; the browser connects again, and whoever has signed out meanwhile hears no more
_KEEP_ALIVE = 15.0  # seconds between signs of life, so that nothing on the way takes the line for dead
_MOST = 200  # ids in one event


@router.get(
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
