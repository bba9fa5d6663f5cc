"""The worklist: filters, list, verdicts and deletion of several."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from pneumoscope.errors import UsageError
from pneumoscope.quality.refusals import REFUSAL_REASONS
from pneumoscope.server.api.studies import agree_with, delete_studies, table_response
from pneumoscope.server.auth.identity import Admin, Identity, Reader, Writer, blind_reader
from pneumoscope.server.context import Here
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.server.pages.wording import SOURCES, VERDICTS
from pneumoscope.server.store.records import Query as StudyQuery
from pneumoscope.types.studies import Study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pneumoscope.server.store.worklist import Worklist

__all__ = ["CALLS", "ORDERS", "REFUSALS", "Filters", "View", "router", "views"]

ORDERS = {"newest": "Newest first", "urgency": "Most urgent first", "priority": "By urgency and waiting time"}
"""Orders of the worklist, in words."""

CALLS = {
    "pneumonia": "Pneumonia",
    "indeterminate": "Indeterminate",
    "no pneumonia": "No pneumonia",
    "refused": "Refused",
}
"""What can be asked for as the outcome; "refused" is the status of that name."""

REFUSALS = (*REFUSAL_REASONS, "unreadable", "unsupported", "too-large")
"""Codes of refusals: the gate's, and the decoder's."""

_TEXT = 200  # characters of a search


@dataclass(frozen=True, slots=True)
class Filters:
    """What stands in the address; empty where nothing is asked for. What is unknown there is passed over.

    Attributes:
        order: "newest", "urgency" or "priority".
        call: One of ``CALLS``.
        verdict: "none", "agree" or "correct".
        source: Where a study came from.
        refusal: A code.
        since: First day, ISO, UTC.
        until: Last day, ISO, UTC.
        q: Words to search for.
        cursor: Of the page; empty for the first one.
    """

    order: str = "newest"
    call: str = ""
    verdict: str = ""
    source: str = ""
    refusal: str = ""
    since: str = ""
    until: str = ""
    q: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Filters:
        """Read the address's query."""
        known = {
            "order": ORDERS,
            "call": CALLS,
            "verdict": VERDICTS,
            "source": SOURCES,
            "refusal": REFUSALS,
        }
        kept: dict[str, str] = {}
        for field in fields(cls):
            value = asked.get(field.name, "").strip()
            among = known.get(field.name)
            if not value or (among is not None and value not in among):
                continue
            if field.name in {"since", "until"} and _day(value) is None:
                continue
            kept[field.name] = value[:_TEXT] if field.name == "q" else value
        return cls(**kept)

    def query(self, limit: int = 50) -> StudyQuery:
        """What the store is asked."""
        since, until = _day(self.since), _day(self.until)
        # The store's words for these are literals; `of` lets no others in.
        return StudyQuery(
            order=self.order,  # type: ignore[arg-type]
            call=None if self.call in {"", "refused"} else self.call,
            status="refused" if self.call == "refused" else None,
            source=self.source or None,  # type: ignore[arg-type]
            verdict=self.verdict or None,  # type: ignore[arg-type]
            refusal=self.refusal or None,
            since=since,
            until=None if until is None else until + timedelta(days=1),
            text=self.q,
            limit=limit,
            cursor=self.cursor or None,
        )

    def search(self, **changes: str) -> str:
        """The address's query, with changes: what is at its default is left out."""
        wanted = replace(self, **changes)
        return urlencode(
            [
                (field.name, value)
                for field in fields(self)
                if (value := getattr(wanted, field.name)) and value != field.default
            ]
        )

    def url(self, path: str = "/worklist", **changes: str) -> str:
        """An address with these filters; without a cursor unless one is given."""
        search = self.search(**{"cursor": "", **changes})
        return f"{path}?{search}" if search else path

    @property
    def asked(self) -> bool:
        """Whether anything is filtered (an order is no filter)."""
        return bool(replace(self, order="newest", cursor="").search())

    @property
    def further(self) -> bool:
        """Whether one of those filters is set that are folded away."""
        return bool(self.source or self.refusal or self.since or self.until)


@dataclass(frozen=True, slots=True)
class View:
    """Filters that are often wanted, with a name."""

    label: str
    filters: Filters

    def is_of(self, filters: Filters) -> bool:
        """Whether these are the filters that are set, whatever the page."""
        return replace(filters, cursor="") == self.filters


def views() -> tuple[View, ...]:
    """What the worklist offers with one click."""
    return (
        View("All", Filters()),
        View("To review, most urgent first", Filters(order="urgency", verdict="none")),
        View("To review, none waits too long", Filters(order="priority", verdict="none")),
        View("Indeterminate", Filters(call="indeterminate")),
        View("Refused", Filters(call="refused")),
        View("Corrected", Filters(verdict="correct")),
    )


def _day(text: str) -> datetime | None:
    """Midnight UTC of an ISO date; None if it is none."""
    try:
        day = date.fromisoformat(text)
        if not 1 < day.year < 9999:  # the day after it must exist
            return None
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


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

    rows: tuple[Study, ...]
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
        shown=_shown(here.worklist, filters, who),
        views=views(),
        choices={"order": ORDERS, "call": CALLS, "verdict": VERDICTS, "source": SOURCES, "refusal": REFUSALS},
        told=_result_message(done, n),
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
        shown=_shown(here.worklist, filters, who),
        can_delete=who.may("admin"),
        say=words,
    )


@router.get("/worklist/table.{form}", response_model=None)
def table(request: Request, here: Here, who: Reader, form: Literal["csv", "json", "parquet"]) -> StreamingResponse:
    """All studies of the filters, as a file to save."""
    query = replace(Filters.of(request.query_params).query(), blind=blind_reader(who))
    return table_response(here, query, form)


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
        rows=here.worklist.studies.get_many(ids, blind=blind_reader(who)),
        say=words,
    )


@router.post("/worklist/agree")
def agree(request: Request, here: Here, who: Writer, ids: Ids) -> RedirectResponse:
    """Agree with all that were selected (without a script)."""
    return _back(request, "agree", len(agree_with(here, ids, who)))


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


def _shown(worklist: Worklist, filters: Filters, who: Identity) -> Shown:
    blind = blind_reader(who)
    query = replace(filters.query(_LIMIT), blind=blind)
    try:
        found = worklist.studies.page(query)
    except UsageError:  # a cursor of another order, or an old one: the first page is what is meant
        query = replace(Filters.of({**_plain(filters), "cursor": ""}).query(_LIMIT), blind=blind)
        found = worklist.studies.page(query)
    count = worklist.studies.count(query, cap=_COUNTED)
    words = f"{_COUNTED:,} or more studies" if count >= _COUNTED else f"{count:,} stud{'y' if count == 1 else 'ies'}"
    anything = bool(count) or bool(worklist.studies.page(replace(Filters().query(1), blind=blind)).items)
    return Shown(found.items, found.next, words, anything)


def _plain(filters: Filters) -> dict[str, str]:
    return {name: getattr(filters, name) for name in Filters.__slots__}


def _back(request: Request, done: str, n: int) -> RedirectResponse:
    """To the worklist as it was filtered."""
    filters = Filters.of(request.query_params)
    told = [("done", done), ("n", str(n))] if done and n else []
    search = urlencode([*parse_qsl(filters.search()), *told])
    return RedirectResponse(f"/worklist?{search}" if search else "/worklist", status_code=303)


def _result_message(done: str, n: int) -> str:
    studies = "1 study" if n == 1 else f"{n:,} studies"
    return {"delete": f"{studies} deleted", "agree": f"Agreed with {studies}"}.get(done, "") if n > 0 else ""
