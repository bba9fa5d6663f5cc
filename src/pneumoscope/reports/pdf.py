"""A reading as a PDF of one page: its fonts, the canvas, the page.

The shipped font has Latin, Greek, Cyrillic, Arabic, Hebrew, Georgian, Armenian and many signs. For what it lacks
(Chinese, say), a font of this machine is looked for by its usual file names. What no font has is written as its code
point, so that no two file names look the same.

ISO 32000-1, sections 14.7 and 14.8 (structure, tagged PDF): headings, paragraphs and figures are marked in their order,
and what is mere decoration is an artefact. Needs the extra ``pdf`` (fpdf2).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pneumoscope.reports.overlay import report_images
from pneumoscope.reports.summary import PRELIMINARY_NOTE, SIDES_NOTE, Summary, percent, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fpdf import FPDF

    from pneumoscope.reports.overlay import ReportImages
    from pneumoscope.reports.summary import ReportContext
    from pneumoscope.types.reading import Reading

__all__ = [
    "BOLD",
    "FAMILY",
    "REGULAR",
    "Colour",
    "PdfCanvas",
    "PdfPage",
    "code_points",
    "fallback_fonts",
    "font_file",
    "replace_missing_glyphs",
    "write",
]

REGULAR = "DejaVuSansCondensed.ttf"
BOLD = "DejaVuSansCondensed-Bold.ttf"

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
_WIDE = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.ttf",
    "NotoSansJP-Regular.ttf",
    "NotoSansKR-Regular.ttf",
    "DroidSansFallbackFull.ttf",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "ARIALUNI.TTF",
    "msyh.ttc",
    "simsun.ttc",
    "msgothic.ttc",
    "malgun.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansBengali-Regular.ttf",
    "NotoSansTamil-Regular.ttf",
    "NotoSans-Regular.ttf",
    "Symbola.ttf",
    "NotoEmoji-Regular.ttf",
)
"""From the widest to the narrowest."""


def font_file(name: str) -> Path:
    """Where a shipped font is."""
    return Path(str(files("pneumoscope.reports").joinpath("fonts", name)))


@cache
def code_points(path: Path) -> frozenset[int]:
    """The code points that a font has; none if it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError  # noqa: PLC0415 - comes with the extra

    try:
        # The file is ours to close: TTFont leaves one open that is no font.
        with path.open("rb") as file, TTFont(file, lazy=True, fontNumber=0) as font:
            return frozenset(font.getBestCmap())
    except (TTLibError, OSError, KeyError):
        return frozenset()


def fallback_fonts(text: str, folders: Iterable[str] = _FOLDERS) -> tuple[Path, ...]:
    """Fonts of this machine that have what the shipped one lacks, as few as will do.

    Args:
        text: All that is to be written.
        folders: Where to look.
    """
    missing = {ord(letter) for letter in text} - code_points(font_file(REGULAR))
    found: list[Path] = []
    for path in _on_this_machine(tuple(folders)) if missing else ():
        gained = missing & code_points(path)
        if gained:
            found.append(path)
            missing -= gained
        if not missing:
            break
    return tuple(found)


def replace_missing_glyphs(text: str, fonts: Iterable[Path]) -> str:
    """The text, with what none of the fonts has as its code point: "[U+80F8]".

    Args:
        text: Any.
        fonts: Those that it is written with, beside the shipped one.
    """
    have = code_points(font_file(REGULAR)).union(*(code_points(path) for path in fonts))
    return "".join(letter if ord(letter) in have else f"[U+{ord(letter):04X}]" for letter in text)


@cache
def _on_this_machine(folders: tuple[str, ...]) -> tuple[Path, ...]:
    """The fonts of ``_WIDE`` that are there, in its order."""
    there: dict[str, Path] = {}
    for folder in folders:
        for where, _, names in os.walk(Path(folder).expanduser()):
            for name in names:
                if name in _WIDE:
                    there.setdefault(name, Path(where, name))
    return tuple(there[name] for name in _WIDE if name in there)


Colour: TypeAlias = tuple[int, int, int]

FAMILY = "sheet"
_LEADING = 1.32  # of the size
_MM = 25.4 / 72  # in a point


