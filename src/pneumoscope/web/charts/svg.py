"""Elements of SVG as safe text, and the frame that all charts share."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Frame", "drawing", "number", "tag", "ticks"]


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
