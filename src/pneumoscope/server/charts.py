"""Charts of the pages as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pneumoscope.types.proportion import Proportion

__all__ = [
    "Column",
    "Frame",
    "Line",
    "Outlined",
    "PlanePoint",
    "RateRow",
    "columns",
    "drawing",
    "lines",
    "number",
    "outlined",
    "plane",
    "rate_rows",
    "reach_of",
    "share_bar",
    "tag",
    "ticks",
]


def tag(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """An element. ``class_`` is class and ``stroke_width`` is stroke-width; None leaves an attribute out."""
    parts = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else number(value))}"'
        for key, value in attributes.items()
        if value is not None
    ]
    inside = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{''.join(parts)}>{inside}</{name}>")  # noqa: S704 - each part was escaped just above


def number(value: float) -> str:
    """A coordinate or a tick: at most two decimals, no superfluous zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def ticks(highest: float, count: int = 4) -> tuple[float, ...]:
    """Round numbers from 0 to at least ``highest``, about ``count`` steps of 1, 2 or 5 times a power of ten.

    Args:
        highest: Not negative; what is next to 0 counts as 1.
        count: At least 1.
    """
    top = highest if highest > 1e-6 else 1.0
    rough = top / count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return tuple(round(step * i, 10) for i in range(ceil(top / step - 1e-9) + 1))


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the marks of a chart lie, in its own units; 13 units are a line of text.

    Attributes:
        width: Of the whole drawing.
        height: Of the whole drawing.
        left: Room for the labels of the y axis.
        bottom: Room for those of the x axis.
        top: Room above.
        right: Room at the right.
    """

    width: float = 440
    height: float = 190
    left: float = 40
    bottom: float = 24
    top: float = 10
    right: float = 20

    @property
    def inner_width(self) -> float:
        """Of the marks."""
        return self.width - self.left - self.right

    @property
    def inner_height(self) -> float:
        """Of the marks."""
        return self.height - self.top - self.bottom

    def x(self, share: float) -> float:
        """Place of a share of the width."""
        return self.left + share * self.inner_width

    def y(self, share: float) -> float:
        """Place of a share of the height, counted from below."""
        return self.top + (1 - share) * self.inner_height

    def y_axis(self, marks: Sequence[float], *, low: float = 0, unit: str = "") -> Markup:
        """Grid lines with their numbers; the last one is the top."""
        span = marks[-1] - low or 1
        parts: list[Markup] = []
        for mark in marks:
            y = self.y((mark - low) / span)
            parts += [
                tag("line", x1=self.left, x2=self.width - self.right, y1=y, y2=y, class_="grid"),
                tag("text", f"{mark:,.10g}{unit}", x=self.left - 6, y=y + 4, text_anchor="end"),
            ]
        return tag("g", *parts, class_="axis")

    def x_labels(self, labels: Sequence[str], *, most: int = 6) -> Markup:
        """Names under equal steps of the width; of many, some."""
        step = max(1, ceil(len(labels) / most))
        parts = [
            tag("text", label, x=self.x((i + 0.5) / len(labels)), y=self.height - 6, text_anchor="middle")
            for i, label in enumerate(labels)
            if i % step == 0
        ]
        return tag("g", *parts, class_="axis")


def drawing(name: str, title: str, frame: Frame, children: Iterable[str], *, kind: str = "") -> Markup:
    """A whole chart.

    Args:
        name: Different for each chart of a page: letters, digits and hyphens.
        title: What it shows, for those who cannot see it.
        frame: Its size.
        children: The marks.
        kind: Another class for the style sheet.
    """
    label = f"{name}-title"
    return tag(
        "svg",
        tag("title", title, id=label),
        *children,
        viewBox=f"0 0 {number(frame.width)} {number(frame.height)}",
        role="img",
        aria_labelledby=label,
        class_=f"chart {kind}".strip(),
    )


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


_LETTER = 6.8  # units that a digit is wide


@dataclass(frozen=True, slots=True)
class Outlined:
    """Shares in [0, 1] of the reference and of now, one a bin, and the bins' inner edges."""

    edges: tuple[float, ...]
    reference: tuple[float, ...]
    now: tuple[float, ...]


def outlined(name: str, title: str, data: Outlined, *, frame: Frame | None = None) -> Markup:
    """Columns of now under the stepped line of the reference.

    All bins are drawn as wide as each other: they hold equal shares of the reference, and their edges are written.

    Args:
        name: Different for each chart of a page.
        title: What it shows.
        data: What to draw.
        frame: Its size.
    """
    frame = frame or Frame(width=340, height=140, left=48)
    marks = ticks(100 * max(*data.reference, *data.now), 3)
    bins = len(data.now)
    step = frame.inner_width / bins
    bars = [
        tag(
            "rect",
            x=frame.left + i * step + 1,
            y=frame.y(100 * share / marks[-1]),
            width=step - 2,
            height=frame.y(0) - frame.y(100 * share / marks[-1]),
            class_="series-1",
        )
        for i, share in enumerate(data.now)
        if share
    ]
    path = ""
    for i, share in enumerate(data.reference):
        y = number(frame.y(100 * share / marks[-1]))
        path += f"{'L' if path else 'M'}{number(frame.left + i * step)} {y}L{number(frame.left + (i + 1) * step)} {y}"
    names = next(
        (told for digits in (2, 3) if len(set(told := [f"{edge:.{digits}g}" for edge in data.edges])) == len(told)),
        [f"{edge:.4g}" for edge in data.edges],
    )
    every = ceil((max(map(len, names), default=0) + 1) * _LETTER / step)  # so many that they do not touch
    edges = [
        tag("text", name, x=frame.left + (i + 1) * step, y=frame.height - 6, text_anchor="middle")
        for i, name in enumerate(names)
        if i % every == 0
    ]
    line = tag("path", d=path, class_="line line-2")
    return drawing(name, title, frame, [frame.y_axis(marks, unit=" %"), *bars, line, tag("g", *edges, class_="axis")])


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


_SIDE = 320.0


@dataclass(frozen=True, slots=True)
class PlanePoint:
    """An operating point: its name, and both rates; ``mark`` 0 is a disc, 1 a square."""

    label: str
    sensitivity: Proportion
    specificity: Proportion
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
