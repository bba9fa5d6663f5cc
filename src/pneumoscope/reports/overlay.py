"""The evidence drawn over its film, as a PNG with a legend (the colours are those of ``drawing``)."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pneumoscope.reports.drawing import evidence_over, legend_bar, scale_limit

if TYPE_CHECKING:
    from pneumoscope.domain.radiograph import Radiograph
    from pneumoscope.domain.reading import Reading

__all__ = ["overlay", "overlay_png"]

_Colour: TypeAlias = tuple[int, int, int]

_LONGEST = 1024  # pixels, of the drawn film; larger films are reduced
_SHORTEST = 640  # smaller films are enlarged, so that the text has room
_SIDES = "R, L: as if facing the patient."
_IMPRESSION = "Pattern: a radiographic impression, not microbiology."
_PAPER: _Colour = (16, 18, 22)
_INK: _Colour = (236, 238, 240)
_FAINT: _Colour = (160, 166, 174)


def overlay_png(film: Radiograph, reading: Reading) -> bytes:
    """The picture as PNG bytes; the notice stands in its text too."""
    text = PngInfo()
    text.add_text("Title", _title(reading))
    text.add_text("Comment", reading.notice)
    out = BytesIO()
    overlay(film, reading).save(out, "PNG", pnginfo=text, compress_level=3)
    return out.getvalue()


def overlay(film: Radiograph, reading: Reading) -> Image.Image:
    """The film with its evidence, a title, sides, a legend and the notice.

    Args:
        film: What was read, at its full size.
        reading: Its reading; not a refused one.

    Returns:
        An RGB image.

    Raises:
        ValueError: The reading was refused, or its map was not kept: there is no evidence to draw.
    """
    if reading.evidence is None:
        raise ValueError("a refused reading has no evidence to draw")
    scale = float(np.clip(max(film.rows, film.columns), _SHORTEST, _LONGEST)) / max(film.rows, film.columns)
    size = (max(1, round(film.columns * scale)), max(1, round(film.rows * scale)))
    return _frame(evidence_over(film, reading.evidence, size), reading, scale_limit(reading.evidence))


def _frame(picture: Image.Image, reading: Reading, limit: float) -> Image.Image:
    """Put the picture on a sheet with its title above and its legend below."""
    big, small = ImageFont.load_default(size=20), ImageFont.load_default(size=14)
    width = max(picture.width, _SHORTEST)
    above, below = 82, 94
    sheet = Image.new("RGB", (width, above + picture.height + below), _PAPER)
    left = (width - picture.width) // 2
    sheet.paste(picture, (left, above))
    pen = ImageDraw.Draw(sheet)
    pen.text((12, 10), _fit(_title(reading), big, width - 24), font=big, fill=_INK)
    for line, text in enumerate((_shares(reading), _decided(reading))):
        pen.text((12, 38 + 19 * line), _fit(text, small, width - 24), font=small, fill=_FAINT)
    _sides(pen, left, left + picture.width, above)
    _legend(sheet, above + picture.height + 12, limit, reading)
    pen.text((12, sheet.height - 46), reading.notice, font=small, fill=_INK)
    remark = _SIDES if reading.pattern is None else f"{_SIDES} {_IMPRESSION}"
    pen.text((12, sheet.height - 26), _fit(remark, small, width - 24), font=small, fill=_FAINT)
    return sheet


def _sides(pen: ImageDraw.ImageDraw, left: int, right: int, top: int) -> None:
    """The patient's sides, by the convention that the film is looked at as if facing the patient."""
    font = ImageFont.load_default(size=18)
    for text, x, anchor in (("R", left + 10, "lt"), ("L", right - 10, "rt")):
        pen.text((x, top + 10), text, font=font, fill=_INK, anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def _legend(sheet: Image.Image, top: int, limit: float, reading: Reading) -> None:
    """A bar from "against" to "for" in log-odds, in the colours as they look on mid-grey."""
    small = ImageFont.load_default(size=13)
    pen = ImageDraw.Draw(sheet)
    name = reading.finding.name if reading.finding else "the finding"
    before, after = f"against {name}", f"for {name}"
    start = 12 + int(small.getlength(before)) + 10
    end = sheet.width - 12 - int(small.getlength(after)) - 10
    sheet.paste(legend_bar(end - start, 12), (start, top))
    pen.text((12, top - 2), before, font=small, fill=_FAINT)
    pen.text((end + 10, top - 2), after, font=small, fill=_FAINT)
    for share in (0.0, 0.5, 1.0):
        x = start + round(share * (end - start))
        label = f"{(2 * share - 1) * limit:+.2g}" if share != 0.5 else "0"
        pen.text((x, top + 15), label, font=small, fill=_FAINT, anchor=("lt", "mt", "rt")[int(2 * share)])
    pen.text((start + (end - start) * 3 // 4, top + 15), "natural log-odds", font=small, fill=_FAINT, anchor="mt")


def _title(reading: Reading) -> str:
    finding = reading.finding
    if finding is None or reading.probabilities is None:
        return "refused"
    return f"{finding.call[:1].upper()}{finding.call[1:]}: P({finding.name}) {100 * finding.probability:.1f} %"


def _shares(reading: Reading) -> str:
    parts = [f"{name} {100 * p:.1f} %" for name, p in (reading.probabilities or {}).items()]
    if reading.pattern is not None and reading.pattern.call:
        parts.append(f"pattern: {reading.pattern.call}")
    return "  |  ".join(parts)


def _decided(reading: Reading) -> str:
    """Where the call was made, and by whom."""
    parts = []
    if (finding := reading.finding) is not None:
        open_from = "" if finding.lower is None else f"indeterminate from {100 * finding.lower:.1f} %, "
        parts.append(f"{open_from}called from {100 * finding.threshold:.1f} % ({finding.preset})")
    if reading.model is not None:
        parts.append(f"bundle {reading.model.name} {reading.model.version}")
    return "  |  ".join(parts)


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut with dots if it is longer than the sheet."""
    while len(text) > 4 and font.getlength(text) > width:
        text = text[:-4].rstrip() + "..."
    return text
