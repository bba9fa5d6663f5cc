"""The dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.charts import Column, Line, RateRow, columns, lines, rate_rows, share_bar
from pneumoscope.server.context import Here
from pneumoscope.server.pages import wording as words
from pneumoscope.server.pages.drift import drift_panel
from pneumoscope.server.pages.errors import PageRoute
from pneumoscope.server.pages.render import page
from pneumoscope.stats.proportions import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from markupsafe import Markup

    from pneumoscope.server.store.usage import Agreement, DailyReadings, NamedCount, ReadingDuration
    from pneumoscope.stats.proportions import Proportion

__all__ = ["DAYS", "Agreed", "agreements", "by_step", "router"]

router = APIRouter(include_in_schema=False, route_class=PageRoute)

DAYS = (7, 30, 90, 365)
"""How far back one can look."""

_CALL_SERIES = {"pneumonia": 2, "no pneumonia": 1, "indeterminate": 3}
_STEPS = 60  # columns of a chart, at most


@dataclass(frozen=True, slots=True)
class Agreed:
    """Verdicts on one call: how many agree, with Wilson's interval."""

    call: str
    interval: Proportion


@router.get("/dashboard")
def dashboard(request: Request, here: Here, who: Reader, days: int = 30) -> HTMLResponse:
    """The page, for the last ``days``; other numbers than those offered count as 30."""
    days = days if days in DAYS else 30
    numbers = here.worklist.numbers
    per_day, seconds = numbers.per_day(days), numbers.seconds(days)
    calls, refusals = numbers.calls(days), numbers.refusals(days)
    agreed = agreements(numbers.agreement(days))
    read, refused = sum(day.read for day in per_day), sum(day.refused for day in per_day)
    return page(
        request,
        who,
        "dashboard",
        days=days,
        choices=DAYS,
        read=read,
        refused=refused,
        totals=numbers.totals(),
        per_day=per_day,
        per_day_chart=_per_day(per_day) if read + refused else None,
        calls=_shared(calls, _CALL_SERIES),
        refusals=_shared(refusals, {}),
        overall=seconds[0] if seconds else None,
        seconds=seconds[1:],
        seconds_chart=_seconds(seconds[1:]) if seconds else None,
        agreed=agreed,
        agreed_chart=_agreed(agreed) if agreed else None,
        drifting=drift_panel(here.worklist, here.bundles.get(), days),
        keep_days=here.keep_days,
        say=words,
    )


def agreements(found: Sequence[Agreement]) -> tuple[Agreed, ...]:
    """Agreement over all calls first, then by call; calls without a verdict are left out.

    A correction that names what was called (a pattern corrected, the finding left) counts as one all the same: the
    person said that something was wrong.
    """
    by_call: dict[str, list[int]] = {}
    for one in found:
        counts = by_call.setdefault(one.call or "refused", [0, 0])
        counts[0] += one.count if one.kind == "agree" else 0
        counts[1] += one.count
    if not by_call:
        return ()
    total = [sum(counts[i] for counts in by_call.values()) for i in (0, 1)]
    rows = {"all": total, **dict(sorted(by_call.items(), key=lambda item: -item[1][1]))}
    return tuple(Agreed(call, wilson(k, n)) for call, (k, n) in rows.items())


def by_step(days: Sequence[DailyReadings], most: int = _STEPS) -> list[tuple[str, int, int]]:
    """Days, or where there are many, weeks of them: the first day, read, refused."""
    step = 1 if len(days) <= most else 7
    parts = [days[i : i + step] for i in range(len(days) % step, len(days), step)]
    if len(days) % step:
        parts.insert(0, days[: len(days) % step])
    return [(_short(part[0].day), sum(d.read for d in part), sum(d.refused for d in part)) for part in parts]


def _per_day(days: Sequence[DailyReadings]) -> Markup:
    steps = by_step(days)
    each = "day" if len(steps) == len(days) else "week"
    data = [Column(label, (read, refused)) for label, read, refused in steps]
    return columns("per-day", f"Readings and refusals a {each}", data)


def _seconds(days: Sequence[ReadingDuration]) -> Markup:
    labels = [_short(each.day) for each in days if each.day is not None]
    middle = Line("half of all films", tuple(each.p50 for each in days))
    slow = Line("95 of 100 films", tuple(each.p95 for each in days))
    return lines(
        "seconds", "Seconds a film by day: half of all films, and 95 of 100", labels, [middle, slow], unit=" s"
    )


def _agreed(rows: Sequence[Agreed]) -> Markup:
    drawn = [RateRow(f"{row.call}: {row.interval.k:,} of {row.interval.n:,}", *_ends(row.interval)) for row in rows]
    return rate_rows("agreed", "Share of verdicts that agree, by call, with 95 % intervals", drawn)


def _ends(interval: Proportion) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _shared(counts: Sequence[NamedCount], series: dict[str, int]) -> list[tuple[str, int, float, Markup]]:
    """Name, count, share of all, and a bar."""
    total = sum(each.count for each in counts) or 1
    return [
        (each.name, each.count, each.count / total, share_bar(each.count / total, series.get(each.name, 3)))
        for each in counts
    ]


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
