"""The HTML report engine: blocks of a page, inline SVG, flow diagrams, and templates with escaping."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pneumoscope.errors import MissingExtra
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    import jinja2

__all__ = [
    "Block",
    "Box",
    "Cell",
    "Diagram",
    "Gallery",
    "GalleryFilm",
    "Notes",
    "Picture",
    "Row",
    "Section",
    "Table",
    "Text",
    "flow_svg",
    "inline_svg",
    "render",
    "report_environment",
    "standalone_svg",
    "template_environment",
]


def template_environment(folder: Path, *, extra: str, needed_for: str) -> jinja2.Environment:
    """The templates of a folder; those that end in ``html.j2`` escape what is put in.

    Args:
        folder: Where they are.
        extra: That brings jinja2.
        needed_for: What cannot be made without it, in words.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415 - waits until a page is made
    except ImportError as error:
        raise MissingExtra.named("jinja2", extra=extra, needed_for=needed_for) from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


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
class Cell:
    """One cell of a table.

    Attributes:
        value: In large.
        more: Below it, in small, a line each: interval, counts.
        faint: To be read with care: chosen on these films, or not to be computed.
    """

    value: str
    more: tuple[str, ...] = ()
    faint: bool = False

    @property
    def long(self) -> bool:
        """Whether its lines may be broken: words, not figures."""
        return any(len(line) > 28 for line in (self.value, *self.more))


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its heading, what that means, and its cells."""

    head: str
    cells: tuple[Cell, ...]
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with headings for rows and columns.

    Attributes:
        key: Part of ids; different for each table of a page.
        caption: What it shows.
        head: Of the columns; the first stands over the row headings.
        rows: Each with one cell fewer than ``head``.
        wide: It may scroll sideways on a narrow screen.
    """

    key: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    wide: bool = True


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
    """

    path: str
    picture: str
    alt: str
    truth: str
    said: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Films side by side."""

    key: str
    title: str
    films: tuple[GalleryFilm, ...]
    nothing: str