class PdfCanvas:
    """Writes at a place and says how far it came.

    Attributes:
        measuring: Nothing is written; the distances are those of writing.
        scale: Of all sizes of letters and gaps.
    """

    def __init__(self, pdf: FPDF) -> None:
        self._pdf = pdf
        self.measuring = False
        self.scale = 1.0

    def text(
        self,
        text: str,
        x: float,
        y: float,
        width: float,
        *,
        size: float = 9.5,
        bold: bool = False,
        colour: Colour = (22, 32, 42),
        align: str = "L",
        tag: str = "P",
    ) -> float:
        """Write in lines of a width; the place under the last one, in mm.

        Args:
            text: One paragraph.
            x: Left edge, in mm.
            y: Upper edge, in mm.
            width: In mm.
            size: Of the letters, in points.
            bold: Whether they are bold.
            colour: Of the letters.
            align: "L" or "R".
            tag: What it is in the structure of the document: "P", "H1" or "H2" (list items and cells would need
                parents, which fpdf2 does not make).
        """
        if not text:
            return y
        pdf, size, text = self._pdf, size * self.scale, text.replace(" %", "\u00a0%")
        height = size * _MM * _LEADING
        pdf.set_font(FAMILY, "B" if bold else "", size)
        if self.measuring:
            lines = cast("list[str]", pdf.multi_cell(width, height, text, align=align, dry_run=True, output="LINES"))
            return float(y + height * len(lines))
        pdf.set_text_color(*colour)
        pdf.set_xy(x, y)
        with self._marked(tag):
            pdf.multi_cell(width, height, text, align=align, new_x="LEFT", new_y="NEXT")
        return float(pdf.get_y())

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill a box: decoration, which no reader need be told of."""
        if not self.measuring and width > 0 and height > 0:
            with self._artefact():
                self._pdf.set_fill_color(*colour)
                self._pdf.rect(x, y, width, height, style="F")

    def picture(self, data: bytes, place: tuple[float, float, float, float], alt: str) -> None:
        """Put a picture at a place (left, top, width, height, in mm), told in words for who does not see it."""
        if not self.measuring:
            self._pdf.image(BytesIO(data), *place, alt_text=alt)

    def letter(self, letter: str, x: float, y: float, colour: Colour, size: float = 9) -> None:
        """One letter on a picture: decoration, since the caption says the same."""
        if not self.measuring:
            with self._artefact():
                self._pdf.set_font(FAMILY, "B", size)
                self._pdf.set_text_color(*colour)
                self._pdf.text(x, y, letter)

    @contextmanager
    def _marked(self, tag: str) -> Iterator[None]:
        """Mark what is written inside as one element (ISO 32000-1, 14.7.4); fpdf2 itself marks figures alone."""
        pdf = self._pdf
        number = pdf.struct_builder.next_mcid_for_page(pdf.page)
        _, parents = pdf.struct_builder.add_marked_content(page_number=pdf.page, struct_type=f"/{tag}", mcid=number)
        pdf.pages[pdf.page].struct_parents = parents
        pdf._out(f"/{tag} <</MCID {number}>> BDC")  # noqa: SLF001 - there is no public way
        yield
        pdf._out("EMC")  # noqa: SLF001 - likewise

    @contextmanager
    def _artefact(self) -> Iterator[None]:
        self._pdf._out("/Artifact BMC")  # noqa: SLF001 - as above
        yield
        self._pdf._out("EMC")  # noqa: SLF001 - as above


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


class PdfPage:
    """Lays out one reading: measures first, then gives the pictures the room that is left.

    Args:
        pen: On an empty page.
        said: What to write, no longer than a page can take.
        drawn: The pictures, if there is a film.
    """

    def __init__(self, pen: PdfCanvas, said: Summary, drawn: ReportImages | None) -> None:
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
        y = self._beside(y, (self._list("Warnings", self._said.warnings), self._list("Corrected", self._said.mended)))
        y = self._pictures(y, height)
        y = self._part("For whom the model was made", self._said.population, y)
        y = self._part("What this operating point means", self._said.meaning, y)
        y = self._beside(y, (self._classes, self._pattern))
        return self._beside(y, (self._where, self._facts))

    def _head(self, y: float) -> float:
        pen, said = self._pen, self._said
        y = pen.text("Chest film, read by a program", _LEFT, y, _WIDTH, size=8.5, colour=_FAINT)
        y = pen.text(said.film or "film", _LEFT, y, _WIDTH, size=13, bold=True, tag="H1")
        y = pen.text(f"{said.notice} {PRELIMINARY_NOTE}", _LEFT, y + 1, _WIDTH, size=9.5, bold=True, colour=_NOTICE)
        return y + 3 * pen.scale

    def _call(self, y: float) -> float:
        pen, said = self._pen, self._said
        tone, left, width, top = _TONES[said.tone], _LEFT + 5, _WIDTH - 5, y
        y = pen.text(said.headline, left, y + 0.5, width, size=20, bold=True, colour=tone, tag="H2")
        if said.probability is not None:
            y = pen.text(
                f"{percent(said.probability)} probability of {said.name}, {said.relation}", left, y, width, size=11.5
            )
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
        told = (
            f"The film as it was read{' (corrected)' if said.mended else ''}. {SIDES_NOTE}"
            if read
            else "The picture given."
        )
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
        pen.text(
            f"{self._said.notice} {PRELIMINARY_NOTE}", _LEFT, _BOTTOM + 3, _WIDTH, size=8, bold=True, colour=_NOTICE
        )


_LONGEST = {"film": 160, "lead": 420, "remedy": 300, "headline": 80, "name": 40, "evidence": 300}
_ITEM = 260  # characters of one sentence, warning or fact
_ITEMS = {"warnings": 6, "mended": 6, "classes": 8}


def write(reading: Reading, given: ReportContext) -> bytes:
    """The page of a reading, read or refused."""
    from fpdf import FPDF, ViewerPreferences  # noqa: PLC0415 - the extra, and slow to import

    said = _within_limits(summarize(reading, given))
    fonts = fallback_fonts("".join(_texts(said)))
    said = _with_texts(said, fonts)
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    pdf.set_title(f"{said.headline}: {said.film}")
    pdf.set_lang("en")
    pdf.set_subject(said.notice)
    pdf.set_creator(f"{reading.software.name} {reading.software.version}")
    pdf.set_producer("fpdf2")
    pdf.set_creation_date(given.when())
    pdf.viewer_preferences = ViewerPreferences(display_doc_title=True)
    pdf.add_font(FAMILY, "", font_file(REGULAR))
    pdf.add_font(FAMILY, "B", font_file(BOLD))
    for number, path in enumerate(fonts):
        pdf.add_font(f"other{number}", "", path)
    others = (f"other{number}" for number in range(len(fonts)))
    pdf.set_fallback_fonts([FAMILY, *others], exact_match=False)  # what the bold has not, the regular may have
    pdf.add_page()
    drawn = None if given.film is None else report_images(given.film, reading)
    PdfPage(PdfCanvas(pdf), said, drawn).draw()
    return bytes(pdf.output())


def _within_limits(said: Summary) -> Summary:
    """What is too long for a page ends in dots; the JSON has it all."""
    short: dict[str, Any] = {key: _cut(getattr(said, key), most) for key, most in _LONGEST.items()}
    for key in ("meaning", "population", "pattern", "mended", "warnings"):
        items = [_cut(item, _ITEM) for item in getattr(said, key)]
        short[key] = _first_items(items, _ITEMS.get(key, len(items)))
    short["classes"] = tuple((_cut(name, 40), value) for name, value in said.classes[: _ITEMS["classes"]])
    short["facts"] = tuple((name, _cut(value, 120)) for name, value in said.facts)
    return replace(said, **short)


def _first_items(items: list[str], most: int) -> tuple[str, ...]:
    if len(items) <= most:
        return tuple(items)
    return (*items[:most], f"and {len(items) - most} more")


def _cut(text: str, most: int) -> str:
    """The text, without its middle if it is too long: its beginning and its end tell most."""
    half = (most - 5) // 2
    return text if len(text) <= most else f"{text[:half]} ... {text[-half:]}"


def _texts(said: Summary) -> list[str]:
    return [*(getattr(said, key) for key in _LONGEST), *_nested(said)]


def _nested(said: Summary) -> list[str]:
    pairs = [text for pair in (*said.classes, *said.facts) for text in pair if isinstance(text, str)]
    return [*said.meaning, *said.population, *said.pattern, *said.mended, *said.warnings, *pairs]


def _with_texts(said: Summary, fonts: tuple[Path, ...]) -> Summary:
    """All its texts, legible with these fonts."""

    def put(value: object) -> object:
        if isinstance(value, str):
            return replace_missing_glyphs(value, fonts)
        if isinstance(value, tuple):
            return tuple(put(item) for item in value)
        return value

    changed: dict[str, Any] = {field.name: put(getattr(said, field.name)) for field in fields(Summary)}
    return replace(said, **changed)
