"""A pen that writes and draws on a PDF page, tagging what it writes; or only measures."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fpdf import FPDF

__all__ = ["FAMILY", "Colour", "Pen"]

Colour: TypeAlias = tuple[int, int, int]

FAMILY = "sheet"
_LEADING = 1.32  # of the size
_MM = 25.4 / 72  # in a point


class Pen:
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
