"""The Read page and the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from pneumoscope.errors import NotFound
from pneumoscope.model.population import bundle_population
from pneumoscope.reports.json import from_dict
from pneumoscope.reports.summary import percent, population_sentences
from pneumoscope.server.auth.audit import record_view
from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.context import Here
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.study import sides_of
from pneumoscope.server.pages.wording import operating_point_choices

if TYPE_CHECKING:
    from pneumoscope.server.store.records import ReadingRow, StudyRecord

__all__ = ["router", "viewer_router"]

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
        points=operating_point_choices(meta),
        population=population_sentences(bundle_population(meta, "")),
        max_bytes=here.config.max_bytes,
        max_request_bytes=here.config.max_request_bytes,
        max_files=here.config.max_files,
    )


viewer_router = APIRouter(include_in_schema=False)


@viewer_router.get("/studies/{study}/view", response_class=HTMLResponse)
def viewer(
    request: Request,
    who: Reader,
    here: Here,
    study: str,
    *,
    reading: Annotated[
        str | None, Query(description="Id of a reading; without it, the newest of the lead film")
    ] = None,
    renderer: Annotated[str | None, Query(description="2d draws without WebGL2")] = None,
) -> HTMLResponse:
    """The viewer of one reading of a study."""
    detail = here.worklist.studies.detail(study)
    record_view(here, who, study)
    row = _choose_film(detail, reading)
    names = {film.sha256: film.name for film in detail.films}
    read = from_dict(row.document)
    found = read.finding
    finding = found.name if found else here.bundles.get().meta.finding
    facts = next(film.facts for film in detail.films if film.sha256 == row.film)
    rated = None if read.forced else found
    meta = next((known.meta for known in here.bundles.all() if known.sha256 == row.bundle_sha256), None)
    return page(
        request,
        who,
        "viewer",
        title="Viewer",
        active="worklist",
        study=detail.study.id,
        reading=row.id,
        label=names.get(row.film) or detail.study.label,
        finding=finding,
        refused=read.status == "refused",
        call=found.call if found else None,
        forced=read.forced,
        warnings=read.warnings,
        sides=sides_of(read, facts),
        population=()
        if meta is None
        else population_sentences(bundle_population(meta, row.preset or ""), facts, rated),
        share=percent(found.probability) if found else "",
        bundle=row.bundle,
        flat=renderer == "2d",
    )


def _choose_film(detail: StudyRecord, reading: str | None) -> ReadingRow:
    """The reading that was asked for, else the newest one of the film that leads the study."""
    if reading is not None:
        wanted = [row for row in detail.readings if row.id == reading]
    else:
        wanted = [row for row in detail.readings if row.film == detail.study.lead] or list(detail.readings)
    if not wanted:
        raise NotFound("the study has no such reading", remedy="Open the study, and the viewer from there")
    return wanted[0]
