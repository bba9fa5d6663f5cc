"""The one evidence renderer: the film for display, the evidence in colours over it, the scale and its legend.

Orange speaks for the finding and blue against it: the pair that colour-blind people tell apart best (ColorBrewer's
diverging schemes; Harrower and Brewer, Cartographic Journal 40 (2003)). Where there is little evidence the film shows
through. The resampling here is drawing: what the network sees is made by ``preprocess`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = [
    "ReportImages",
    "blend_evidence",
    "colour_scale_limit",
    "display_image",
    "evidence_colours",
    "evidence_layer",
    "legend_bar",
    "overlay",
    "overlay_png",
    "refused_sheet",
    "region_level",
    "report_images",
    "resampled_map",
    "side_by_side",
    "side_by_side_jpeg",
    "thumbnail",
    "thumbnail_jpeg",
]

_Rgb: TypeAlias = tuple[int, int, int]

_COLOURS_FOR: tuple[_Rgb, _Rgb] = ((253, 174, 97), (217, 72, 1))  # weak, strong
_COLOURS_AGAINST: tuple[_Rgb, _Rgb] = ((158, 202, 225), (8, 81, 156))
_OPACITY_FOR, _OPACITY_AGAINST = 0.68, 0.40
_DIMMED = 0.86  # the film's white, so that colours tell on it
_TRANSPARENT_BELOW = 0.12  # share of the scale below which the film shows through untouched
_MID_GREY = 96
_FADE = 0.04  # share of the map's side over which it fades at the edge of the trim
_CONTOUR_LEVEL = 0.6  # of the strongest value
_CONTOUR = (255, 244, 214, 200)  # red, green, blue, opacity
_SIDE_GAP = 4  # pixels between a film and the same film with its evidence
_THUMBNAIL_QUALITY = 82
_LEAST_SCALE = 1.0  # log-odds; a film without evidence must not look hot because its noise was stretched


def display_image(film: Radiograph, size: tuple[int, int]) -> Image.Image:
    """The film between its 0.5 and 99.5 percentiles.

    Args:
        film: At its full size.
        size: (columns, rows) of the picture, in pixels.

    Returns:
        A picture of mode L.
    """
    return Image.fromarray(np.rint(_display_values(film, size)).astype(np.uint8))


def thumbnail(film: Radiograph, longest: int = 160) -> Image.Image:
    """A film in small, for lists and galleries, of its own aspect and never enlarged.

    Args:
        film: At its full size.
        longest: Pixels of the longer side.

    Returns:
        A picture of mode L.
    """
    return display_image(film, _fitted(film, longest))


def thumbnail_jpeg(film: Radiograph, longest: int = 160) -> bytes:
    """``thumbnail`` as the bytes of a JPEG file."""
    return _encoded(thumbnail(film, longest), "JPEG", quality=_THUMBNAIL_QUALITY)


def blend_evidence(
    film: Radiograph, evidence: Evidence, size: tuple[int, int], limit: float | None = None
) -> Image.Image:
    """The film with its evidence in colours.

    Args:
        film: At its full size.
        evidence: With its map.
        size: (columns, rows) of the picture, in pixels; of the film's aspect.
        limit: The end of the colour scale, in log-odds; without it, the film's own.

    Returns:
        A picture of mode RGB.
    """
    scale = max(size) / max(film.rows, film.columns)
    layer = evidence_layer(evidence, size, scale, limit).astype(np.float32)
    colours, opacity = layer[..., :3], layer[..., 3:] / 255
    drawn = _display_values(film, size)[..., None] * _DIMMED * (1 - opacity) + colours * opacity
    return Image.fromarray(np.rint(drawn).astype(np.uint8))


def side_by_side(film: Radiograph, evidence: Evidence | None, longest: int, limit: float | None = None) -> Image.Image:
    """A film in small and, where there is evidence, the same film with it on the right: mode RGB."""
    size = _fitted(film, longest)
    parts = [display_image(film, size).convert("RGB")]
    if evidence is not None:
        parts.append(blend_evidence(film, evidence, size, limit))
    whole = Image.new("RGB", (len(parts) * (size[0] + _SIDE_GAP) - _SIDE_GAP, size[1]), "white")
    for place, part in enumerate(parts):
        whole.paste(part, (place * (size[0] + _SIDE_GAP), 0))
    return whole


def side_by_side_jpeg(film: Radiograph, evidence: Evidence | None, longest: int, limit: float | None = None) -> bytes:
    """``side_by_side`` as the bytes of a JPEG file."""
    return _encoded(side_by_side(film, evidence, longest, limit), "JPEG", quality=_THUMBNAIL_QUALITY)


def evidence_layer(
    evidence: Evidence, size: tuple[int, int], scale: float, limit: float | None = None
) -> NDArray[np.uint8]:
    """The evidence alone, in the same colours, to be laid over its film; a line runs round the leading place.

    Args:
        evidence: With its map.
        size: (columns, rows) of the layer, in pixels; of the film's aspect.
        scale: Pixels of the layer for one of the film.
        limit: The end of the colour scale, in log-odds; without it, the film's own.

    Returns:
        uint8 [rows, columns, 4]: red, green, blue, and opacity (not multiplied in).
    """
    limit = colour_scale_limit(evidence) if limit is None else limit
    values = resampled_map(evidence, size, scale)
    layer = evidence_colours(values, limit)
    layer[_leading_contour(values, limit)] = _CONTOUR
    return layer


def evidence_colours(values: NDArray[np.floating[Any]], limit: float) -> NDArray[np.uint8]:
    """The colours of evidence: the scale of every picture, figure and legend.

    Args:
        values: In log-odds, [H, W].
        limit: The end of the scale.

    Returns:
        uint8 [H, W, 4]: red, green, blue, and opacity (not multiplied in).
    """
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    speaks_for = (np.asarray(values) > 0)[..., None]
    weak = np.where(speaks_for, np.array(_COLOURS_FOR[0], np.float32), np.array(_COLOURS_AGAINST[0], np.float32))
    strong = np.where(speaks_for, np.array(_COLOURS_FOR[1], np.float32), np.array(_COLOURS_AGAINST[1], np.float32))
    colours = weak + (strong - weak) * strength
    shown = np.clip((strength - _TRANSPARENT_BELOW) / (1 - _TRANSPARENT_BELOW), 0, 1) ** 0.7
    opacity = shown * np.where(speaks_for, np.float32(_OPACITY_FOR), np.float32(_OPACITY_AGAINST))
    layer: NDArray[np.uint8] = np.rint(np.concatenate([colours, opacity * 255], axis=-1)).astype(np.uint8)
    return layer


def colour_scale_limit(*evidence: Evidence) -> float:
    """The end of the colour scale, in log-odds, rounded up to two figures: one for all films that are compared.

    Raises:
        ValueError: A map was not kept.
    """
    if any(one.map.size == 0 for one in evidence):
        raise ValueError("the map of this evidence was not kept, so it cannot be drawn")
    strongest = max([_LEAST_SCALE, *(float(np.abs(one.map).max()) for one in evidence)])
    step = 10.0 ** (np.floor(np.log10(strongest)) - 1)
    return float(np.ceil(strongest / step - 1e-9) * step)


def legend_bar(width: int, height: int) -> Image.Image:
    """The scale from "against" to "for", in the colours as they look on mid-grey: mode RGB."""
    values = np.repeat(np.linspace(-1, 1, width, dtype=np.float32)[None], height, axis=0)
    layer = evidence_colours(values, 1.0).astype(np.float32)
    colours, opacity = layer[..., :3], layer[..., 3:] / 255
    return Image.fromarray(np.rint(np.float32(_MID_GREY) * (1 - opacity) + colours * opacity).astype(np.uint8))


def _fitted(film: Radiograph, longest: int) -> tuple[int, int]:
    """(columns, rows) of a picture of the film whose longer side is no longer than that."""
    scale = min(1.0, longest / max(film.rows, film.columns))
    return max(1, round(film.columns * scale)), max(1, round(film.rows * scale))


def _display_values(film: Radiograph, size: tuple[int, int]) -> NDArray[np.float32]:
    """The film between its 0.5 and 99.5 percentiles: float32 [H, W], 0 to 255."""
    columns, rows = size
    step = max(1, min(film.rows // rows, film.columns // columns) // 4)  # four pixels for one are enough to average
    pixels = np.ascontiguousarray(film.pixels[::step, ::step])
    picture = Image.fromarray(pixels if pixels.dtype == np.uint8 else pixels.astype(np.float32))
    values = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    black, white = np.percentile(values, (0.5, 99.5))
    grey: NDArray[np.float32] = np.clip((values - black) * (255.0 / max(white - black, 1e-6)), 0, 255)
    return grey.astype(np.float32)


def resampled_map(evidence: Evidence, size: tuple[int, int], scale: float) -> NDArray[np.float32]:
    """The map over the whole drawn film, 0 where the network did not look: float32 [H, W].

    Where what it looked at ends within the film, the map fades: the edge of the trim is no edge of evidence.
    """
    top, left, bottom, right = (round(edge * scale) for edge in evidence.frame)
    rows, columns = max(1, bottom - top), max(1, right - left)
    smooth = Image.fromarray(evidence.map.astype(np.float32)).resize((columns, rows), Image.Resampling.BICUBIC)
    down = _fade(rows, before=top > 0, after=bottom < size[1])
    across = _fade(columns, before=left > 0, after=right < size[0])
    whole = Image.new("F", size)
    whole.paste(Image.fromarray(np.asarray(smooth, np.float32) * down[:, None] * across[None]), (left, top))
    return np.asarray(whole, dtype=np.float32)


def _fade(length: int, *, before: bool, after: bool) -> NDArray[np.float32]:
    """1, and near the ends that are asked for from 0 to 1: float32 [length]."""
    from_start = (np.arange(length, dtype=np.float32) + 0.5) / max(1.0, _FADE * length)
    weight = np.ones(length, np.float32)
    if before:
        weight = np.minimum(weight, from_start)
    if after:
        weight = np.minimum(weight, from_start[::-1])
    return weight


def region_level(strongest: float, limit: float) -> float | None:
    """The log-odds from which a place belongs to a region of evidence; None where hardly anything speaks for it.

    Args:
        strongest: The largest value of the map.
        limit: The end of the colour scale.
    """
    return None if strongest < 2 * _TRANSPARENT_BELOW * limit else _CONTOUR_LEVEL * strongest


def _leading_contour(values: NDArray[np.float32], limit: float) -> NDArray[np.bool_]:
    """The line round the place where most speaks for the finding: bool [H, W]; none where hardly anything does."""
    level = region_level(float(values.max()), limit)
    if level is None:
        return np.zeros(values.shape, np.bool_)
    place = np.unravel_index(int(values.argmax()), values.shape)
    inside = Image.fromarray((values >= level).astype(np.uint8)).copy()  # one that can be drawn on
    ImageDraw.floodfill(inside, (int(place[1]), int(place[0])), 2)
    leading = np.pad(np.asarray(inside) == 2, 1)
    core = leading[1:-1, 1:-1] & leading[:-2, 1:-1] & leading[2:, 1:-1] & leading[1:-1, :-2] & leading[1:-1, 2:]
    line: NDArray[np.bool_] = leading[1:-1, 1:-1] & ~core
    return line


_PAGE_LONGEST = 960  # pixels; on A4 this is about 250 to the inch
_QUALITY = 88


@dataclass(frozen=True, slots=True)
class ReportImages:
    """What a page shows.

    Attributes:
        size: (columns, rows) of each, in pixels.
        film: JPEG of the film alone.
        evidence: JPEG of the film with its evidence; None if there is none to draw.
        legend: PNG of the scale's bar; None likewise.
        limit: The end of the scale, in natural log-odds; 0 likewise.
    """

    size: tuple[int, int]
    film: bytes
    evidence: bytes | None = None
    legend: bytes | None = None
    limit: float = 0.0


def report_images(film: Radiograph, reading: Reading) -> ReportImages:
    """Draw a film for a page, with its evidence where the reading has a map."""
    size = _fitted(film, _PAGE_LONGEST)
    alone = _encoded(display_image(film, size), "JPEG")
    evidence = reading.evidence
    if evidence is None or evidence.map.size == 0:
        return ReportImages(size, alone)
    return ReportImages(
        size,
        alone,
        evidence=_encoded(blend_evidence(film, evidence, size), "JPEG"),
        legend=_encoded(legend_bar(256, 8), "PNG"),
        limit=colour_scale_limit(evidence),
    )


def _encoded(picture: Image.Image, kind: str, quality: int = _QUALITY) -> bytes:
    out = BytesIO()
    if kind == "JPEG":
        picture.save(out, kind, quality=quality, subsampling=0, optimize=True)
    else:
        picture.save(out, kind)
    return out.getvalue()


_SHEET_LONGEST = 1024  # pixels, of the drawn film; larger films are reduced
_SHEET_SHORTEST = 640  # smaller films are enlarged, so that the text has room
_SIDES = "R, L: as if facing the patient."
_IMPRESSION = "Pattern: a radiographic impression, not microbiology."
_PAPER: _Rgb = (16, 18, 22)
_INK: _Rgb = (236, 238, 240)
_FAINT: _Rgb = (160, 166, 174)


def overlay_png(film: Radiograph, reading: Reading) -> bytes:
    """The picture as PNG bytes; the notice stands in its text too."""
    text = PngInfo()
    text.add_text("Title", _title(reading))
    text.add_text("Comment", reading.notice)
    out = BytesIO()
    overlay(film, reading).save(out, "PNG", pnginfo=text, compress_level=3)
    return out.getvalue()


def overlay(film: Radiograph, reading: Reading, remarks: Sequence[str] = ()) -> Image.Image:
    """The film with its evidence, a title, sides, a legend and the notice.

    Args:
        film: What was read, at its full size.
        reading: Its reading; not a refused one.
        remarks: Sentences that stand under the notice: for whom the model was made, say.

    Returns:
        An RGB image.

    Raises:
        ValueError: The reading was refused, or its map was not kept: there is no evidence to draw.
    """
    if reading.evidence is None:
        raise ValueError("a refused reading has no evidence to draw")
    scale = float(np.clip(max(film.rows, film.columns), _SHEET_SHORTEST, _SHEET_LONGEST)) / max(film.rows, film.columns)
    size = (max(1, round(film.columns * scale)), max(1, round(film.rows * scale)))
    return _frame(blend_evidence(film, reading.evidence, size), reading, colour_scale_limit(reading.evidence), remarks)


def refused_sheet(film: Radiograph | None, reading: Reading, remarks: Sequence[str] = ()) -> Image.Image:
    """That no reading was made, why, and what to do; under it the film, if it could be decoded: an RGB image."""
    big, small = ImageFont.load_default(size=20), ImageFont.load_default(size=14)
    told = () if reading.refusal is None else (f"{reading.refusal.reason}.", reading.refusal.remedy)
    size = (_SHEET_SHORTEST, 1)
    if film is not None:
        scale = _SHEET_SHORTEST / max(film.rows, film.columns)
        size = (max(1, round(film.columns * scale)), max(1, round(film.rows * scale)))
    width = _SHEET_SHORTEST
    lines = [line for text in (*told, reading.notice, *remarks) for line in _wrapped(text, small, width - 24)]
    above = 48 + 19 * len(lines)
    sheet = Image.new("RGB", (width, above + size[1] + 12), _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((12, 10), "Refused: no reading was made", font=big, fill=_INK)
    for number, line in enumerate(lines):
        pen.text((12, 40 + 19 * number), line, font=small, fill=_INK)
    if film is not None:
        sheet.paste(display_image(film, size).convert("RGB"), ((width - size[0]) // 2, above))
    return sheet


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """A text in lines no wider than the sheet."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_fit(line, font, width) for line in lines if line]


