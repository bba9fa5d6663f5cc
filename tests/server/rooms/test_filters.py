"""Filters: what stands in the address is what is asked, and what is unknown there harms nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.reports.summary import percent
from pneumoscope.server.pages.wording import SOURCES, VERDICTS
from pneumoscope.server.pages.worklist import CALLS, ORDERS, REFUSALS, Filters, views

day = st.dates().map(lambda found: found.isoformat())
filters = st.builds(
    Filters.of,
    st.fixed_dictionaries(
        {},
        optional={
            "order": st.sampled_from(list(ORDERS)),
            "call": st.sampled_from(list(CALLS)),
            "verdict": st.sampled_from(list(VERDICTS)),
            "source": st.sampled_from(list(SOURCES)),
            "refusal": st.sampled_from(REFUSALS),
            "since": day,
            "until": day,
            "q": st.text(max_size=30),
        },
    ),
)


@given(filters)
def test_the_address_keeps_them_all(asked: Filters) -> None:
    assert Filters.of(dict(parse_qsl(asked.search()))) == asked


@given(st.dictionaries(st.sampled_from(Filters.__slots__), st.text(max_size=300)))
def test_whatever_stands_in_the_address_makes_a_query(asked: dict[str, str]) -> None:
    found = Filters.of(asked)
    query = found.query()
    assert query.order in ORDERS
    assert len(query.text) <= 200


def test_refused_is_a_status_and_the_last_day_counts_whole() -> None:
    query = Filters.of({"call": "refused", "since": "2026-03-01", "until": "2026-03-02"}).query()
    assert (query.call, query.status) == (None, "refused")
    assert (query.since, query.until) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC))


def test_a_change_begins_at_the_first_page() -> None:
    assert Filters(cursor="abc", call="pneumonia").url() == "/worklist?call=pneumonia"
    assert Filters(call="pneumonia").url(cursor="abc").endswith("cursor=abc")


def test_each_view_knows_itself_on_any_page() -> None:
    for view in views():
        asked = Filters.of(dict(parse_qsl(view.filters.search())))
        assert [one.label for one in views() if one.is_of(asked)] == [view.label]
        assert view.is_of(Filters.of({**dict(parse_qsl(view.filters.search())), "cursor": "x"}))


def test_a_share_is_never_none_or_all_of_something_that_is_not() -> None:
    assert percent(0.0) == "0.0 %"
    assert percent(0.0004) == "< 0.1 %"
    assert percent(0.9999) == "> 99.9 %"
    assert percent(1.0) == "100.0 %"
    assert percent(0.125) == "12.5 %"
