"""A film for the eye, and the evidence in colours over it.

Orange speaks for the finding and blue against it: the pair that colour-blind people tell apart best (ColorBrewer's
diverging schemes; Harrower and Brewer, Cartographic Journal 40 (2003)). Where there is little evidence the film shows
through. The resampling here is drawing: what the network sees is made by ``preprocess`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.domain.evidence import Evidence
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["evidence_layer", "evidence_over", "film_for_the_eye", "legend_bar", "scale_limit"]

_Colour: TypeAlias = tuple[int, int, int]

_FOR: tuple[_Colour, _Colour] = ((253, 174, 97), (217, 72, 1))  # weak, strong
_AGAINST: tuple[_Colour, _Colour] = ((158, 202, 225), (8, 81, 156))
_OPACITY_FOR, _OPACITY_AGAINST = 0.68, 0.40
_DIMMED = 0.86  # the film's white, so that colours tell on it
_QUIET = 0.12  # share of the scale below which the film shows through untouched
_LEAST_SCALE = 1.0  # log-odds; a film without evidence must not look hot because its noise was stretched


def film_for_the_eye(film: Radiograph, size: tuple[int, int]) -> Image.Image:
    """The film between its 0.5 and 99.5 percentiles.

    Args:
        film: At its full size.
        size: (columns, rows) of the picture, in pixels.

    Returns:
        A picture of mode L.
    """
    return Image.fromarray(np.rint(_grey(film, size)[..., 0]).astype(np.uint8))


def evidence_over(film: Radiograph, evidence: Evidence, size: tuple[int, int]) -> Image.Image:
    """The film with its evidence in colours.

    Args:
        film: At its full size.
        evidence: With its map.
        size: (columns, rows) of the picture, in pixels; of the film's aspect.

    Returns:
        A picture of mode RGB.
    """
    scale = max(size) / max(film.rows, film.columns)
    colours, opacity = _paint(_spread(evidence, size, scale), scale_limit(evidence))
    drawn = _grey(film, size) * _DIMMED * (1 - opacity) + colours * opacity
    return Image.fromarray(np.rint(drawn).astype(np.uint8))


def evidence_layer(evidence: Evidence, size: tuple[int, int], scale: float) -> NDArray[np.uint8]:
    """The evidence alone, in the same colours, to be laid over its film.

    Args:
        evidence: With its map.
        size: (columns, rows) of the layer, in pixels; of the film's aspect.
        scale: Pixels of the layer for one of the film.

    Returns:
        uint8 [rows, columns, 4]: red, green, blue, and opacity (not multiplied in).
    """
    colours, opacity = _paint(_spread(evidence, size, scale), scale_limit(evidence))
    layer: NDArray[np.uint8] = np.rint(np.concatenate([colours, opacity * 255], axis=-1)).astype(np.uint8)
    return layer


def scale_limit(evidence: Evidence) -> float:
    """The end of the colour scale, in log-odds, rounded up to two figures.

    Raises:
        ValueError: The map was not kept.
    """
    if evidence.map.size == 0:
        raise ValueError("the map of this evidence was not kept, so it cannot be drawn")
    strongest = max(_LEAST_SCALE, float(np.abs(evidence.map).max()))
    step = 10.0 ** (np.floor(np.log10(strongest)) - 1)
    return float(np.ceil(strongest / step - 1e-9) * step)


def legend_bar(width: int, height: int) -> Image.Image:
    """The scale from "against" to "for", in the colours as they look on mid-grey: mode RGB."""
    values = np.repeat(np.linspace(-1, 1, width, dtype=np.float32)[None], height, axis=0)
    colours, opacity = _paint(values, 1.0)
    return Image.fromarray(np.rint(np.float32(96) * (1 - opacity) + colours * opacity).astype(np.uint8))


def _grey(film: Radiograph, size: tuple[int, int]) -> NDArray[np.float32]:
    """The film for the eye, between its 0.5 and 99.5 percentiles: float32 [H, W, 1], 0 to 255."""
    picture = Image.fromarray(film.pixels if film.pixels.dtype == np.uint8 else film.pixels.astype(np.float32))
    values = np.asarray(picture.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    black, white = np.percentile(values, (0.5, 99.5))
    grey: NDArray[np.float32] = np.clip((values - black) * (255.0 / max(white - black, 1e-6)), 0, 255)
    return grey[..., None].astype(np.float32)


def _spread(evidence: Evidence, size: tuple[int, int], scale: float) -> NDArray[np.float32]:
    """The map over the whole drawn film, 0 where the network did not look: float32 [H, W]."""
    top, left, bottom, right = (round(edge * scale) for edge in evidence.frame)
    smooth = Image.fromarray(evidence.map.astype(np.float32)).resize(
        (max(1, right - left), max(1, bottom - top)), Image.Resampling.BICUBIC
    )
    whole = Image.new("F", size)
    whole.paste(smooth, (left, top))
    return np.asarray(whole, dtype=np.float32)


def _paint(values: NDArray[np.float32], limit: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours float32 [H, W, 3] and opacity float32 [H, W, 1] of the evidence."""
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    speaks_for = (values > 0)[..., None]
    weak = np.where(speaks_for, np.array(_FOR[0], np.float32), np.array(_AGAINST[0], np.float32))
    strong = np.where(speaks_for, np.array(_FOR[1], np.float32), np.array(_AGAINST[1], np.float32))
    colours = weak + (strong - weak) * strength
    shown = np.clip((strength - _QUIET) / (1 - _QUIET), 0, 1) ** 0.7
    opacity = shown * np.where(speaks_for, np.float32(_OPACITY_FOR), np.float32(_OPACITY_AGAINST))
    return colours.astype(np.float32), opacity.astype(np.float32)
