"""Where what stands on the PDF page: a layout that always fits on one sheet of A4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.reports.said import PRELIMINARY, SIDES, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.reports.pdf_pen import Colour, Pen
    from pneumoscope.reports.pictures import Pictures
    from pneumoscope.reports.said import Said

__all__ = ["Page"]

_LEFT, _TOP, _WIDTH, _BOTTOM = 16.0, 13.0, 178.0, 281.0  # mm
_GAP = 6.0  # mm between columns
_HIGHEST, _LOWEST = 92.0, 42.0  # mm of a picture
_SCALES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.62, 0.54)

_INK: Colour = (22, 32, 42)
_FAINT: Colour = (82, 96, 109)
_RAIL: Colour = (228, 233, 238)
_FILL: Colour = (70, 98, 127)
_NOTICE: Colour = (107, 44, 0)
_TONES: dict[str, Colour] = {
    "called": (168, 56, 11),
    "absent": (27, 99, 64),
    "open": (122, 86, 0),
    "refused": (74, 85, 96),
    "forced": (74, 85, 96),
}


class Page:
    """Lays out one reading: measures first, then gives the pictures the room that is left.

    Args:
        pen: On an empty page.
        said: What to write, no longer than a page can take.
        drawn: The pictures, if there is a film.
    """

    def __init__(self, pen: Pen, said: Said, drawn: Pictures | None) -> None:
        self._pen = pen
        self._said = said
        self._drawn = drawn

    def draw(self) -> None:
        """Draw it, in the largest letters with which all stands on the page."""
        pen = self._pen
        room = 0.0
        for scale in _SCALES:
            pen.scale, pen.measuring = scale, True
            room = _BOTTOM - self._body(0.0)
            if room >= (_LOWEST if self._drawn else 0):
                break
        pen.measuring = False
        self._body(min(_HIGHEST, max(room, 0.0)))
        self._foot()

    def _body(self, height: float) -> float:
        """Everything but the foot; where it ends, in mm.

        Args:
            height: Of the pictures, in mm.
        """
        y = self._head(_TOP)
        y = self._call(y)
        y = self._beside(y, (self._list("Warnings", self._said.warnings), self._list("Mended", self._said.mended)))
        y = self._pictures(y, height)
        y = self._part("What this operating point means", self._said.meaning, y)
        y = self._beside(y, (self._classes, self._pattern))
        return self._beside(y, (self._where, self._facts))

    def _head(self, y: float) -> float:
        pen, said = self._pen, self._said
        y = pen.text("Chest film, read by a program", _LEFT, y, _WIDTH, size=8.5, colour=_FAINT)
        y = pen.text(said.film or "film", _LEFT, y, _WIDTH, size=13, bold=True, tag="H1")
        y = pen.text(f"{said.notice} {PRELIMINARY}", _LEFT, y + 1, _WIDTH, size=9.5, bold=True, colour=_NOTICE)
        return y + 3 * pen.scale

    def _call(self, y: float) -> float:
        pen, said = self._pen, self._said
        tone, left, width, top = _TONES[said.tone], _LEFT + 5, _WIDTH - 5, y
        y = pen.text(said.headline, left, y + 0.5, width, size=20, bold=True, colour=tone, tag="H2")
        if said.probability is not None:
            y = pen.text(f"{percent(said.probability)} probability of {said.name}", left, y, width, size=11.5)
            y += 1.5 * pen.scale
            pen.box(left, y, width, 2.2, _RAIL)
            pen.box(left, y, width * said.probability, 2.2, tone)
            for mark in said.marks:
                pen.box(left + width * mark - 0.25, y - 0.9, 0.5, 4, _INK)
            y += 4 * pen.scale
        y = pen.text(said.lead, left, y, width)
        if said.remedy:
            y = pen.text(f"What to do: {said.remedy}", left, y, width)
        pen.box(_LEFT, top, 1.6, y + 1 - top, tone)
        return y + 4 * pen.scale

    def _pictures(self, y: float, height: float) -> float:
        """The film, and beside it the evidence; with no height, only what stands under them."""
        drawn, pen, said = self._drawn, self._pen, self._said
        if drawn is None:
            return y
        columns, rows = drawn.size
        most = (_WIDTH - _GAP) / 2
        width = min(most, height * columns / rows)
        height = width * rows / columns
        read = said.probability is not None
        self._picture(drawn.film, (_LEFT, y, width, height), sides=read, alt="The film")
        told = f"The film as it was read{' (mended)' if said.mended else ''}. {SIDES}" if read else "The picture given."
        end = pen.text(told, _LEFT, y + height + 1, most, size=8, colour=_FAINT)
        if drawn.evidence is not None and drawn.legend is not None:
            right = _LEFT + most + _GAP
            self._picture(drawn.evidence, (right, y, width, height), sides=read, alt=said.evidence or "The evidence")
            told = f"What speaks for {said.name} (orange) and against it (blue)."
            low = pen.text(told, right, y + height + 1, most, size=8, colour=_FAINT) + 1
            pen.picture(drawn.legend, (right, low, most, 1.6), "The scale of the colours")
            told = f"Natural log-odds, from {-drawn.limit:.2g} (against) to {drawn.limit:+.2g} (for)."
            end = max(end, pen.text(told, right, low + 2, most, size=8, colour=_FAINT))
        return end + 3 * pen.scale

    def _picture(self, data: bytes, place: tuple[float, float, float, float], *, sides: bool, alt: str) -> None:
        self._pen.picture(data, place, alt)
        x, y, width, height = place
        if sides and height > 12:
            for letter, at in (("R", x + 2), ("L", x + width - 4)):
                self._pen.letter(letter, at + 0.25, y + 5.25, (0, 0, 0))
                self._pen.letter(letter, at, y + 5, (255, 255, 255))

    def _part(self, title: str, sentences: tuple[str, ...], y: float) -> float:
        if not sentences:
            return y
        y = self._heading(title, _LEFT, y, _WIDTH)
        for sentence in sentences:
            y = self._pen.text(sentence, _LEFT, y, _WIDTH) + 0.4
        return y + 2.6 * self._pen.scale

    def _beside(self, y: float, parts: tuple[Callable[[float, float, float], float], ...]) -> float:
        """Two columns; what is empty leaves its place to the other."""
        end, x, width = y, _LEFT, (_WIDTH - _GAP) / 2
        for part in parts:
            low = part(x, y, width)
            if low > y:
                end, x = max(end, low), x + width + _GAP
        return end + (3 * self._pen.scale if end > y else 0)

    def _list(self, title: str, items: tuple[str, ...]) -> Callable[[float, float, float], float]:
        def draw(x: float, y: float, width: float) -> float:
            if not items:
                return y
            y = self._heading(title, x, y, width)
            for item in items:
                y = self._pen.text(f"\u2022 {item}", x, y, width)
            return y

        return draw

    def _classes(self, x: float, y: float, width: float) -> float:
        if not self._said.classes:
            return y
        pen = self._pen
        y = self._heading("Probabilities", x, y, width)
        for name, value in self._said.classes:
            low = pen.text(name, x, y, width * 0.3)
            pen.box(x + width * 0.32, y + 1.2 * pen.scale, width * 0.46, 2 * pen.scale, _RAIL)
            pen.box(x + width * 0.32, y + 1.2 * pen.scale, width * 0.46 * value, 2 * pen.scale, _FILL)
            y = max(low, pen.text(percent(value), x + width * 0.79, y, width * 0.21, align="R"))
        return y

    def _pattern(self, x: float, y: float, width: float) -> float:
        if not self._said.pattern:
            return y
        y = self._heading("Pattern", x, y, width)
        for sentence in self._said.pattern:
            y = self._pen.text(sentence, x, y, width) + 0.4
        return y

    def _where(self, x: float, y: float, width: float) -> float:
        pen, said = self._pen, self._said
        if not said.evidence:
            return y
        y = self._heading("Where the evidence lies", x, y, width)
        y = pen.text(said.evidence, x, y, width) + 0.6
        if not said.zones:
            return y
        places = ((x + width * 0.3, "right"), (x + width * 0.62, "left"))
        for at, side in places:
            low = pen.text(f"patient's {side}", at, y, width * 0.3, size=8, colour=_FAINT, align="R")
        y = low
        for third in ("upper", "middle", "lower"):
            low = pen.text(f"{third} zone", x, y, width * 0.3)
            for at, side in places:
                share = f"{100 * said.zones.get(f'{side} {third}', 0):.0f} %"
                pen.text(share, at, y, width * 0.3, align="R")
            y = low
        return y

    def _facts(self, x: float, y: float, width: float) -> float:
        pen = self._pen
        y = self._heading("This reading", x, y, width)
        for name, value in self._said.facts:
            pen.text(name, x, y, width * 0.34, size=7.5, colour=_FAINT)
            y = pen.text(value, x + width * 0.36, y, width * 0.64, size=7.5) + 0.2
        return y

    def _heading(self, title: str, x: float, y: float, width: float) -> float:
        return self._pen.text(title, x, y, width, size=9.5, bold=True, tag="H2") + 0.3

    def _foot(self) -> None:
        pen = self._pen
        pen.scale = 1.0
        pen.box(_LEFT, _BOTTOM + 2, _WIDTH, 0.25, _FAINT)
        pen.text(f"{self._said.notice} {PRELIMINARY}", _LEFT, _BOTTOM + 3, _WIDTH, size=8, bold=True, colour=_NOTICE)
