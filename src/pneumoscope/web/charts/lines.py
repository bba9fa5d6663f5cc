"""Lines over equal steps, with markers of different shapes: seconds a film, by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.web.charts.svg import Frame, drawing, number, tag, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

__all__ = ["Line", "lines"]


@dataclass(frozen=True, slots=True)
class Line:
    """One series; None where there is nothing, and the line is broken there."""

    label: str
    values: tuple[float | None, ...]


def lines(
    name: str, title: str, labels: Sequence[str], series: Sequence[Line], *, unit: str = "", frame: Frame | None = None
) -> Markup:
    """Lines from 0 up.

    Args:
        name: Different for each chart of a page.
        title: What it shows.
        labels: Of the steps.
        series: Each has a value or None for every label; the first one gets discs, the second one squares.
        unit: Behind the numbers of the y axis.
        frame: Its size.
    """
    frame = frame or Frame()
    marks = ticks(max((value for line in series for value in line.values if value is not None), default=1))
    parts: list[Markup] = [frame.y_axis(marks, unit=unit)]
    for which, line in enumerate(series):
        points = [
            None if value is None else (frame.x((i + 0.5) / len(labels)), frame.y(value / marks[-1]))
            for i, value in enumerate(line.values)
        ]
        path, pen_down = "", False
        for point in points:
            if point is not None:
                path += f"{'L' if pen_down else 'M'}{number(point[0])} {number(point[1])}"
            pen_down = point is not None
        parts.append(tag("path", d=path or "M0 0", class_=f"line line-{which + 1}"))
        parts += [_marker(which, *point) for point in points if point is not None]
    parts.append(frame.x_labels(labels))
    return drawing(name, title, frame, parts)


def _marker(which: int, x: float, y: float) -> Markup:
    if which == 0:
        return tag("circle", cx=x, cy=y, r="3", class_="mark mark-1")
    return tag("rect", x=x - 3, y=y - 3, width="6", height="6", class_="mark mark-2")
