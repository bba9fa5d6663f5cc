"""The pages of reader studies: the list, making one, its progress, and reading."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import NotFound, PneumoscopeError, UsageError
from pneumoscope.server.api.reader_studies import NewReaderStudy, create_reader_study, results_response
from pneumoscope.server.auth.audit import record_audit
from pneumoscope.server.auth.identity import Admin, Identity, Reader
from pneumoscope.server.context import Context, Here
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.worklist import Filters
from pneumoscope.server.reader_study_analysis import analyse, analysis_file, stored_analysis
from pneumoscope.server.store.reader_studies.annotations import import_boxes
from pneumoscope.server.store.reader_studies.imports import import_readings
from pneumoscope.server.store.reader_studies.records import ZONES

__all__ = ["ARMS", "RATINGS", "SCALES", "router"]

router = APIRouter(include_in_schema=False, prefix="/reader-studies", route_class=PageRoute)

ARMS = {
    "unaided": "Unaided",
    "sequential": "Unaided, then, after the washout, aided by the model",
    "independent": "Independent: half of the readers unaided, the others aided",
}
"""Which arms there are, in words."""

SCALES = {"five": "Five points", "continuous": "0 to 100"}
"""Of the rating, in words."""

RATINGS = ("Definitely absent", "Probably absent", "Undecided", "Probably present", "Definitely present")
"""The five points."""

_STATUS = {"draft": "Draft", "running": "Running", "closed": "Closed"}
_DONE = {
    "start": "The study has started: it is frozen, and its readers can read.",
    "close": "The study is closed.",
    "change": "The draft is changed.",
    "analyse": "The readings are analysed.",
    "import": "The file was brought in.",
    "let-go": "The reader was let go; what was read is kept.",
}
_EMPTY: dict[str, object] = dict.fromkeys(
    (
        "name",
        "arms",
        "washout_days",
        "scale",
        "readers",
        "instructions",
        "films",
        "share",
        "training",
        "seed",
        "classes",
    ),
    "",
)

Text = Annotated[str, Form(max_length=4000)]


@router.get("")
def reader_studies(request: Request, here: Here, who: Reader) -> HTMLResponse:
    """All for administrators; for readers those in which they read now."""
    store = here.worklist.reader_studies
    admin = who.may("admin")
    return page(
        request,
        who,
        "reader_studies",
        title="Reader studies",
        rows=store.list() if admin else store.of_reader(who.name),
        admin=admin,
        status_words=_STATUS,
        say=words,
    )


@router.get("/new")
def new(request: Request, here: Here, who: Admin) -> HTMLResponse:
    """The form; the worklist's filters stand in the address."""
    return _form(request, here, who)


def _form(
    request: Request, here: Context, who: Identity, *, wrong: str = "", given: dict[str, object] | None = None
) -> HTMLResponse:
    filters = Filters.of(request.query_params)
    return page(
        request,
        who,
        "reader_study_new",
        title="New reader study",
        active="reader-studies",
        status=400 if wrong else 200,
        filters=filters,
        matching=here.worklist.studies.count(filters.query()),
        readers=[row for row in here.worklist.users.list() if row.role == "reader" and row.active],
        meta=here.bundles.get().meta,
        arms=ARMS,
        scales=SCALES,
        wrong=wrong,
        given=_EMPTY | (given or {}),
    )


@router.post("/new", response_model=None)
async def make(request: Request, here: Here, who: Admin) -> HTMLResponse | RedirectResponse:
    """Make a draft from the form, and show it."""
    async with request.form() as form:
        said = {name: value for name, value in form.items() if isinstance(value, str)}
        readers = [str(each) for each in form.getlist("readers")]
        manifest = await _text_of(form.get("manifest"))
    try:
        named = _new_of(said, readers, manifest)
        asked = named.model_copy(update={"filters": dict(request.query_params) if manifest is None else {}})
        made = await run_in_threadpool(create_reader_study, here, who, asked)
    except PneumoscopeError as error:
        wrong = f"{error.what}. {error.remedy}"
    except (ValidationError, ValueError):
        wrong = "a field has a value that cannot be"
    else:
        return RedirectResponse(f"/reader-studies/{made.id}", status_code=303)
    return _form(
        request,
        here,
        who,
        wrong=f"{wrong[:1].upper()}{wrong[1:]}.".replace("..", "."),
        given={**said, "readers": readers},
    )


