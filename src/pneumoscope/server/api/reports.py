"""The API of reports of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import FilmError, NotFound, UsageError
from pneumoscope.films.load import load
from pneumoscope.model.report_context import make_report_context
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.reports.formats import find_format
from pneumoscope.reports.json import from_dict
from pneumoscope.server.auth.audit import record_audit
from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.context import Context, Here

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.store.records import ReadingRow
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.report_context import ReportContext

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["reports"])


@router.get(
    "/studies/{study}/report.{form}",
    summary="The report of a study",
    response_class=Response,
    responses={200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def report(
    here: Here,
    who: Reader,
    study: str,
    form: Annotated[str, Path(description="json, html, pdf, fhir or dcm", max_length=16)],
    reading: Annotated[
        str | None, Query(description="Id of one reading; without it, the newest of the lead film")
    ] = None,
) -> Response:
    """As JSON, HTML, PDF, FHIR or DICOM SR; 501 names the extra that is not installed."""
    try:
        wanted = find_format(form)
    except UsageError as error:
        raise NotFound(error.what, remedy=error.remedy) from error
    wanted.check()
    row = await run_in_threadpool(_row, here, study, reading)

    def write() -> bytes:
        evidence = None if row.evidence is None else row.evidence.evidence()
        return wanted.write(from_dict(row.document, evidence), _given(here, row))

    data = await run_in_threadpool(write)
    await run_in_threadpool(
        record_audit, here, who, "report.export", f"study:{row.study}", format=wanted.name, reading=row.id
    )
    headers = {"Content-Disposition": f'attachment; filename="pneumoscope-{row.id}{wanted.suffix}"'}
    if wanted.name == "html":
        from pneumoscope.reports.html import policy  # noqa: PLC0415 - only where it is needed

        headers = {"Content-Security-Policy": policy()}
    return Response(data, media_type=wanted.media_type, headers=headers)


def _row(here: Context, study: str, reading: str | None) -> ReadingRow:
    detail = here.worklist.studies.detail(study)
    for row in detail.readings:
        if row.id == reading or (reading is None and row.film == detail.study.lead):
            return row
    raise NotFound("the study has no such reading")


def _given(here: Context, row: ReadingRow) -> ReportContext:
    meta = _meta(here, row)
    data = here.worklist.studies.kept(row.film)
    return make_report_context(
        meta,
        row.preset or "",
        from_dict(row.document),
        _film(here, data, row),
        source=data or None,
        created=row.created,
        facts=here.worklist.studies.film(row.film).facts,
    )


def _film(here: Context, data: bytes, row: ReadingRow) -> Radiograph | None:
    if not data:
        return None
    try:
        film = load(data, name="film", max_pixels=here.config.max_pixels)
    except FilmError:
        return None
    return apply_corrections(film, from_dict(row.document).corrections)


def _meta(here: Context, row: ReadingRow) -> BundleMeta | None:
    """Of the very bundle that read it, if it is still there."""
    return next((known.meta for known in here.bundles.all() if known.sha256 == row.bundle_sha256), None)
