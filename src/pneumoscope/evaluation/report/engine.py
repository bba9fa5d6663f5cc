"""The HTML report engine: what a page is made of, and one function that makes a page of it.

Every page of this package is a ``Page``: the report of an evaluation, its card and reporting guidelines, a comparison,
an audit, a search. The blocks know nothing of metrics; one folder of templates and one style draw them.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from PIL import Image

from pneumoscope.errors import MissingExtra
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    import jinja2
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "BarPart",
    "Bars",
    "Block",
    "Card",
    "Cell",
    "Diagram",
    "Disclosure",
    "Gallery",
    "GalleryFilm",
    "IntervalBar",
    "KeyFigure",
    "KeyFigures",
    "Notes",
    "Page",
    "Picture",
    "Row",
    "Section",
    "Table",
    "Text",
    "Thumbnail",
    "counted",
    "jpeg_base64",
    "kind_of",
    "render_markdown",
    "render_page",
    "report_environment",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, with a heading of its own if it has a title; ``kind`` "warn" stands out."""

    words: str
    kind: Literal["plain", "warn", "small"] = "plain"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """A list of sentences under a heading of its own, which may be empty."""

    title: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BarPart:
    """One part of ``Bars``: its percent, its name, and the place of its colour."""

    percent: float
    name: str = ""
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares drawn as one bar."""

    parts: tuple[BarPart, ...]


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A value with its interval on an axis; all places in percent of its length.

    Attributes:
        at: Of the value.
        low: Of the interval's lower end.
        high: Of its upper end.
        reference: Drawn apart from the others: what they are to be compared with.
    """

    at: float
    low: float
    high: float
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture in a table: JPEG as base64 (empty if the film is not at hand), and its words."""

    picture: str
    alt: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        value: In large.
        more: Below it, in small, a line each: interval, counts.
        faint: To be read with care: chosen on these films, or not to be computed.
        mark: What it says stands out: "differs", "wrong", or how far a reporting item is answered.
        drawing: Before the value.
    """

    value: str
    more: tuple[str, ...] = ()
    faint: bool = False
    mark: Literal["", "differs", "wrong", "run", "part", "people"] = ""
    drawing: Bars | IntervalBar | Thumbnail | None = None

    @property
    def long(self) -> bool:
        """Whether its lines may be broken: words, not figures."""
        return any(len(line) > 28 for line in (self.value, *self.more))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its heading, what that means, its cells, and its id if it may be linked to."""

    head: str
    cells: tuple[Cell, ...]
    meaning: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with headings for rows and columns.

    Attributes:
        key: Part of ids; different for each table of a page.
        caption: What it shows.
        head: Of the columns; the first stands over the row headings.
        rows: Each with one cell fewer than ``head``.
        wide: It may scroll sideways on a narrow screen.
        columns: What columns mean, by their headings; unfolds below the table.
        sheet: Of sentences: it takes the page's whole width, and is stacked on a narrow screen.
    """

    key: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    wide: bool = True
    columns: tuple[tuple[str, str], ...] = ()
    sheet: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure.

    Attributes:
        key: Part of ids and of file names; different for each figure of a page.
        title: What it shows, in a few words.
        caption: What to see in it.
        svg: The element.
        files: SVG and PNG on disk.
        wide: It takes the whole width.
    """

    key: str
    title: str
    caption: str
    svg: str
    files: tuple[Path, ...] = ()
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes and arrows, drawn by ``diagram``, with the same facts as a list for those who cannot see it."""

    key: str
    title: str
    svg: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GalleryFilm:
    """A film with what was said of it.

    Attributes:
        path: From the root of the data set.
        picture: JPEG as base64: the film, and beside it its evidence; empty if the film is not at hand.
        alt: The picture in words.
        truth: Its class.
        said: Its probabilities, in words.
        more: What else is to be known: where its evidence lies, or why there is no picture.
        rows: Of several systems: name, probability, and whether the call is wrong.
    """

    path: str
    picture: str
    alt: str
    truth: str
    said: str
    more: str = ""
    rows: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """Films side by side."""

    key: str
    title: str
    films: tuple[GalleryFilm, ...]
    nothing: str


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Blocks that unfold.

    Attributes:
        summary: What is inside.
        blocks: Of any kind but this one.
        note: Behind the summary, in small.
        open: Unfolded at first.
    """

    summary: str
    blocks: tuple[Block, ...]
    note: str = ""
    open: bool = False


Block: TypeAlias = "Text | Notes | Table | Picture | Diagram | Gallery | Disclosure"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: its id, its heading, its blocks."""

    key: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A verdict at the top of a page; ``mark`` is also told by a sign, not by colour alone."""

    title: str
    value: str
    more: str = ""
    mark: Literal["good", "bad", "plain"] = "plain"


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One figure in large: its name, value, interval and counts."""

    name: str
    value: str
    interval: str = ""
    counts: str = ""


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """A group of figures at the top of a page: at an operating point, at new sites, or without a threshold."""

    title: str
    figures: tuple[KeyFigure, ...]
    subtitle: str = ""
    plain: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Any page of this package: what an evaluation, a comparison, an audit or a search found.

    Attributes:
        title: Of the page.
        lead: What it is about, in a sentence.
        sections: In their order.
        facts: Short lines below the lead.
        warnings: What a reader must know before believing a figure.
        cards: Verdicts.
        groups: Key figures, the most important first.
        remarks: In small, below the figures.
        missing: What could not be computed, each in a line.
        foot: Program and date.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    groups: tuple[KeyFigures, ...] = ()
    remarks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    foot: str = ""


