"""POST /api/v1/read: films in, Readings out."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from pneumoscope import __version__
from pneumoscope.errors import Conflict, PneumoscopeError
from pneumoscope.reports.json import to_dict
from pneumoscope.server.auth.identity import Identity, Writer, blind_reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.engine.job import Choice, Film
from pneumoscope.server.engine.queue import QueueFull
from pneumoscope.server.error_responses import problem_of
from pneumoscope.server.intake.filing import Sender, StoredReading, document_of, find_stored, store_outcome
from pneumoscope.server.intake.upload import GivenFilm, given_films, is_multipart, is_zip, one_body
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import Reading, Refusal, Software

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from pneumoscope.server.intake.upload import Upload

__all__ = ["Chosen", "choice", "router", "sender_of"]

router = APIRouter(prefix="/api/v1", tags=["read"])

_NDJSON = "application/x-ndjson"
_BLINDED = "this film belongs to a reader study in which you read"
_FILM_TYPES = ("application/octet-stream", "image/jpeg", "image/png", "image/tiff", "image/bmp", "application/dicom")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"film": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        "required": ["film"],
    }
}
_READING = {"schema": {"$ref": "#/components/schemas/Reading"}}
_MANY = {"schema": {"$ref": "#/components/schemas/ManyReadings"}}


def choice(
    bundle: Annotated[str | None, Query(description="Name of a bundle; without it, the one in use")] = None,
    preset: Annotated[str | None, Query(description="three-way, screening or balanced")] = None,
    coverage: Annotated[float | None, Query(gt=0, lt=1, description="Of the pattern's prediction set")] = None,
    mend: Annotated[bool, Query(description="Put turned, inverted and tilted films and wide borders right")] = True,
    force: Annotated[bool, Query(description="Read what the gate refuses too")] = False,
) -> Choice:
    """What may be chosen, from the query."""
    return Choice(bundle, preset, coverage, mend, force)


Chosen = Annotated[Choice, Depends(choice)]


@router.post(
    "/read",
    summary="Read films",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                **dict.fromkeys(_FILM_TYPES, _BINARY),
                "application/zip": _BINARY,
                "multipart/form-data": _FORM,
            },
        }
    },
    responses={
        200: {
            "description": "The reading of the film that is the body; of a form or a zip, one each",
            "content": {
                "application/json": {"schema": {"anyOf": [_READING["schema"], _MANY["schema"]]}},
                _NDJSON: {"schema": {"type": "string"}},
            },
            "headers": {
                "Location": {"schema": {"type": "string"}, "description": "The study, if it was stored"},
                "X-Pneumoscope-Reading": {"schema": {"type": "string"}, "description": "Id of the stored reading"},
                "Server-Timing": {"schema": {"type": "string"}},
            },
        }
    },
)
async def read(  # noqa: PLR0917 - FastAPI gives them by name
    request: Request,
    here: Here,
    who: Writer,
    chosen: Chosen,
    store: Annotated[bool, Query(description="Keep the film and the reading in the worklist")] = True,
    name: Annotated[str | None, Query(max_length=1000, description="What the film that is the body is called")] = None,
) -> Response:
    """The body is a film (JPEG, PNG, TIFF, BMP or DICOM), a zip of films, or a form with files in the field ``film``.

    One film gives its Reading. A zip or a form gives ``{"readings": [...]}``; with ``Accept: application/x-ndjson`` one
    line a film, as they are read. The same film again is answered from the worklist.
    """
    if here.engine.full:
        raise QueueFull(here.engine.retry_after())
    if store:
        await run_in_threadpool(here.worklist.disk.check)
    await run_in_threadpool(here.engine.reader, chosen)  # says no to an unknown bundle or preset before the bytes come
    desk = _Desk(here, chosen, sender_of(request, who), store=store, blind=blind_reader(who))
    if is_multipart(request):
        return await _answer_many(request, desk.read_all(request, None))
    upload = await one_body(request, here.config, name)
    if is_zip(upload.head):
        return await _answer_many(request, desk.read_all(request, upload))
    try:
        start = time.perf_counter()
        reading, filed, seconds = await desk.read(GivenFilm(upload.name, upload.sha256, upload.read), wait=False)
    finally:
        upload.close()
    timing = f"read;dur={1000 * seconds:.1f}, total;dur={1000 * (time.perf_counter() - start):.1f}"
    headers = {"Server-Timing": timing}
    if filed is not None:
        headers |= {"Location": f"/api/v1/studies/{filed.study}", "X-Pneumoscope-Reading": filed.reading_id}
    return JSONResponse(reading, headers=headers)


async def _answer_many(request: Request, items: AsyncGenerator[dict[str, Any], None]) -> Response:
    if not _wants_lines(request):
        async with aclosing(items):
            return JSONResponse({"readings": [item async for item in items]})
    first = await anext(items)  # what is wrong with the whole request is known before the answer starts

    async def lines() -> AsyncIterator[str]:
        async with aclosing(items):
            yield _line(first)
            async for item in items:
                yield _line(item)

    return StreamingResponse(lines(), media_type=_NDJSON)


def _wants_lines(request: Request) -> bool:
    return _NDJSON in request.headers.get("accept", "")


def _line(item: dict[str, Any]) -> str:
    return json.dumps(item, allow_nan=False) + "\n"


def sender_of(request: Request, who: Identity) -> Sender:
    """Who sends, and whether from a page or by a program."""
    return Sender(who.name, "web" if who.cookie and "sec-fetch-site" in request.headers else "api")


class _Desk:
    """Reads and files the films of one request."""

    def __init__(self, here: Context, chosen: Choice, sender: Sender, *, store: bool, blind: str = "") -> None:
        self.here, self.chosen, self.sender, self.store, self.blind = here, chosen, sender, store, blind

    async def read(self, film: GivenFilm, *, wait: bool) -> tuple[dict[str, Any], StoredReading | None, float]:
        """One film: its reading, where it was filed, and the seconds that reading took."""
        if film.error is not None:
            return _not_taken(film.name, film.error), None, 0.0
        if self.blind:  # neither from the worklist nor anew: the reader study's readers are not to see it
            hides = self.here.worklist.reader_studies.blinding.hides
            if await run_in_threadpool(lambda: hides(self.blind, film=film.sha256)):
                raise Conflict(_BLINDED, where=film.name, remedy="It is read here when the reader study is closed")
        if self.store:
            filed = await run_in_threadpool(find_stored, self.here, film.sha256, self.chosen)
            if filed is not None:
                return filed.document, filed, 0.0
        outcome = await self.here.engine.read(Film(film.read, film.name), self.chosen, wait=wait)
        if not self.store:
            return document_of(outcome), None, outcome.seconds
        filed = await run_in_threadpool(store_outcome, self.here, outcome, self.chosen, self.sender)
        self.here.changed()
        return filed.document, filed, outcome.seconds

    async def read_all(self, request: Request, upload: Upload | None) -> AsyncGenerator[dict[str, Any], None]:
        """Many films, in their order, a few at a time; the first finds its place in the queue or all are refused."""
        in_hand: deque[asyncio.Task[dict[str, Any]]] = deque()
        async with given_films(request, self.here.config, upload) as films:
            try:
                first = True
                async for film in films:
                    if first:
                        yield await self._item(film, wait=False)
                        first = False
                        continue
                    if len(in_hand) > self.here.engine.workers:
                        yield await in_hand.popleft()
                    in_hand.append(asyncio.create_task(self._item(film, wait=True)))
                while in_hand:
                    yield await in_hand.popleft()
            finally:
                for task in in_hand:
                    task.cancel()

    async def _item(self, film: GivenFilm, *, wait: bool) -> dict[str, Any]:
        item: dict[str, Any] = {"name": film.name, "study": None, "reading_id": None, "reading": None}
        try:
            reading, filed, _ = await self.read(film, wait=wait)
        except PneumoscopeError as error:
            if not wait:
                raise
            return {**item, "problem": problem_of(error)}
        if filed is not None:
            item |= {"study": filed.study, "reading_id": filed.reading_id}
        return {**item, "name": reading["film"]["path"], "reading": reading}


def _not_taken(name: str, error: PneumoscopeError) -> dict[str, Any]:
    """The reading of a film that was not even looked at."""
    refusal = Refusal(code=error.code, reason=error.what, remedy=error.remedy)
    software = Software(name="pneumoscope", version=__version__)
    return to_dict(Reading(film=FilmInfo(path=name), status="refused", software=software, refusal=refusal))
