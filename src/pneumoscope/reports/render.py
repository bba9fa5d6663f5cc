"""What the model saw of a film, beside the film as it came: corrections, frame, lungs, input, evidence."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from pneumoscope.reports.overlay import blend_evidence, display_image
from pneumoscope.reports.summary import correction_words, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["render_png", "render_sheet"]

_SIDE = 420  # pixels of a panel
_GAP, _TITLE, _HEAD, _LINE = 12, 28, 44, 19
_PAPER, _INK, _FAINT = (16, 18, 22), (236, 238, 240), (160, 166, 174)
_FRAME, _LUNGS = (255, 214, 10), (64, 200, 120)


def render_sheet(
    original: Radiograph,
    film: Radiograph,
    reading: Reading,
    *,
    seen: NDArray[np.uint8] | None = None,
    frame: tuple[float, float, float, float] | None = None,
    lungs: NDArray[np.bool_] | None = None,
    remarks: Sequence[str] = (),
) -> Image.Image:
    """A sheet: the film as it came, as it was read with frame and lungs, the network's input, the evidence.

    Args:
        original: As it was loaded.
        film: As it was read: corrected.
        reading: Of it; a refused one has the first two panels, and its reason.
        seen: The network's input, uint8 [size, size]; None of a refused film.
        frame: The part of ``film`` that it shows: (top, left, bottom, right).
        lungs: bool [rows, columns] of ``film``; None if they were not found.
        remarks: Sentences that stand at the foot.

    Returns:
        An RGB picture.
    """
    panels = [("The film as it came", _panel(display_image(original, _size(original)).convert("RGB")))]
    moved = ", ".join(correction_words(each) for each in reading.corrections) or "nothing corrected"
    panels.append((f"As it was read: {moved}", _panel(_marked(film, frame, lungs))))
    if seen is not None:
        side = seen.shape[0]
        picture = Image.fromarray(seen).resize((_SIDE, _SIDE), Image.Resampling.NEAREST).convert("RGB")
        panels.append((f"What the network saw: {side} x {side} pixels", picture))
    if reading.evidence is not None and reading.evidence.map.size:
        panels.append(("Its evidence", _panel(blend_evidence(film, reading.evidence, _size(film)))))
    return _sheet(panels, _headline(reading), (reading.notice, *remarks))


def render_png(
    original: Radiograph,
    film: Radiograph,
    reading: Reading,
    *,
    seen: NDArray[np.uint8] | None = None,
    frame: tuple[float, float, float, float] | None = None,
    lungs: NDArray[np.bool_] | None = None,
    remarks: Sequence[str] = (),
) -> bytes:
    """``render_sheet`` as PNG bytes; the notice stands in its text too."""
    text, out = PngInfo(), BytesIO()
    text.add_text("Comment", reading.notice)
    sheet = render_sheet(original, film, reading, seen=seen, frame=frame, lungs=lungs, remarks=remarks)
    sheet.save(out, "PNG", pnginfo=text)
    return out.getvalue()


def _headline(reading: Reading) -> str:
    if reading.finding is None:
        return "Refused" if reading.refusal is None else f"Refused: {reading.refusal.reason}"
    found, forced = reading.finding, " (forced)" if reading.forced else ""
    return f"{found.call}{forced}: probability of {found.name} {percent(found.probability)}"


def _size(film: Radiograph) -> tuple[int, int]:
    scale = _SIDE / max(film.rows, film.columns)
    return max(1, round(film.columns * scale)), max(1, round(film.rows * scale))


def _marked(
    film: Radiograph, frame: tuple[float, float, float, float] | None, lungs: NDArray[np.bool_] | None
) -> Image.Image:
    """The film with a line round its lungs and round what the network saw."""
    size = _size(film)
    picture = np.array(display_image(film, size).convert("RGB"))
    if lungs is not None:
        small = np.asarray(Image.fromarray(lungs).resize(size, Image.Resampling.NEAREST))
        inside = np.pad(small, 1)
        core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
        picture[small & ~core] = _LUNGS
    marked = Image.fromarray(picture)
    if frame is not None:
        scale = max(size) / max(film.rows, film.columns)
        top, left, bottom, right = (round(edge * scale) for edge in frame)
        ImageDraw.Draw(marked).rectangle((left, top, right - 1, bottom - 1), outline=_FRAME, width=2)
    return marked


def _panel(picture: Image.Image) -> Image.Image:
    panel = Image.new("RGB", (_SIDE, _SIDE), _PAPER)
    panel.paste(picture, ((_SIDE - picture.width) // 2, (_SIDE - picture.height) // 2))
    return panel


def _sheet(panels: Sequence[tuple[str, Image.Image]], headline: str, foot: Sequence[str]) -> Image.Image:
    big, small = ImageFont.load_default(size=20), ImageFont.load_default(size=14)
    width = _GAP + len(panels) * (_SIDE + _GAP)
    lines = [*foot, "Green: the lung fields. Yellow: what the network was shown."]
    sheet = Image.new("RGB", (width, _HEAD + _TITLE + _SIDE + _GAP + _LINE * len(lines) + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP, 10), headline, font=big, fill=_INK)
    for number, (title, panel) in enumerate(panels):
        left = _GAP + number * (_SIDE + _GAP)
        pen.text((left, _HEAD + 4), title[:62], font=small, fill=_FAINT)
        sheet.paste(panel, (left, _HEAD + _TITLE))
    for number, line in enumerate(lines):
        place = (_GAP, _HEAD + _TITLE + _SIDE + _GAP + _LINE * number)
        pen.text(place, line, font=small, fill=_INK if number == 0 else _FAINT)
    return sheet