Block = Text | Notes | Table | Picture | Diagram | Gallery


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page: its id, its heading, its blocks."""

    key: str
    title: str
    blocks: tuple[Block, ...]


def kind_of(block: Block) -> str:
    """The name that templates choose by."""
    return type(block).__name__.lower()


_HEAD = re.compile(r"^.*?(?=<svg\b)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(?::\w+)?="[^"]*"')
_ID = re.compile(r'(\sid=")([^"]+)(")')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_SIZE = re.compile(r'\s(?:width|height)="[\d.]+(?:pt|px)?"')
_STYLE = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL)


def inline_svg(source: str, name: str, title: str) -> str:
    """An SVG file's text as an element of an HTML page.

    Every id gets the figure's name before it: a page holds many figures, and matplotlib numbers each from 1.
    Namespaces go, because HTML knows them, and with them the addresses that they are written as. The stylesheet of
    the file goes too, since in a page it would reach every other figure; what it says stands on the element.

    Args:
        source: Of the file.
        name: Different for each figure of the page; letters, digits and hyphens.
        title: What the figure shows, for those who cannot see it.
    """
    body = _METADATA.sub("", _HEAD.sub("", source, count=1))
    body = _NAMESPACE.sub("", _STYLE.sub("", body)).replace("xlink:href=", "href=")
    seen: Counter[str] = Counter()

    def own(found: re.Match[str]) -> str:
        # Equal pictures of one figure get equal ids from matplotlib; nothing refers to them.
        seen[found[2]] += 1
        again = f"-{seen[found[2]]}" if seen[found[2]] > 1 else ""
        return f"{found[1]}{name}-{found[2]}{again}{found[3]}"

    body = _ID.sub(own, body)
    body = _REFERENCE.sub(rf"\g<1>{name}-\g<2>", body)
    head, rest = body.split(">", 1)
    head = _SIZE.sub("", head)
    label = f"{name}-title"
    head += f' role="img" aria-labelledby="{label}" class="figure" style="stroke-linejoin:round;stroke-linecap:butt"'
    return f'{head}><title id="{label}">{escape(title)}</title>{rest}'


_WIDTH, _LEFT, _LINE, _PAD, _GAP = 460, 8, 17, 9, 26
_SIDE = 150  # of a box that goes off to the right
_ALONE = """
text{font:13px 'DejaVu Sans',Arial,sans-serif;fill:#1c2126}.head{font-weight:bold}
.box,.strong{fill:#eef3f8;stroke:#98a2ad}.strong{stroke:#0072B2;stroke-width:2}.aside{fill:#fff3e2;stroke:#d98a2b}
.arrow{stroke:#57606a;fill:none;stroke-width:1.5}.tip{fill:#57606a}
"""
_LETTER = 6.7  # mean width of a letter at 13 px, in px


@dataclass(frozen=True, slots=True)
class Box:
    """One step.

    Attributes:
        title: In bold.
        lines: Below it.
        aside: What leaves here, in a box to the right; empty if nothing does.
        strong: The step that the page is about.
    """

    title: str
    lines: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    strong: bool = False


def flow_svg(boxes: tuple[Box, ...], key: str, title: str) -> str:
    """The steps from top to bottom, arrows between them; its words are also the page's list of steps.

    Args:
        boxes: In their order.
        key: Before every id.
        title: What the diagram shows.
    """
    body: list[str] = []
    top = 4.0
    before: float | None = None
    for box in boxes:
        width = _WIDTH - 2 * _LEFT - (_SIDE + 22 if box.aside else 0)
        lines = [part for line in box.lines for part in _wrap_words(line, width - 2 * _PAD)]
        aside = [part for line in box.aside for part in _wrap_words(line, _SIDE - 2 * _PAD)]
        tall = 2 * _PAD + _LINE * max(1 + len(lines), len(aside))
        middle = _LEFT + 60
        if before is not None:
            body.append(_arrow(middle, before, middle, top - 2, key))
        body.append(_rectangle(_LEFT, top, width, tall, "strong" if box.strong else "box"))
        body.append(_svg_text(_LEFT + _PAD, top + _PAD + 12, box.title, "head"))
        body += [_svg_text(_LEFT + _PAD, top + _PAD + 12 + _LINE * (i + 1), line) for i, line in enumerate(lines)]
        if aside:
            x = _LEFT + width + 22
            body.append(_arrow(_LEFT + width, top + tall / 2, x - 2, top + tall / 2, key))
            body.append(_rectangle(x, top, _SIDE, tall, "aside"))
            body += [_svg_text(x + _PAD, top + _PAD + 12 + _LINE * i, line) for i, line in enumerate(aside)]
        before = top + tall
        top = before + _GAP
    height = (before or 0) + 6
    head = (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-labelledby="{key}-title" class="flow">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<defs><marker id="{key}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L8 4 L0 8 z" class="tip"/></marker></defs>'
    )
    return f"{head}{''.join(body)}</svg>"


def standalone_svg(svg: str) -> str:
    """The diagram as a file: with a namespace, and with the colours that a page would give it."""
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "<defs>", f"<style>{_ALONE}</style><defs>", 1
    )


def _wrap_words(text: str, width: float) -> list[str]:
    """Lines of at most ``width`` px, by the mean width of a letter; a longer word is broken."""
    most = max(8, int(width / _LETTER))
    lines = [""]
    for word in text.split():
        rest = word
        while len(rest) > most:
            if lines[-1]:
                lines.append("")
            lines[-1], rest = rest[:most], rest[most:]
            lines.append("")
        if lines[-1] and len(lines[-1]) + 1 + len(rest) > most:
            lines.append(rest)
        else:
            lines[-1] = f"{lines[-1]} {rest}".strip()
    return lines


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" class="{kind}"/>'


def _svg_text(x: float, y: float, words: str, kind: str = "line") -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float, key: str) -> str:
    return f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" class="arrow" marker-end="url(#{key}-tip)"/>'


_TEMPLATES = Path(__file__).parent / "templates"


def report_environment() -> jinja2.Environment:
    """The templates; every value is escaped, in HTML by Jinja and in Markdown by the filter ``md``.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    made = template_environment(_TEMPLATES, extra="evaluate", needed_for="the report")
    made.filters["kind"] = kind_of
    made.filters["md"] = _escape_markdown
    made.globals["notice"] = NOTICE
    return made


def render(name: str, **context: Any) -> str:
    """A template filled in.

    Args:
        name: Its file, as "report.html.j2".
        context: What it speaks of.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    return (
        report_environment().get_template(name).render(style=(_TEMPLATES / "style.css").read_text("utf-8"), **context)
    )


def _escape_markdown(text: object) -> str:
    """Text that Markdown leaves as it is, in a table's cell too."""
    words = " ".join(str(text).split())
    for letter in "\\`*_[]<>|":
        words = words.replace(letter, f"\\{letter}")
    return words