def _frame(picture: Image.Image, reading: Reading, limit: float, remarks: Sequence[str]) -> Image.Image:
    """Put the picture on a sheet with its title above and its legend below."""
    big, small = ImageFont.load_default(size=20), ImageFont.load_default(size=14)
    width = max(picture.width, _SHEET_SHORTEST)
    more = [line for text in remarks for line in _wrapped(text, small, width - 24)]
    above, below = 82, 94 + 19 * len(more)
    sheet = Image.new("RGB", (width, above + picture.height + below), _PAPER)
    left = (width - picture.width) // 2
    sheet.paste(picture, (left, above))
    pen = ImageDraw.Draw(sheet)
    pen.text((12, 10), _fit(_title(reading), big, width - 24), font=big, fill=_INK)
    for line, text in enumerate((_probabilities_line(reading), _operating_point_line(reading))):
        pen.text((12, 38 + 19 * line), _fit(text, small, width - 24), font=small, fill=_FAINT)
    _sides(pen, left, left + picture.width, above)
    _legend(sheet, above + picture.height + 12, limit, reading)
    foot = above + picture.height + 48
    pen.text((12, foot), reading.notice, font=small, fill=_INK)
    remark = _SIDES if reading.pattern is None else f"{_SIDES} {_IMPRESSION}"
    for number, text in enumerate((_fit(remark, small, width - 24), *more)):
        pen.text((12, foot + 20 + 19 * number), text, font=small, fill=_FAINT)
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
    forced = " (forced)" if reading.forced else ""
    return f"{finding.call[:1].upper()}{finding.call[1:]}{forced}: P({finding.name}) {100 * finding.probability:.1f} %"


def _probabilities_line(reading: Reading) -> str:
    parts = [f"{name} {100 * p:.1f} %" for name, p in (reading.probabilities or {}).items()]
    if reading.pattern is not None and reading.pattern.call:
        parts.append(f"pattern: {reading.pattern.call}")
    return "  |  ".join(parts)


def _operating_point_line(reading: Reading) -> str:
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
