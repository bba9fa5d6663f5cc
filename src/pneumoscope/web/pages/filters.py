"""The filters of the worklist: from the address of a page to a query, and back."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pneumoscope.gate.codes import CODES
from pneumoscope.web.pages.words import SOURCES, VERDICTS
from pneumoscope.worklist.records import Query as StudyQuery

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CALLS", "ORDERS", "REFUSALS", "Filters", "View", "views"]

ORDERS = {"newest": "Newest first", "urgency": "Most urgent first"}
"""Orders of the worklist, in words."""

CALLS = {
    "pneumonia": "Pneumonia",
    "indeterminate": "Indeterminate",
    "no pneumonia": "No pneumonia",
    "refused": "Refused",
}
"""What can be asked for as the outcome; "refused" is the status of that name."""

REFUSALS = (*CODES, "unreadable", "unsupported", "too-large")
"""Codes of refusals: the gate's, and the decoder's."""

_TEXT = 200  # characters of a search


@dataclass(frozen=True, slots=True)
class Filters:
    """What stands in the address; empty where nothing is asked for. What is unknown there is passed over.

    Attributes:
        order: "newest" or "urgency".
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
