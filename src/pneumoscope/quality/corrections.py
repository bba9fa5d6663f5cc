"""Corrections that are made before reading: rotate, invert, straighten, crop."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.films.grayscale import apply_exif_orientation
from pneumoscope.films.resample import rotate, rotated_size
from pneumoscope.types.correction import Crop, Invert, Rotate, Straighten
from pneumoscope.types.film_geometry import FilmGeometry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from pneumoscope.types.correction import Correction
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["apply_corrections", "film_geometry", "find_film_within_borders"]

_EVEN = 6  # gray levels of 255: a line of the picture whose values differ by less is border
_LEAST = 0.06  # of the side; narrower borders are left alone
_PART = 0.2  # of the side, that a film within borders must have


def apply_corrections(film: Radiograph, corrections: Iterable[Correction]) -> Radiograph:
    """The film as it was read.

    Args:
        film: As it was loaded.
        corrections: Of its reading, in their order.
    """
    pixels: Any = film.pixels
    spacing = film.spacing_mm
    for correction in corrections:
        match correction:
            case Invert():
                pixels = pixels.dtype.type(film.white) - np.minimum(pixels, pixels.dtype.type(film.white))
            case Rotate(degrees):
                pixels = np.rot90(pixels, -degrees // 90)
                spacing = spacing if spacing is None or degrees == 180 else (spacing[1], spacing[0])
            case Straighten(tilt):
                pixels = rotate(np.ascontiguousarray(pixels), tilt)
                # Between two spacings that differ there is none along the new rows.
                spacing = spacing if spacing is None or spacing[0] == spacing[1] else None
            case Crop(top, left, bottom, right):
                pixels = pixels[top:bottom, left:right]
    if pixels is film.pixels:
        return film
    return replace(film, pixels=np.ascontiguousarray(pixels), spacing_mm=spacing)


def film_geometry(
    rows: int, columns: int, corrections: Iterable[Correction] = (), *, orientation: int = 1
) -> FilmGeometry:
    """Where the film as it was read lies in the picture as it was stored.

    Args:
        rows: Height of the stored picture.
        columns: Its width.
        corrections: Of the reading, in their order.
        orientation: By which loading turned the stored picture upright, as an EXIF orientation.
    """
    matrix, size = _rearranged(rows, columns, partial(apply_exif_orientation, orientation=orientation))
    for correction in corrections:
        step = np.eye(3)
        match correction:
            case Rotate(degrees):
                step, size = _rearranged(*size, partial(np.rot90, k=-(degrees // 90)))
            case Straighten(tilt):
                step, size = _straightened(*size, tilt)
            case Crop(top, left, bottom, right):
                step[:2, 2] = left, top
                size = bottom - top, right - left
        matrix = matrix @ step
    return FilmGeometry(rows, columns, matrix)


def _rearranged(
    rows: int, columns: int, rearrange: Callable[[NDArray[Any]], NDArray[Any]]
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Of a turn or a mirroring: places after it to places before, [3, 3], and (rows, columns) after it."""
    after = rearrange(np.array([[0, 1], [2, 3]]))  # the corners: top left, top right, bottom left, bottom right
    place = {number: np.array([number % 2 * columns, number // 2 * rows], dtype=np.float64) for number in range(4)}
    origin, right, down = (place[int(after[at])] for at in ((0, 0), (0, 1), (1, 0)))
    wide, tall = float(np.abs(right - origin).sum()), float(np.abs(down - origin).sum())
    matrix = np.eye(3)
    matrix[:2, 0], matrix[:2, 1], matrix[:2, 2] = (right - origin) / wide, (down - origin) / tall, origin
    return matrix, (round(tall), round(wide))


def _straightened(rows: int, columns: int, tilt: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Of ``films.resample.rotate``: places after it to places before, [3, 3], and (rows, columns) after it."""
    size = rotated_size(rows, columns, tilt)
    cosine, sine = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = np.array([columns, rows]) / 2 - turn @ (np.array([size[1], size[0]]) / 2)
    return matrix, size


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
