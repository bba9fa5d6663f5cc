"""Corrections that are made before reading: rotate, invert, straighten, crop."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.films.resample import rotate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph

__all__ = [
    "INVERTED_WORDS",
    "apply_corrections",
    "cut_words",
    "find_film_within_borders",
    "straightened_words",
    "turned_words",
]

INVERTED_WORDS = "inverted"

_TURNED = re.compile(r"turned (90|180|270)")
_STRAIGHTENED = re.compile(r"straightened by (\d+(?:\.\d+)?) degrees (counter)?clockwise")
_CUT = re.compile(r"cut to rows (\d+) to (\d+), columns (\d+) to (\d+)")
_EVEN = 6  # gray levels of 255: a line of the picture whose values differ by less is border
_LEAST = 0.06  # of the side; narrower borders are left alone
_PART = 0.2  # of the side, that a film within borders must have


def turned_words(quarters: int) -> str:
    """What a mended turn is called: by how many degrees the picture was turned clockwise to be upright."""
    return f"turned {quarters % 4 * 90}"


def straightened_words(degrees: float) -> str:
    """What a mended tilt is called: by how many degrees, clockwise, the picture was turned, to a hundredth."""
    return f"straightened by {round(abs(degrees), 2):g} degrees {'counter' if degrees < 0 else ''}clockwise"


def cut_words(box: tuple[int, int, int, int]) -> str:
    """What cut borders are called; (top, left, bottom, right) in pixels, the last ones not included."""
    return f"cut to rows {box[0]} to {box[2]}, columns {box[1]} to {box[3]}"


def apply_corrections(film: Radiograph, mended: Iterable[str]) -> Radiograph:
    """The film as it was read: mend it again by the words of its reading.

    Args:
        film: As it was loaded.
        mended: Of the reading, in their order. Other words than those of this module are passed over.
    """
    pixels: Any = film.pixels
    spacing = film.spacing_mm
    for words in mended:
        if words == INVERTED_WORDS:
            pixels = pixels.dtype.type(film.white) - np.minimum(pixels, pixels.dtype.type(film.white))
        elif match := _TURNED.fullmatch(words):
            pixels = np.rot90(pixels, -int(match[1]) // 90)
            spacing = spacing if spacing is None or match[1] == "180" else (spacing[1], spacing[0])
        elif match := _STRAIGHTENED.fullmatch(words):
            pixels = rotate(np.ascontiguousarray(pixels), -float(match[1]) if match[2] else float(match[1]))
            # Between two spacings that differ there is none along the new rows.
            spacing = spacing if spacing is None or spacing[0] == spacing[1] else None
        elif match := _CUT.fullmatch(words):
            top, bottom, left, right = (int(number) for number in match.groups())
            pixels = pixels[top:bottom, left:right]
    if pixels is film.pixels:
        return film
    return replace(film, pixels=np.ascontiguousarray(pixels), spacing_mm=spacing)


def find_film_within_borders(seen: NDArray[np.uint8], rows: int, columns: int) -> tuple[int, int, int, int] | None:
    """Where the film lies within wide, even borders; None if there are none.

    Args:
        seen: uint8 [S, S], the picture squared.
        rows: Height of the picture in pixels.
        columns: Its width.

    Returns:
        (top, left, bottom, right) in pixels of the picture, the last ones not included.
    """
    top, bottom = _within(np.ptp(seen, axis=1) > _EVEN)
    left, right = _within(np.ptp(seen, axis=0) > _EVEN)
    size = len(seen)
    if min(bottom - top, right - left) < _PART * size:
        return None
    if max(top, left, size - bottom, size - right) < _LEAST * size:
        return None
    # One place less on each side: a place at the edge holds a part of the border.
    top, left = (min(edge + 1, size) if edge else 0 for edge in (top, left))
    bottom, right = (max(edge - 1, 0) if edge < size else size for edge in (bottom, right))
    return (
        int(np.ceil(top * rows / size)),
        int(np.ceil(left * columns / size)),
        int(bottom * rows / size),
        int(right * columns / size),
    )


def _within(lively: NDArray[np.bool_]) -> tuple[int, int]:
    """First lively line, and the one after the last; (0, 0) if there is none."""
    places = np.flatnonzero(lively)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