def _new_of(said: dict[str, str], readers: list[str], manifest: str | None) -> NewReaderStudy:
    share = said.get("share", "").strip()
    films = said.get("films", "").strip()
    classes: dict[str, object] = {}
    if listed := [name.strip() for name in said.get("classes", "").split(",") if name.strip()]:
        classes = {"classes": listed}
    return NewReaderStudy.model_validate(
        {
            "name": said.get("name", "").strip(),
            "readers": readers,
            "arms": said.get("arms", "unaided"),
            "washout_days": float(said.get("washout_days") or 28),
            "scale": said.get("scale", "five"),
            "instructions": said.get("instructions", ""),
            "films": int(films) if films else None,
            "share": float(share) / 100 if share else None,
            "training": int(said.get("training") or 0),
            "one_film_per_patient": "one_film_per_patient" in said,
            "seed": int(said.get("seed") or 0),
            "manifest": manifest,
            **classes,
        }
    )


async def _text_of(upload: object) -> str | None:
    """The text of an uploaded file; None if none was chosen."""
    if isinstance(upload, str) or not hasattr(upload, "read"):
        return None
    data: bytes = await upload.read()
    return data.decode("utf-8", "replace") if data else None


@router.get("/{reader_study}")
def show(request: Request, here: Here, who: Admin, reader_study: str, done: str = "") -> HTMLResponse:
    """The study for administrators: design, sample, progress, export."""
    return _show(request, here, who, reader_study, done=_DONE.get(done, ""))


def _show(
    request: Request, here: Context, who: Identity, reader_study: str, *, done: str = "", wrong: str = ""
) -> HTMLResponse:
    store = here.worklist.reader_studies
    row = store.get(reader_study)
    return page(
        request,
        who,
        "reader_study",
        title=row.design.name,
        active="reader-studies",
        status=400 if wrong else 200,
        row=row,
        versions=store.versions(reader_study),
        progress=here.worklist.reader_readings.progress(reader_study),
        readers=[each for each in here.worklist.users.list() if each.role == "reader" and each.active],
        status_words=_STATUS,
        arms=ARMS,
        scales=SCALES,
        analysis=None if row.status == "draft" else stored_analysis(here, reader_study),
        done=done,
        wrong=wrong,
        say=words,
    )


@router.post("/{reader_study}/analyse", response_model=None)
def analyse_readings(
    request: Request, here: Here, who: Admin, reader_study: str, margin: Text = ""
) -> HTMLResponse | RedirectResponse:
    """Make the statistics of what was read so far."""
    try:
        analyse(here, reader_study, margin=float(margin) if margin.strip() else None)
    except NotFound:
        raise
    except ValueError:
        return _show(request, here, who, reader_study, wrong="The margin is no number.")
    except PneumoscopeError as error:
        return _show(request, here, who, reader_study, wrong=_sentence(error))
    record_audit(here, who, "reader-study.analyse", f"reader-study:{reader_study}")
    return RedirectResponse(f"/reader-studies/{reader_study}?done=analyse#results-title", status_code=303)


@router.get("/{reader_study}/analysis/{name}")
def analysis(here: Here, who: Admin, reader_study: str, name: str) -> Response:
    """A figure of the analysis, or its report to save."""
    del who
    data = analysis_file(here, reader_study, name)
    if name.endswith(".png"):
        return Response(data, media_type="image/png")
    kind = "text/html; charset=utf-8" if name.endswith(".html") else "application/json"
    saved = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=kind, headers=saved)


