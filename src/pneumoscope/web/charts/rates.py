"""Proportions with their intervals, one a row; and a bar for a cell of a table."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from pneumoscope.web.charts.svg import Frame, drawing, number, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

__all__ = ["RateRow", "rate_rows", "share_bar"]

_ROW = 34.0


@dataclass(frozen=True, slots=True)
class RateRow:
    """A proportion: its name, its value, the ends of its interval, and which mark it gets (0 or 1)."""

    label: str
    value: float
    low: float
    high: float
    mark: int = 0


def rate_rows(name: str, title: str, rows: Sequence[RateRow]) -> Markup:
    """Dots with whiskers on one axis in per cent; the axis begins at a round number below the lowest interval.

    Args:
        name: Different for each chart of a page.
        title: What it shows.
        rows: At least one.
    """
    lowest = min(row.low for row in rows)
    start = max(0, floor(lowest * 10 - 0.2) / 10)
    start = 0.0 if start < 0.4 else start
    frame = Frame(height=_ROW * len(rows) + 32, left=20, right=26, top=4, bottom=24)
    step = 0.25 if start < 0.4 else 0.1 if start < 0.8 else 0.05
    marks = [start + step * i for i in range(round((1 - start) / step) + 1)]
    parts: list[Markup] = []
    for mark in marks:
        x = frame.x((mark - start) / (1 - start))
        parts += [
            tag("line", x1=x, x2=x, y1=frame.top, y2=frame.y(0), class_="grid"),
            tag("text", f"{number(100 * mark)} %", x=x, y=frame.height - 6, text_anchor="middle"),
        ]
    axis = tag("g", *parts, class_="axis")
    drawn: list[Markup] = []
    for i, row in enumerate(rows):
        y = frame.top + _ROW * i + 24
        low, value, high = (frame.x((end - start) / (1 - start)) for end in (row.low, row.value, row.high))
        drawn += [
            tag("text", row.label, x=frame.left, y=y - 11, class_="label"),
            tag(
                "path",
                d=f"M{number(low)} {number(y)}H{number(high)}M{number(low)} {number(y - 5)}v10"
                f"M{number(high)} {number(y - 5)}v10",
                class_=f"line line-{row.mark + 1} solid",
            ),
            tag("circle", cx=value, cy=y, r="4.5", class_=f"mark mark-{row.mark + 1}")
            if row.mark == 0
            else tag("rect", x=value - 4, y=y - 4, width="8", height="8", class_=f"mark mark-{row.mark + 1}"),
        ]
    return drawing(name, title, frame, [axis, *drawn])


def share_bar(share: float, series: int = 1) -> Markup:
    """A bar for a table's cell; hidden from screen readers, which have the number beside it.

    Args:
        share: In [0, 1].
        series: Of the colour.
    """
    return tag(
        "svg",
        tag("rect", width="100", height="8", class_="track"),
        tag("rect", width=max(0.0, min(1.0, share)) * 100, height="8", class_=f"series-{series}"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="share-bar",
    )
