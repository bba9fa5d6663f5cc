"""Operating points in the plane of the ROC: each a mark with the cross of its two intervals."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from pneumoscope.web.charts.svg import Frame, drawing, number, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from pneumoscope.bundle import Rate

__all__ = ["PlanePoint", "plane", "reach_of"]

_SIDE = 320.0


@dataclass(frozen=True, slots=True)
class PlanePoint:
    """An operating point: its name, and both rates; ``mark`` 0 is a disc, 1 a square."""

    label: str
    sensitivity: Rate
    specificity: Rate
    mark: int = 0


def reach_of(points: Sequence[PlanePoint]) -> float:
    """How far from the best corner the square must reach to hold all points and their intervals, in (0, 1]."""
    reach = max(max(1 - point.specificity.low, 1 - point.sensitivity.low) for point in points)
    return min(1.0, max(0.1, ceil(reach * 20) / 20))


def plane(name: str, title: str, points: Sequence[PlanePoint], *, reach: float = 0.0) -> Markup:
    """The corner of the ROC's square that holds all points and their intervals.

    The points are not joined: a bundle does not hold what lies between them.

    Args:
        name: Different for each chart of a page.
        title: What it shows.
        points: At least one.
        reach: At least so far from the best corner, where two planes stand beside each other.
    """
    reach = max(reach, reach_of(points))
    frame = Frame(width=_SIDE + 70, height=_SIDE + 54, left=58, right=22, top=10, bottom=44)
    step = 0.25 if reach > 0.5 else 0.1 if reach > 0.2 else 0.05 if reach > 0.1 else 0.02
    parts: list[Markup] = []
    for i in range(int(reach / step + 1e-9) + 1):
        x, y = frame.x(i * step / reach), frame.y(1 - i * step / reach)
        parts += [
            tag("line", x1=x, x2=x, y1=frame.top, y2=frame.y(0), class_="grid"),
            tag("line", x1=frame.left, x2=frame.width - frame.right, y1=y, y2=y, class_="grid"),
            tag("text", f"{number(100 * i * step)} %", x=x, y=frame.y(0) + 17, text_anchor="middle"),
            tag("text", f"{number(100 - 100 * i * step)} %", x=frame.left - 6, y=y + 4, text_anchor="end"),
        ]
    middle = (frame.top + frame.y(0)) / 2
    parts += [
        tag("text", "false alarms (1 - specificity)", x=frame.x(0.5), y=frame.height - 6, text_anchor="middle"),
        tag(
            "text",
            "films with the finding that are called",
            x="13",
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 13 {number(middle)})",
        ),
    ]
    drawn: list[Markup] = []
    for which, point in enumerate(points):
        across, up = 1 - point.specificity.value, point.sensitivity.value
        x, y = frame.x(across / reach), frame.y(1 - (1 - up) / reach)
        x1, x2 = (frame.x(max(0.0, 1 - end) / reach) for end in (point.specificity.high, point.specificity.low))
        y1, y2 = (frame.y(1 - (1 - end) / reach) for end in (point.sensitivity.high, point.sensitivity.low))
        drawn += [
            tag(
                "path",
                d=f"M{number(x1)} {number(y)}H{number(x2)}M{number(x)} {number(y1)}V{number(y2)}",
                class_=f"line line-{point.mark + 1} solid",
            ),
            tag("circle", cx=x, cy=y, r="5", class_=f"mark mark-{point.mark + 1}")
            if point.mark == 0
            else tag("rect", x=x - 4.5, y=y - 4.5, width="9", height="9", class_=f"mark mark-{point.mark + 1}"),
            tag("text", str(which + 1), x=x + 9, y=y - 8 if point.mark else y + 17, class_="label"),
        ]
    return drawing(name, title, frame, [tag("g", *parts, class_="axis"), *drawn], kind="plane")
