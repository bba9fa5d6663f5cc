"""The API of reader studies for administrators: make, start, close, follow, export."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from pneumoscope.reports.json import from_dict
from pneumoscope.server.auth.audit import record_audit
from pneumoscope.server.auth.identity import Admin, Identity, Reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.data_folder import secret_key
from pneumoscope.server.pictures import size_as_read
from pneumoscope.server.store.export import MEDIA_TYPES, table_bytes
from pneumoscope.server.store.reader_studies.annotations import coco_document, import_boxes
from pneumoscope.server.store.reader_studies.candidates import (
    LabelMeaning,
    from_manifest,
    from_worklist,
    parse_manifest,
)
from pneumoscope.server.store.reader_studies.imports import import_readings
from pneumoscope.server.store.reader_studies.records import Arm, Arms, Design, Scale, Status
from pneumoscope.server.store.reader_studies.results import RESULT_COLUMNS, result_rows

if TYPE_CHECKING:
    from pneumoscope.server.store.reader_studies.records import ReaderStudy
    from pneumoscope.server.store.records import Query as StudyQuery

__all__ = [
    "NewReaderStudy",
    "ReaderStudyShown",
    "create_reader_study",
    "reader_study_shown",
    "results_response",
    "router",
]

router = APIRouter(prefix="/api/v1/reader-studies", tags=["reader studies"])

Word = Annotated[str, Field(min_length=1, max_length=64)]


class DesignChange(BaseModel):
    """What may be changed of a draft; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    readers: Annotated[list[Word], Field(max_length=500)] | None = None
    arms: Arms | None = None
    washout_days: Annotated[float, Field(ge=0, le=3660)] | None = None
    scale: Scale | None = None
    instructions: Annotated[str, Field(max_length=4000)] | None = None


class NewReaderStudy(BaseModel):
    """A reader study to make: its design, and which films are drawn.

    Attributes:
        classes: Answers that readers choose from; without them, the finding or not.
        positive: Those that mean the finding; without them, as the bundle in use has it.
        films: How many to draw; without it, all.
        share: Of films with the finding.
        training: Training films to draw beside those that the manifest marks.
        filters: Of the worklist, as in its address; without a manifest, films are drawn from what they find.
        manifest: CSV with the columns study (or film_sha256) and label.
    """

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=120)]
    readers: Annotated[list[Word], Field(max_length=500)] = []
    arms: Arms = "unaided"
    washout_days: Annotated[float, Field(ge=0, le=3660)] = 28.0
    scale: Scale = "five"
    instructions: Annotated[str, Field(max_length=4000)] = ""
    classes: Annotated[list[Word], Field(max_length=12)] = []
    positive: Annotated[list[Word], Field(max_length=12)] = []
    films: Annotated[int, Field(ge=1, le=100_000)] | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    training: Annotated[int, Field(ge=0, le=1000)] = 0
    one_film_per_patient: bool = True
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    filters: dict[str, str] = {}
    manifest: str | None = None


class ProgressShown(BaseModel):
    """How far a reader is in an arm; ``seconds`` is the median time of a film."""

    reader: str
    arm: Arm
    done: int
    total: int
    seconds: float | None
    last: datetime | None
    left: datetime | None


class ReaderStudyShown(BaseModel):
    """One version of a reader study, for administrators."""

    id: str
    series: str
    version: int
    name: str
    status: Status
    design: dict[str, Any]
    sampling: dict[str, Any]
    films: int
    training: int
    digest: str
    created: datetime
    created_by: str
    started: datetime | None
    closed: datetime | None
    progress: list[ProgressShown]


class ReaderStudyEntry(BaseModel):
    """One line of the list; readers see the running ones in which they read."""

    id: str
    name: str
    version: int
    status: Status
    finding: str


@router.get("", summary="List reader studies")
def reader_studies(here: Here, who: Reader) -> list[ReaderStudyEntry]:
    """All for administrators; for readers those that run and in which they read."""
    store = here.worklist.reader_studies
    found = store.list() if who.may("admin") else store.of_reader(who.name)
    return [
        ReaderStudyEntry(
            id=row.id, name=row.design.name, version=row.version, status=row.status, finding=row.design.finding
        )
        for row in found
    ]


