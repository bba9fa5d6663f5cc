"""The API of reader studies for readers: the film whose turn it is, drafts, and readings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import NotFound
from pneumoscope.reports.json import from_dict
from pneumoscope.server.api.films import evidence_response, pixels_response
from pneumoscope.server.auth.audit import record_audit
from pneumoscope.server.auth.identity import Identity, Reader, Writer
from pneumoscope.server.context import Context, Here
from pneumoscope.server.store.reader_studies.records import Arm, Box, NewReaderReading

if TYPE_CHECKING:
    from pneumoscope.server.store.reader_studies.records import Task
    from pneumoscope.server.store.records import ReadingRow

__all__ = ["AidShown", "TaskShown", "router", "task_shown"]

router = APIRouter(prefix="/api/v1/reader-studies/{reader_study}", tags=["reader studies"])

Share = Annotated[float, Field(ge=0, le=1)]
_DAY = 86_400.0


class BoxGiven(BaseModel):
    """A rectangle as fractions of the film's width and height, from the top left."""

    model_config = ConfigDict(extra="forbid")
    left: Share
    top: Share
    right: Share
    bottom: Share
    label: Annotated[str, Field(max_length=64)] = ""


class ReadingGiven(BaseModel):
    """What a reader says of the film whose turn it is.

    Attributes:
        key: By chance, made once for a reading: sent again with the same key, it counts once.
        seconds: That the film was looked at, pauses aside.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    arm: Arm
    position: Annotated[int, Field(ge=1)]
    key: Annotated[str, Field(min_length=8, max_length=100)]
    class_name: Annotated[str, Field(alias="class", min_length=1, max_length=64)]
    rating: Annotated[float, Field(ge=0, le=100)]
    boxes: Annotated[list[BoxGiven], Field(max_length=50)] = []
    zones: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=6)] = []
    comment: Annotated[str, Field(max_length=4000)] = ""
    seconds: Annotated[float, Field(ge=0, le=_DAY)] = 0.0


class AidShown(BaseModel):
    """What the model says of a film, in the aided arm alone."""

    name: str
    call: str
    probability: float
    threshold: float
    bundle: str


class TaskShown(BaseModel):
    """What is to be done now.

    Attributes:
        state: "read" a film, wait for the end of the "washout", or "done".
        source: Below /api/v1: where the film's pixels (and, aided, the evidence) are.
        ahead: Likewise of the film after it, to be loaded before; None at the end.
        draft: What was said of the film before the page was closed.
        available: When the washout ends.
    """

    state: Literal["read", "washout", "done"]
    arm: str
    position: int
    done: int
    total: int
    training: bool
    source: str | None
    ahead: str | None
    draft: dict[str, Any]
    aid: AidShown | None
    available: datetime | None


class Feedback(BaseModel):
    """After a training film: its reference, and whether the answer agrees with it."""

    label: str
    right: bool


class Given(BaseModel):
    """The reading is kept: its id, feedback after a training film, and what comes next."""

    id: str
    feedback: Feedback | None
    task: TaskShown


def task_shown(here: Context, who: Identity, reader_study: str) -> TaskShown:
    """What a reader has to do now, without anything that a reader must not know."""
    task = here.worklist.reader_readings.task(reader_study, who.name)
    aid = None
    if task.state == "read" and task.arm == "aided":
        film = here.worklist.reader_readings.film(reader_study, who.name, task.arm, task.position)
        found = from_dict(here.worklist.studies.reading(film.reading).document).finding
        if found is not None:
            aid = AidShown(
                name=found.name,
                call=found.call,
                probability=found.probability,
                threshold=found.threshold,
                bundle=film.bundle,
            )
    return TaskShown(
        state=task.state,
        arm=task.arm,
        position=task.position,
        done=task.done,
        total=task.total,
        training=task.training,
        source=_source(reader_study, task, task.position) if task.state == "read" else None,
        ahead=_source(reader_study, task, task.ahead) if task.ahead is not None else None,
        draft=task.draft,
        aid=aid,
        available=task.available,
    )


def _source(reader_study: str, task: Task, position: int) -> str:
    return f"/reader-studies/{reader_study}/films/{task.arm}/{position}"


@router.post("/task", summary="What is to be read now")
def task(here: Here, who: Writer, reader_study: str) -> TaskShown:
    """The film whose turn it is. Its time begins when it is first asked for."""
    return task_shown(here, who, reader_study)


@router.get(
    "/films/{arm}/{position}/pixels",
    summary="Every pixel of a film to be read",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def pixels(request: Request, here: Here, who: Reader, reader_study: str, *, arm: Arm, position: int) -> Response:
    """The film whose turn it is, or the one after it: as its model read it, upright, PNG."""
    row = await run_in_threadpool(_reading, here, who, reader_study, arm, position)
    return await pixels_response(request, here, row, held=True)


@router.get(
    "/films/{arm}/{position}/evidence",
    summary="The model's evidence of a film to be read",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def evidence(
    request: Request, here: Here, who: Reader, reader_study: str, *, arm: Arm, position: int
) -> Response:
    """In the aided arm alone."""
    if arm != "aided":
        raise NotFound("in this arm the model is not shown")
    row = await run_in_threadpool(_reading, here, who, reader_study, arm, position)
    return await evidence_response(request, here, row)


def _reading(here: Context, who: Identity, reader_study: str, arm: str, position: int) -> ReadingRow:
    film = here.worklist.reader_readings.film(reader_study, who.name, arm, position)
    return here.worklist.studies.reading(film.reading)


@router.put("/films/{arm}/{position}/draft", summary="Keep a draft", status_code=204)
def draft(here: Here, who: Writer, reader_study: str, *, arm: Arm, position: int, said: dict[str, Any]) -> Response:
    """What was said so far, for when the page is closed: it comes back with the film."""
    here.worklist.reader_readings.save_draft(reader_study, who.name, arm, position, said)
    return Response(status_code=204)


@router.post("/pause", summary="Note a pause", status_code=204)
def pause(here: Here, who: Writer, reader_study: str) -> Response:
    """For the audit log; the page stops the time."""
    here.worklist.reader_readings.task(reader_study, who.name)
    record_audit(here, who, "reader-study.pause", f"reader-study:{reader_study}")
    return Response(status_code=204)


@router.post("/readings", summary="Give a reading", status_code=201)
def give(here: Here, who: Writer, reader_study: str, said: ReadingGiven) -> Given:
    """Keep it, once; 409 if the film was read before or it is not its turn."""
    new = NewReaderReading(
        arm=said.arm,
        position=said.position,
        key=said.key,
        class_name=said.class_name,
        rating=said.rating,
        boxes=tuple(Box(**box.model_dump()) for box in said.boxes),
        zones=tuple(said.zones),
        comment=said.comment,
        seconds=said.seconds,
    )
    kept, film = here.worklist.reader_readings.give(reader_study, who.name, new)
    feedback = None
    if kept.training:
        design = here.worklist.reader_studies.get(reader_study).design
        feedback = Feedback(label=film.label, right=(kept.class_name in design.positive) == film.positive)
    return Given(id=kept.id, feedback=feedback, task=task_shown(here, who, reader_study))
