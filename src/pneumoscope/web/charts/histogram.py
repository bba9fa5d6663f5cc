"""Two histograms over the same bins: now as columns, the reference as a line over them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from pneumoscope.web.charts.svg import Frame, drawing, number, tag, ticks

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["Outlined", "outlined"]

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