@router.post("", summary="Make a reader study", status_code=201)
def create(here: Here, who: Admin, new: NewReaderStudy) -> ReaderStudyShown:
    """Draw films from the worklist or a manifest, and keep the study as a draft."""
    return reader_study_shown(here, create_reader_study(here, who, new))


def create_reader_study(here: Context, who: Identity, new: NewReaderStudy) -> ReaderStudy:
    """Draw the films and keep the draft.

    Raises:
        UsageError: What is asked for makes no sense, or there are not so many films.
    """
    meta = here.bundles.get().meta
    positive = [each.name for each in meta.classes if each.positive]
    negative = [each.name for each in meta.classes if not each.positive]
    classes = new.classes or [meta.finding, f"no {meta.finding}"]
    means = new.positive or [name for name in classes if name == meta.finding or name in positive]
    design = Design(
        name=new.name,
        finding=meta.finding,
        classes=tuple(classes),
        positive=tuple(means),
        arms=new.arms,
        washout_days=new.washout_days,
        scale=new.scale,
        instructions=new.instructions,
        readers=tuple(new.readers),
        seed=new.seed,
    )
    absent = [name for name in classes if name not in means]
    meaning = LabelMeaning(meta.finding, [*positive, *means], [*negative, *absent])
    database = here.worklist.database
    if new.manifest is not None:
        secret = secret_key(here.config.data)

        def keyed(patient: str) -> str:
            return hmac.new(secret, f"reader study patient\0{patient}".encode(), "sha256").hexdigest()

        candidates = from_manifest(database, parse_manifest(new.manifest), meaning, keyed=keyed)
        source = "manifest"
    else:
        candidates = from_worklist(database, _query(new.filters), meaning)
        source = "worklist"
    return here.worklist.reader_studies.create(
        design,
        candidates,
        by=who.name,
        films=new.films,
        share=new.share,
        training=new.training,
        per_patient=new.one_film_per_patient,
        source=source,
    )


def _query(filters: dict[str, str]) -> StudyQuery:
    from pneumoscope.server.pages.worklist import Filters  # noqa: PLC0415 - the pages import the API

    return Filters.of(filters).query()


def reader_study_shown(here: Context, row: ReaderStudy) -> ReaderStudyShown:
    """One version with its progress."""
    progress = here.worklist.reader_readings.progress(row.id)
    return ReaderStudyShown(
        id=row.id,
        series=row.series,
        version=row.version,
        name=row.design.name,
        status=row.status,
        design=row.design.to_json(),
        sampling=row.sampling,
        films=row.films,
        training=row.training,
        digest=row.digest,
        created=row.created,
        created_by=row.created_by,
        started=row.started,
        closed=row.closed,
        progress=[ProgressShown(**asdict(each)) for each in progress],
    )


@router.get("/{reader_study}", summary="Look at a reader study")
def detail(here: Here, _: Admin, reader_study: str) -> ReaderStudyShown:
    """Its design, how its films were drawn, and how far its readers are."""
    return reader_study_shown(here, here.worklist.reader_studies.get(reader_study))


@router.patch("/{reader_study}", summary="Change a draft")
def change(here: Here, who: Admin, reader_study: str, changes: DesignChange) -> ReaderStudyShown:
    """Once it is started it is frozen: 409; make a new version then."""
    given = changes.model_dump(exclude_none=True)
    return reader_study_shown(here, here.worklist.reader_studies.change(reader_study, given, by=who.name))


@router.delete("/{reader_study}", summary="Delete a draft", status_code=204)
def delete(here: Here, who: Admin, reader_study: str) -> Response:
    """What was started is kept: 409."""
    here.worklist.reader_studies.delete(reader_study, by=who.name)
    return Response(status_code=204)


@router.post("/{reader_study}/start", summary="Start a reader study")
def start(here: Here, who: Admin, reader_study: str) -> ReaderStudyShown:
    """Freeze it, draw each reader's order, and let the readers in."""
    return reader_study_shown(here, here.worklist.reader_studies.start(reader_study, by=who.name))


@router.post("/{reader_study}/close", summary="Close a reader study")
def close(here: Here, who: Admin, reader_study: str) -> ReaderStudyShown:
    """Nothing more is read; readers see its films in the worklist again."""
    return reader_study_shown(here, here.worklist.reader_studies.close(reader_study, by=who.name))


