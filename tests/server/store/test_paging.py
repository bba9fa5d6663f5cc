"""Laws of the pages: each row once, in order, whatever the ties and filters are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from pneumoscope.errors import UsageError
from pneumoscope.server.store import tables
from pneumoscope.server.store.paging import LONGEST_WAIT_HOURS
from pneumoscope.server.store.records import Query

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.store.conftest import Clock

    from pneumoscope.server.store.worklist import Worklist
    from pneumoscope.types.studies import Study

START = datetime(2026, 1, 1, tzinfo=UTC)
# Few values, so that there are many ties.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "received": st.integers(0, 4).map(lambda hours: START + timedelta(hours=hours)),
            "probability": st.sampled_from([None, 0.0, 0.1 + 0.2, 0.5, 1.0]),
            "source": st.sampled_from(["web", "node"]),
            "verdict": st.sampled_from(["", "agree", "correct"]),
        }
    ),
    max_size=30,
)
QUERIES = st.builds(
    Query,
    order=st.sampled_from(["newest", "urgency", "priority"]),
    call=st.sampled_from([None, "pneumonia", "no pneumonia"]),
    status=st.sampled_from([None, "read", "refused"]),
    source=st.sampled_from([None, "web", "api"]),
    verdict=st.sampled_from([None, "none", "agree"]),
    refusal=st.sampled_from([None, "blurred"]),
    since=st.sampled_from([None, START + timedelta(hours=2)]),
    until=st.sampled_from([None, START + timedelta(hours=3)]),
    limit=st.integers(1, 7),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, query=QUERIES)
def test_pages_hold_each_row_once_in_order(worklist: Worklist, rows: list[dict[str, Any]], query: Query) -> None:
    _put(worklist, rows)
    everything = _walk(worklist, Query(limit=500))
    expected = sorted((row for row in everything if _fits(row, query)), key=lambda row: _key(row, query), reverse=True)

    assert [row.id for row in _walk(worklist, query)] == [row.id for row in expected]
    assert worklist.studies.count(query) == len(expected)
    assert worklist.studies.count(query, cap=3) == min(len(expected), 3)
    ids = [None, *(row.id for row in expected), None]
    for before, here, after in zip(ids, ids[1:], ids[2:], strict=False):
        assert here is not None
        beside = worklist.studies.neighbours(here, query)
        assert (beside.previous, beside.next) == (before, after)


def test_rows_that_come_meanwhile_move_nothing(worklist: Worklist, add: Callable[..., str], clock: Clock) -> None:
    ids = []
    for name in "abcde":
        ids.append(add(name))
        clock.forward(seconds=1)
    first = worklist.studies.page(Query(limit=2))
    add("new")
    worklist.studies.delete([ids[3]], by="anna")
    second = worklist.studies.page(Query(limit=2, cursor=first.next))
    assert [row.id for row in (*first.items, *second.items)] == [ids[4], ids[3], ids[2], ids[1]]


def test_a_row_outside_the_query_has_neighbours_too(worklist: Worklist, add: Callable[..., str], clock: Clock) -> None:
    """So that a person who gave a verdict goes on from where the row was."""
    ids = []
    for name in "abc":
        ids.append(add(name))
        clock.forward(seconds=1)
    worklist.verdicts.give(ids[1], "agree", by="anna")
    beside = worklist.studies.neighbours(ids[1], Query(verdict="none"))
    assert (beside.previous, beside.next) == (ids[2], ids[0])


@pytest.mark.parametrize("cursor", ["", "x", "WyJuZXdlc3QiXQ", "W10", "\u2603", "WyJuZXdlc3QiLDEuNSwiYSJd", "A" * 4000])
def test_no_cursor(sqlite_worklist: Worklist, cursor: str) -> None:
    with pytest.raises(UsageError, match="cursor"):
        sqlite_worklist.studies.page(Query(cursor=cursor))


def test_a_cursor_is_of_its_order(sqlite_worklist: Worklist) -> None:
    _put(sqlite_worklist, [{"received": START, "probability": 0.5, "source": "web", "verdict": ""}] * 3)
    cursor = sqlite_worklist.studies.page(Query(limit=1)).next
    with pytest.raises(UsageError, match="cursor"):
        sqlite_worklist.studies.page(Query(limit=1, order="urgency", cursor=cursor))
    with pytest.raises(UsageError, match="order"):
        sqlite_worklist.studies.page(Query(order="label"))  # type: ignore[arg-type]


def test_no_study_waits_for_ever(sqlite_worklist: Worklist) -> None:
    """By priority a sure finding goes first, but not before a film without it that has waited long enough."""
    hour = timedelta(hours=1)
    rows = [(0, 0.0), (1, 1.0), (4.5, 1.0), (2, 0.75)]
    _put(
        sqlite_worklist,
        [{"received": START + when * hour, "probability": sure, "source": "web", "verdict": ""} for when, sure in rows],
    )

    found = [(row.received - START) / hour for row in _walk(sqlite_worklist, Query(order="priority"))]

    assert found == [1, 2, 0, 4.5]


def test_limits_are_held(sqlite_worklist: Worklist) -> None:
    _put(sqlite_worklist, [{"received": START, "probability": 0.5, "source": "web", "verdict": ""}] * 3)
    assert len(sqlite_worklist.studies.page(Query(limit=0)).items) == 1
    assert len(sqlite_worklist.studies.page(Query(limit=10**9)).items) == 3


def _put(worklist: Worklist, rows: list[dict[str, Any]]) -> None:
    """Studies in place of those that are there, straight into the table."""
    with worklist.database.write() as connection:
        connection.execute(delete(tables.study))
        for number, row in enumerate(rows):
            p = row["probability"]
            values = row | {
                "id": f"{number * 7919 % 1000:016x}",
                "label": f"study {number}",
                "changed": number,
                "films": 1,
                "status": "refused" if p is None else "read",
                "call": "" if p is None else "pneumonia" if p >= 0.5 else "no pneumonia",
                "urgency": -1.0 if p is None else p,
                "refusal": "blurred" if p is None else "",
                "lead": "",
                "bundle": "",
                "note": "",
            }
            connection.execute(insert(tables.study), values)


def _walk(worklist: Worklist, query: Query) -> list[Study]:
    rows: list[Study] = []
    for _ in range(100):
        page = worklist.studies.page(query)
        assert len(page.items) <= query.limit
        rows.extend(page.items)
        if page.next is None:
            return rows
        query = replace(query, cursor=page.next)
    raise AssertionError("the pages do not end")


def _key(row: Study, query: Query) -> tuple[object, ...]:
    urgency = -1.0 if row.probability is None else row.probability
    if query.order == "priority":
        waited = (row.received - START) / timedelta(microseconds=1)
        return (max(0.0, urgency) * LONGEST_WAIT_HOURS * 3600e6 - waited, row.id)
    return (urgency, row.received, row.id) if query.order == "urgency" else (row.received, row.id)


def _fits(row: Study, query: Query) -> bool:
    return (
        query.call in {None, row.call}
        and query.status in {None, row.status}
        and query.source in {None, row.source}
        and query.verdict in {None, row.verdict or "none"}
        and query.refusal in {None, row.refusal}
        and (query.since is None or row.received >= query.since)
        and (query.until is None or row.received < query.until)
    )