@router.post("/{reader_study}/import", response_model=None)
async def bring_in(request: Request, here: Here, who: Admin, reader_study: str) -> HTMLResponse | RedirectResponse:
    """Bring in readings (CSV) or boxes (COCO, Label Studio) that were made elsewhere."""
    async with request.form() as form:
        text, reader = await _text_of(form.get("file")), str(form.get("reader", ""))
    try:
        if text is None:
            raise UsageError("no file was chosen", where="file")
        await run_in_threadpool(_bring, here, who, reader_study, text, reader)
    except NotFound:
        raise
    except PneumoscopeError as error:
        return await run_in_threadpool(_show, request, here, who, reader_study, wrong=_sentence(error))
    return RedirectResponse(f"/reader-studies/{reader_study}?done=import", status_code=303)


def _bring(here: Context, who: Identity, reader_study: str, text: str, reader: str) -> None:
    database = here.worklist.database
    if not text.lstrip("\ufeff \n").startswith(("{", "[")):
        import_readings(database, reader_study, text, by=who.name)
        return
    try:
        document = json.loads(text)
    except ValueError as error:
        raise UsageError(f"this is no JSON ({error})", where="file") from error
    name, _, arm = reader.partition("|")
    import_boxes(database, reader_study, document, reader=name, arm=arm or "unaided", by=who.name)


@router.post("/{reader_study}/{action}", response_model=None)
def act(
    request: Request,
    here: Here,
    who: Admin,
    reader_study: str,
    action: Literal["start", "close", "version", "delete", "let-go"],
    *,
    reader: Text = "",
) -> HTMLResponse | RedirectResponse:
    """Start, close, make a new version, delete a draft, or let a reader go."""
    store = here.worklist.reader_studies
    target = reader_study
    try:
        if action == "start":
            store.start(reader_study, by=who.name)
        elif action == "close":
            store.close(reader_study, by=who.name)
        elif action == "version":
            target = store.new_version(reader_study, by=who.name).id
        elif action == "let-go":
            store.let_go(reader_study, reader, by=who.name)
        else:
            store.delete(reader_study, by=who.name)
            return RedirectResponse("/reader-studies", status_code=303)
    except NotFound:
        raise
    except PneumoscopeError as error:
        return _show(request, here, who, reader_study, wrong=_sentence(error))
    return RedirectResponse(f"/reader-studies/{target}?done={action}", status_code=303)


@router.post("/{reader_study}", response_model=None)
def change(
    request: Request,
    here: Here,
    who: Admin,
    reader_study: str,
    *,
    name: Text,
    arms: Text,
    washout_days: Annotated[float, Form()],
    scale: Text,
    instructions: Text = "",
    readers: Annotated[list[str], Form(default_factory=list)],
) -> HTMLResponse | RedirectResponse:
    """Change a draft."""
    changes = {
        "name": name,
        "arms": arms,
        "washout_days": washout_days,
        "scale": scale,
        "instructions": instructions,
        "readers": readers,
    }
    try:
        here.worklist.reader_studies.change(reader_study, changes, by=who.name)
    except NotFound:
        raise
    except PneumoscopeError as error:
        return _show(request, here, who, reader_study, wrong=_sentence(error))
    return RedirectResponse(f"/reader-studies/{reader_study}?done=change", status_code=303)


@router.get("/{reader_study}/results.{form}", response_model=None)
def results(here: Here, who: Admin, reader_study: str, form: Literal["csv", "json", "parquet"]) -> StreamingResponse:
    """The results as a file to save."""
    return results_response(here, who, reader_study, form)


@router.get("/{reader_study}/read")
def read(request: Request, here: Here, who: Reader, reader_study: str) -> HTMLResponse:
    """The page on which a reader reads: a film at a time, the answer beside it."""
    row = next((each for each in here.worklist.reader_studies.of_reader(who.name) if each.id == reader_study), None)
    if row is None:
        raise NotFound("there is no such reader study for you", remedy="It may be closed; what you have read is kept")
    task = here.worklist.reader_readings.task(reader_study, who.name)
    return page(
        request,
        who,
        "reader_study_read",
        title=row.design.name,
        active="reader-studies",
        row=row,
        arm=task.arm,
        ratings=RATINGS,
        zones=ZONES,
    )


def _sentence(error: PneumoscopeError) -> str:
    told = f"{error.what}. {error.remedy}." if error.remedy else f"{error.what}."
    return f"{told[:1].upper()}{told[1:]}"
