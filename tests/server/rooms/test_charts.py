"""Charts are well-formed, escape what they are given, hold their marks inside, and have a title."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.server.charts import (
    Column,
    Line,
    Outlined,
    PlanePoint,
    RateRow,
    columns,
    lines,
    number,
    outlined,
    plane,
    rate_rows,
    share_bar,
    tag,
    ticks,
)
from pneumoscope.types.proportion import Proportion

share = st.floats(0, 1)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def inside(svg: str) -> ET.Element:
    """No mark lies outside the drawing."""
    drawn = parsed(svg)
    _, _, width, height = (float(part) for part in drawn.attrib["viewBox"].split())
    for mark in drawn.iter():
        for name, most in (("x", width), ("y", height), ("cx", width), ("cy", height), ("x2", width), ("y2", height)):
            if name in mark.attrib and not mark.attrib[name].endswith("%"):
                assert -0.01 <= float(mark.attrib[name]) <= most + 0.01, (mark.tag, mark.attrib)
    title = drawn.find("title")
    assert title is not None
    assert title.text
    assert drawn.attrib["aria-labelledby"] == title.attrib["id"]
    return drawn


@given(st.floats(0, 1e9, allow_nan=False))
def test_ticks_are_round_rise_from_nothing_and_reach_the_top(highest: float) -> None:
    found = ticks(highest)
    assert found[0] == 0
    assert list(found) == sorted(set(found))
    assert found[-1] >= highest * (1 - 1e-9)
    assert 2 <= len(found) <= 7


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (0.25, "0.25"), (-0.001, "0"), (100.0, "100"), (2.5, "2.5")])
def test_numbers_have_no_superfluous_zeros(value: float, text: str) -> None:
    assert number(value) == text


def test_what_is_given_cannot_become_markup() -> None:
    assert "<b>" not in tag("text", "<b>", class_='"><script>')
    drawn = parsed(columns("c", "</title><script>", [Column("<i>", (1, 2))]))
    assert drawn.find("script") is None


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50)), min_size=1, max_size=60))
def test_columns_are_as_high_as_their_numbers(data: list[tuple[int, int]]) -> None:
    drawn = inside(columns("c", "Readings", [Column(str(i), parts) for i, parts in enumerate(data)]))
    heights = [float(bar.attrib["height"]) for bar in drawn.iter("rect") if bar.attrib.get("class") == "series-1"]
    counts = [parts[0] for parts in data if parts[0]]
    assert len(heights) == len(counts)
    if counts:
        assert heights[counts.index(max(counts))] == pytest.approx(max(heights), abs=0.011)


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e4)), min_size=1, max_size=40))
def test_a_line_is_broken_where_there_is_nothing(values: list[float | None]) -> None:
    drawn = inside(lines("l", "Seconds", [str(i) for i in range(len(values))], [Line("a", tuple(values))], unit=" s"))
    assert sum(1 for _ in drawn.iter("circle")) == sum(value is not None for value in values)


@given(st.lists(st.tuples(share, share), min_size=2, max_size=10))
def test_histograms(bins: list[tuple[float, float]]) -> None:
    old, new = zip(*bins, strict=True)
    inside(outlined("h", "Drift", Outlined(tuple(float(i) for i in range(len(bins) - 1)), old, new)))


def test_edges_of_bins_are_told_apart() -> None:
    shares = (0.2,) * 4
    told = [
        node.text
        for node in parsed(outlined("h", "Drift", Outlined((1.21, 1.22, 1.23), shares, shares))).iter()
        if node.tag.endswith("text") and (node.text or "").startswith("1.")
    ]
    assert told == ["1.21", "1.22", "1.23"]


rates = st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda kn: (min(kn), max(kn)))


@given(st.lists(rates, min_size=1, max_size=8))
def test_rows_of_rates_hold_their_intervals(found: list[tuple[int, int]]) -> None:
    from pneumoscope.stats.proportions import wilson

    rows = []
    for k, n in found:
        one = wilson(k, n)
        rows.append(RateRow(f"{k} of {n}", one.value, one.low, one.high, k % 2))
    inside(rate_rows("r", "Rates", rows))


@given(st.lists(st.tuples(rates, rates), min_size=1, max_size=6))
def test_the_plane_holds_its_points(found: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    from pneumoscope.stats.proportions import wilson

    def rate(k: int, n: int) -> Proportion:
        one = wilson(k, n)
        return Proportion(one.value, one.low, one.high, k, n)

    points = [PlanePoint("p", rate(*sensitivity), rate(*specificity)) for sensitivity, specificity in found]
    inside(plane("p", "Settings", points))


def test_a_bar_is_hidden_from_screen_readers_and_never_too_long() -> None:
    drawn = parsed(share_bar(1.7))
    assert drawn.attrib["aria-hidden"] == "true"
    assert drawn[1].attrib["width"] == "100"
