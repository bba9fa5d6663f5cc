"""What a page is made of. The templates draw these and know nothing of judgements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Block", "Cell", "Diagram", "Gallery", "GalleryFilm", "Notes", "Picture", "Row", "Section", "Table", "Text"]


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
