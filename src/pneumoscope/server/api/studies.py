"""The API of the worklist: studies, verdicts, notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import Conflict, NotFound
from pneumoscope.server.api.read import Chosen
from pneumoscope.server.api.schemas import Action, Done, NewVerdict, Note, StudyPage
from pneumoscope.server.auth.audit import record_view
from pneumoscope.server.auth.identity import Admin, Denied, Identity, Reader, Writer, blind_reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.engine.job import Choice, Film
from pneumoscope.server.intake.filing import find_stored, new_reading
from pneumoscope.server.store.export import MEDIA_TYPES, table_bytes, table_rows
from pneumoscope.server.store.records import Query as Wanted
from pneumoscope.types.studies import Source, StoredReading, Study, StudyDetail, Verdict

if TYPE_CHECKING:
    from pneumoscope.server.store.records import FilmRow

__all__ = ["Asked", "agree_with", "delete_studies", "read_again", "router", "table_response", "wanted"]

router = APIRouter(prefix="/api/v1/studies", tags=["studies"])


def wanted(  # noqa: PLR0917 - FastAPI gives them by name
    order: Annotated[Literal["newest", "urgency", "priority"], Query()] = "newest",
    call: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[Literal["read", "refused"] | None, Query()] = None,
    source: Annotated[Source | None, Query()] = None,
    verdict: Annotated[Literal["none", "agree", "correct", "not-assessable"] | None, Query()] = None,
    refusal: Annotated[str | None, Query(max_length=64)] = None,
    since: Annotated[datetime | None, Query(description="Received at or after; without a zone, UTC")] = None,
    until: Annotated[datetime | None, Query(description="Received before; without a zone, UTC")] = None,
    q: Annotated[str, Query(max_length=200, description="Words of the label, note, name, or an id")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Wanted:
    """Which studies are asked for; the worklist's page has the same names in its address."""
    return Wanted(
        order=order,
        call=call or None,
        status=status,
        source=source,
        verdict=verdict,
        refusal=refusal or None,
        since=_aware(since),
        until=_aware(until),
        text=q.replace("\x00", " "),
        limit=limit,
        cursor=cursor or None,
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


Asked = Annotated[Wanted, Depends(wanted)]


@router.get("", summary="List studies")
def studies(here: Here, who: Reader, query: Asked) -> StudyPage:
    """Newest first or by urgency, filtered; ``next`` is the cursor of the page that follows.

    Films of a running reader study are left out for its readers.
    """
    page = here.worklist.studies.page(replace(query, blind=blind_reader(who)))
    return StudyPage(items=list(page.items), next=page.next)


@router.get("/table", summary="The worklist as a table", response_class=StreamingResponse)
def table(
    here: Here,
    who: Reader,
    query: Asked,
    form: Annotated[Literal["csv", "json", "parquet"], Query(alias="format", description="Of the table")] = "csv",
) -> StreamingResponse:
    """All or the filtered studies, one row each with its reading, operating point, bundle, refusal and verdict."""
    return table_response(here, replace(query, blind=blind_reader(who)), form)


def table_response(here: Context, query: Wanted, form: str) -> StreamingResponse:
    """The table as a file to save, written as it is sent."""
    pieces = table_bytes(table_rows(here.worklist.database, query), form)
    saved = {"Content-Disposition": f'attachment; filename="worklist.{form}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=saved)


@router.post("/actions", summary="Do one thing to many studies")
def act(here: Here, who: Writer, action: Action) -> Done:
    """Agree with their calls, or delete them (administrators).

    Those that are not there are passed over, and so are refused films: there is no call to agree with.
    """
    if action.action == "delete":
        if not who.may("admin"):
            raise Denied.scope("admin", by_token=who.via == "token")
        return Done(done=delete_studies(here, action.ids, who.name))
    given = agree_with(here, action.ids, who)
    return Done(done=len(given), verdicts=given)


@router.get("/{study}", summary="Look at a study")
def detail(here: Here, who: Reader, study: str) -> StudyDetail:
    """All that is known of it: films, readings, verdicts, history."""
    found = here.worklist.studies.detail(study)
    record_view(here, who, study)
    return found


@router.get("/{study}/previous", summary="Earlier films of the same patient")
def previous(here: Here, who: Reader, study: str) -> list[Study]:
    """Other studies of the patient, newest first; none where the films told no patient."""
    return list(here.worklist.studies.previous(study, blind=blind_reader(who)))


@router.patch("/{study}", summary="Write the note of a study")
def note(here: Here, who: Writer, study: str, note: Note) -> Study:
    """In place of the one before."""
    return here.worklist.studies.note(study, note.note, by=who.name)


@router.delete("/{study}", summary="Delete a study", status_code=204)
def delete(here: Here, who: Admin, study: str) -> Response:
    """With its films, readings and verdicts; the audit log keeps that it happened."""
    if not delete_studies(here, [study], who.name):
        raise NotFound("there is no such study")
    return Response(status_code=204)


def agree_with(here: Context, ids: list[str], who: Identity) -> dict[str, str]:
    """Agree with the calls of studies; the verdicts' ids by study, without those that have no call to agree with."""
    given: dict[str, str] = {}
    for row in here.worklist.studies.get_many(list(dict.fromkeys(ids)), blind=blind_reader(who)):
        if row.status == "read":
            given[row.id] = here.worklist.verdicts.give(row.id, "agree", by=who.name).id
    return given


def delete_studies(here: Context, ids: list[str], by: str) -> int:
    """Delete studies, and the small pictures of their films; how many were there."""
    films = []
    for study in dict.fromkeys(ids):
        try:
            films += [film.sha256 for film in here.worklist.studies.detail(study).films]
        except NotFound:
            continue
    done = here.worklist.studies.delete(list(dict.fromkeys(ids)), by=by)
    here.thumbnails.forget(films)
    return done


@router.post("/{study}/verdicts", summary="Say what a person says", status_code=201)
def verdict(here: Here, who: Writer, study: str, said: NewVerdict) -> Verdict:
    """Agree with the call, correct it to a class, or say that the film is not assessable; the newest verdict stands."""
    give = here.worklist.verdicts.give
    return give(study, said.kind, said.corrected_to, said.comment, findings=said.findings, by=who.name)


@router.delete("/{study}/verdicts/{verdict}", summary="Take a verdict back")
def withdraw(here: Here, who: Writer, study: str, verdict: str) -> Verdict | None:
    """One's own, while it holds; the one before it holds again, and is the answer. Both stay on record."""
    return here.worklist.verdicts.withdraw(study, verdict, by=who.name)


@router.post("/{study}/readings", summary="Read the films of a study again")
async def read_again(here: Here, who: Writer, study: str, chosen: Chosen) -> list[StoredReading]:
    """With another bundle, preset or coverage. What was read in just this way before is not read again."""
    found = await run_in_threadpool(here.worklist.studies.detail, study)
    await run_in_threadpool(here.engine.reader, chosen)
    kept = [film for film in found.films if film.bytes > 0]
    if not kept:
        raise Conflict(
            "the films of this study were not kept, because they could not be decoded", remedy="Send them again"
        )
    first = True
    rows = []
    for film in kept:
        rows.append(await _again(here, film, chosen, who.name, wait=not first))
        first = False
    return rows


async def _again(here: Context, film: FilmRow, chosen: Choice, by: str, *, wait: bool) -> StoredReading:
    filed = await run_in_threadpool(find_stored, here, film.sha256, chosen)
    if filed is None:
        source = Film(lambda: here.worklist.studies.kept(film.sha256), film.name, film.sha256)
        outcome = await here.engine.read(source, chosen, wait=wait)
        known = await run_in_threadpool(here.bundles.get, chosen.bundle)
        reading = new_reading(outcome, chosen, known.meta)
        row = await run_in_threadpool(
            lambda: here.worklist.studies.add_reading(film.study, film.sha256, reading, by=by)
        )
    else:
        row = await run_in_threadpool(here.worklist.studies.reading, filed.reading_id)
    return row
