"""Columns side by side, each stacked of the same series: readings a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.web.charts.svg import Frame, drawing, tag, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

__all__ = ["Column", "columns"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and its parts from below, in the order of the series."""

    label: str
    parts: tuple[float, ...]


def columns(name: str, title: str, data: Sequence[Column], *, frame: Frame | None = None) -> Markup:
    """Stacked columns. The second series is hatched, so that it differs without colour.

    Args:
        name: Different for each chart of a page.
        title: What it shows.
        data: At least one column.
        frame: Its size.
    """
    frame = frame or Frame()
    marks = ticks(max(4, *(sum(column.parts) for column in data)))
    step = frame.inner_width / len(data)
    gap = min(3.0, step * 0.25)
    bars: list[Markup] = []
    for i, column in enumerate(data):
        below = 0.0
        for series, part in enumerate(column.parts):
            if part:
                bottom, top = frame.y(below / marks[-1]), frame.y((below + part) / marks[-1])
                box = {"x": frame.left + i * step + gap / 2, "y": top, "width": step - gap, "height": bottom - top}
                bars.append(tag("rect", **box, class_=f"series-{series + 1}"))
                if series:
                    bars.append(tag("rect", **box, fill=f"url(#{name}-hatch)"))
            below += part
    hatch = tag(
        "defs",
        tag(
            "pattern",
            tag("path", d="M0 6L6 0M-1 1L1 -1M5 7L7 5", class_="hatch"),
            id=f"{name}-hatch",
            width="6",
            height="6",
            patternUnits="userSpaceOnUse",
        ),
    )
    labels = frame.x_labels([column.label for column in data])
    return drawing(name, title, frame, [hatch, frame.y_axis(marks), *bars, labels])
