"""The Worklist: every study that was read, page by page, with filters that stand in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from pneumoscope.errors import UsageError
from pneumoscope.web.api.studies import delete_studies
from pneumoscope.web.context import Here
from pneumoscope.web.pages import words
from pneumoscope.web.pages.filters import CALLS, ORDERS, REFUSALS, Filters, views
from pneumoscope.web.pages.render import page
from pneumoscope.web.pages.trouble import PageRoute
from pneumoscope.web.pages.words import SOURCES, VERDICTS
from pneumoscope.web.security.who import Admin, Reader, Writer

if TYPE_CHECKING:
    from pneumoscope.worklist import Worklist
    from pneumoscope.worklist.records import StudyRow

__all__ = ["router"]

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT = 50
_COUNTED = 10_000  # so many studies are counted, and no more; pages go on to the last one
_AT_ONCE = 200  # rows that one call may act on or ask for

Ids = Annotated[list[str], Form(max_length=_AT_ONCE, default_factory=list)]


@dataclass(frozen=True, slots=True)
class Shown:
    """One page of rows, and what is said above it.

    Attributes:
        rows: Of this page.
        next: Cursor of the page that follows.
        count: In words: "1,234 studies", "10,000 or more studies".
        any: Whether there is any study at all, whatever the filters.
    """

    rows: tuple[StudyRow, ...]
    next: str | None
    count: str
    any: bool


@router.get("/worklist")
def worklist(request: Request, here: Here, who: Reader, done: str = "", n: int = 0) -> HTMLResponse:
    """The page. ``done`` and ``n`` tell what an action before it has done."""
    filters = Filters.of(request.query_params)
    return page(
        request,
        who,
        "worklist",
        filters=filters,
        shown=_shown(here.worklist, filters),
        views=views(),
        choices={"order": ORDERS, "call": CALLS, "verdict": VERDICTS, "source": SOURCES, "refusal": REFUSALS},
        told=_told(done, n),
        can_delete=who.may("admin"),
        say=words,
    )


@router.get("/worklist/results")
def results(request: Request, here: Here, who: Reader) -> HTMLResponse:
    """The rows and what surrounds them, without the page: filters that change, and "more"."""
    filters = Filters.of(request.query_params)
    return page(
        request,
        who,
        "worklist_results",
        filters=filters,
        shown=_shown(here.worklist, filters),
        can_delete=who.may("admin"),
        say=words,
    )


@router.get("/worklist/rows")
def rows(
    request: Request, here: Here, who: Reader, ids: Annotated[list[str], Query(max_length=_AT_ONCE)]
) -> HTMLResponse:
    """Rows by id, as they are now; those that are gone are left out."""
    return page(
        request,
        who,
        "worklist_rows",
        filters=Filters.of(request.query_params),
        rows=here.worklist.studies.get_many(ids),
        say=words,
    )


@router.post("/worklist/agree")
def agree(request: Request, here: Here, who: Writer, ids: Ids) -> RedirectResponse:
    """Agree with all that were selected (without a script)."""
    for row in here.worklist.studies.get_many(ids):
        here.worklist.verdicts.give(row.id, "agree", by=who.name)
    return _back(request, "agree", len(ids))


@router.post("/worklist/delete", response_model=None)
def delete(
    request: Request, here: Here, who: Admin, ids: Ids, confirmed: Annotated[bool, Form()] = False
) -> HTMLResponse | RedirectResponse:
    """Ask once more, then delete all that were selected (without a script)."""
    filters = Filters.of(request.query_params)
    found = here.worklist.studies.get_many(ids)
    if not found:
        return _back(request, "", 0)
    if confirmed:
        return _back(request, "delete", delete_studies(here, [row.id for row in found], who.name))
    return page(
        request,
        who,
        "worklist_delete",
        title="Delete studies",
        active="worklist",
        rows=found,
        filters=filters,
        say=words,
    )


def _shown(worklist: Worklist, filters: Filters) -> Shown:
    query = filters.query(_LIMIT)
    try:
        found = worklist.studies.page(query)
    except UsageError:  # a cursor of another order, or an old one: the first page is what is meant
        query = Filters.of({**_plain(filters), "cursor": ""}).query(_LIMIT)
        found = worklist.studies.page(query)
    count = worklist.studies.count(query, cap=_COUNTED)
    words = f"{_COUNTED:,} or more studies" if count >= _COUNTED else f"{count:,} stud{'y' if count == 1 else 'ies'}"
    anything = bool(count) or bool(worklist.studies.page(Filters().query(1)).items)
    return Shown(found.items, found.next, words, anything)


def _plain(filters: Filters) -> dict[str, str]:
    return {name: getattr(filters, name) for name in Filters.__slots__}


def _back(request: Request, done: str, n: int) -> RedirectResponse:
    """To the worklist as it was filtered."""
    filters = Filters.of(request.query_params)
    told = [("done", done), ("n", str(n))] if done and n else []
    search = urlencode([*parse_qsl(filters.search()), *told])
    return RedirectResponse(f"/worklist?{search}" if search else "/worklist", status_code=303)


def _told(done: str, n: int) -> str:
    studies = "1 study" if n == 1 else f"{n:,} studies"
    return {"delete": f"{studies} deleted", "agree": f"Agreed with {studies}"}.get(done, "") if n > 0 else ""