def kind_of(block: object) -> str:
    """The name that templates choose by."""
    return type(block).__name__.lower()


_TEMPLATES = Path(__file__).parent / "templates"


def report_environment(*, extra: str = "evaluate", needed_for: str = "the report") -> jinja2.Environment:
    """The templates; every value is escaped, in HTML by Jinja and in Markdown by the filter ``md``.

    Args:
        extra: That brings jinja2, for the error's words.
        needed_for: What cannot be made without it, in words.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - waits until a page is made
    except ImportError as error:
        raise MissingExtra.named("jinja2", extra=extra, needed_for=needed_for) from error
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,  # a name that is missing is an error
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["kind"] = kind_of
    made.filters["md"] = _escape_markdown
    made.globals["notice"] = NOTICE
    return made


def render_page(page: Page, *, extra: str = "evaluate", needed_for: str = "the report") -> str:
    """Any page as one HTML file: its style inside, no script, nothing asked of any server.

    Args:
        page: What stands on it.
        extra: That brings jinja2, for the error's words.
        needed_for: What cannot be made without it, in words.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    template = report_environment(extra=extra, needed_for=needed_for).get_template("page.html.j2")
    return _tidy(template.render(style=(_TEMPLATES / "style.css").read_text("utf-8"), page=page))


def render_markdown(page: Page) -> str:
    """The same page as Markdown: its words and tables, and links to its diagrams; no picture.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    return _tidy(report_environment().get_template("page.md.j2").render(page=page))


def jpeg_base64(picture: NDArray[np.uint8], *, quality: int = 85) -> str:
    """A picture, uint8 [rows, columns] or [rows, columns, 3], as the base64 of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def counted(number: int, noun: str) -> str:
    """``1,043 films``, ``1 film``, ``2 copies``."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else many}"


def _escape_markdown(text: object) -> str:
    """Text that Markdown leaves as it is, in a table's cell too."""
    words = " ".join(str(text).split())
    for letter in "\\`*_[]<>|":
        words = words.replace(letter, f"\\{letter}")
    return words


def _tidy(text: str) -> str:
    """Without the blanks at line ends that templates leave, and with one empty line where they leave several."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
