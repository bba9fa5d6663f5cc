"""A film alone on the screen, with the tools to look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from pneumoscope.errors import NotFound
from pneumoscope.web.context import Here
from pneumoscope.web.pages.render import page
from pneumoscope.web.pages.words import percent
from pneumoscope.web.security.who import Reader

if TYPE_CHECKING:
    from pneumoscope.worklist.records import ReadingRow, StudyDetail

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/studies/{study}/view", response_class=HTMLResponse)
def view(
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
    row = _chosen(detail, reading)
    names = {film.sha256: film.name for film in detail.films}
    document = row.document
    finding = here.bundles.get().meta.finding
    found = document.get(finding) or {}
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
        refused=document["status"] == "refused",
        call=found.get("call"),
        share=percent(found["probability"]) if found else "",
        bundle=row.bundle,
        flat=renderer == "2d",
    )


def _chosen(detail: StudyDetail, reading: str | None) -> ReadingRow:
    """The reading that was asked for, else the newest one of the film that leads the study."""
    if reading is not None:
        wanted = [row for row in detail.readings if row.id == reading]
    else:
        wanted = [row for row in detail.readings if row.film == detail.study.lead] or list(detail.readings)
    if not wanted:
        raise NotFound("the study has no such reading", remedy="Open the study, and the viewer from there")
    return wanted[0]