@router.post("/{reader_study}/versions", summary="Make a new version", status_code=201)
def new_version(here: Here, who: Admin, reader_study: str) -> ReaderStudyShown:
    """A draft with the same films and design, to be changed."""
    return reader_study_shown(here, here.worklist.reader_studies.new_version(reader_study, by=who.name))


@router.post("/{reader_study}/readers/{reader}/let-go", summary="Let a reader go")
def let_go(here: Here, who: Admin, reader_study: str, reader: str) -> ReaderStudyShown:
    """Who leaves half-way: what was read is kept, and marked in the results."""
    here.worklist.reader_studies.let_go(reader_study, reader, by=who.name)
    return reader_study_shown(here, here.worklist.reader_studies.get(reader_study))


@router.get("/{reader_study}/results", summary="The results as a table", response_class=StreamingResponse)
def results(
    here: Here,
    who: Admin,
    reader_study: str,
    form: Annotated[Literal["csv", "json", "parquet"], Query(alias="format", description="Of the table")] = "csv",
) -> StreamingResponse:
    """One row a reading, with reference, rating, seconds and the model's probability: what the statistics read."""
    return results_response(here, who, reader_study, form)


def results_response(here: Context, who: Identity, reader_study: str, form: str) -> StreamingResponse:
    """The table as a file to save."""
    row = here.worklist.reader_studies.get(reader_study)
    pieces = table_bytes(result_rows(here.worklist.database, reader_study), form, RESULT_COLUMNS)
    record_audit(here, who, "reader-study.export", f"reader-study:{reader_study}", format=form)
    name = f"reader-study-{row.id}-v{row.version}.{form}"
    saved = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=saved)


class ImportedReadingsShown(BaseModel):
    """How many readings were kept, and how many were there already."""

    kept: int
    known: int


class ReadingsTable(BaseModel):
    """Readings made elsewhere: a CSV with the columns reader, film, arm, class, rating, and others of the results."""

    model_config = ConfigDict(extra="forbid")
    csv: Annotated[str, Field(min_length=1)]


@router.post("/{reader_study}/import", summary="Bring readings in", status_code=201)
def bring_in(here: Here, who: Admin, reader_study: str, given: ReadingsTable) -> ImportedReadingsShown:
    """All lines or none; the same lines again are passed over. Readings of films that are not in the study: 400."""
    found = import_readings(here.worklist.database, reader_study, given.csv, by=who.name)
    return ImportedReadingsShown(kept=found.kept, known=found.known)


@router.get("/{reader_study}/annotations", summary="The boxes as COCO")
def boxes(here: Here, who: Admin, reader_study: str) -> dict[str, Any]:
    """Images, annotations and categories; boxes in pixels of the film as it is shown, and as fractions of it."""

    def size_of(reading: str) -> tuple[int, int]:
        row = here.worklist.studies.reading(reading)
        film = here.worklist.studies.film(row.film)
        return size_as_read(film.rows or 1, film.columns or 1, from_dict(row.document).corrections)

    document = coco_document(here.worklist.database, reader_study, size_of)
    record_audit(here, who, "reader-study.export", f"reader-study:{reader_study}", format="coco")
    return document


class BoxesGiven(BaseModel):
    """Boxes drawn elsewhere: a COCO document or a Label Studio export, and whose they are."""

    model_config = ConfigDict(extra="forbid")
    document: dict[str, Any] | list[Any]
    reader: Word
    arm: Arm = "unaided"


class ImportedBoxesShown(BaseModel):
    """How many boxes were put to how many readings; ``unknown`` images of the file were not read by the reader."""

    boxes: int
    readings: int
    unknown: int


@router.post("/{reader_study}/annotations", summary="Bring boxes in", status_code=201)
def bring_boxes(here: Here, who: Admin, reader_study: str, given: BoxesGiven) -> ImportedBoxesShown:
    """From COCO or Label Studio JSON, to a reader's readings, in place of the boxes that are there."""
    found = import_boxes(
        here.worklist.database, reader_study, given.document, reader=given.reader, arm=given.arm, by=who.name
    )
    return ImportedBoxesShown(boxes=found.boxes, readings=found.readings, unknown=found.unknown)
