"""From numbers of any kind, colour too, to gray levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.errors import UnreadableFilm

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "COLOUR_WARNING",
    "GrayImage",
    "apply_exif_orientation",
    "composite_over_black",
    "is_colour",
    "luma",
    "to_grayscale",
]

COLOUR_WARNING = "a colour picture: read as its luma"
STRETCHED_WARNING = "values stretched from least to greatest"


@dataclass(frozen=True, slots=True, eq=False)
class GrayImage:
    """Gray levels and what they mean.

    Attributes:
        pixels: uint8 or uint16 [rows, columns].
        white: The value that stands for full white.
        warnings: What was odd, in plain words.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    white: int
    warnings: tuple[str, ...] = ()


def luma(colour: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[Any]:
    """Luma of ITU-R BT.601-7, section 2.5.1, with the integer weights that Pillow uses for its mode "L".

    The weights sum to 65536, so that equal channels come out unchanged.

    Args:
        colour: uint8 or uint16 [rows, columns, 3].

    Returns:
        [rows, columns] of the same type.
    """
    total = colour[..., 0] * np.uint32(19595)
    total += colour[..., 1] * np.uint32(38470)
    total += colour[..., 2] * np.uint32(7471)
    total += np.uint32(0x8000)
    total >>= np.uint32(16)
    gray: NDArray[Any] = total.astype(colour.dtype)
    return gray


def is_colour(colour: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Whether the channels truly differ.

    A gray film that went through a colour JPEG may differ by a few levels here and there. It is colour
    when in more than one pixel of a thousand the channels are more than 5 % of white apart.

    Args:
        colour: uint8 or uint16 [rows, columns, 3].
    """
    first, second, third = colour[..., 0], colour[..., 1], colour[..., 2]
    if np.array_equal(first, second) and np.array_equal(second, third):
        return False
    limit = 12 if colour.dtype == np.uint8 else 3276
    highest = np.maximum(np.maximum(first, second), third)
    lowest = np.minimum(np.minimum(first, second), third)
    return int(np.count_nonzero(highest - lowest > limit)) * 1000 > first.size


def composite_over_black(gray: NDArray[Any], alpha: NDArray[Any], white: int) -> NDArray[Any]:
    """Lay a picture with transparent parts over black: gray x alpha, rounded to the nearest level."""
    product = gray.astype(np.uint32) * alpha + np.uint32(white // 2)
    laid: NDArray[Any] = (product // np.uint32(white)).astype(gray.dtype)
    return laid


def to_grayscale(values: NDArray[Any], *, where: str) -> GrayImage:
    """Take an array of numbers for a film.

    8 and 16 bit unsigned integers are kept as they are. Wider or signed integers are kept too when they
    fit into one of the two, else stretched from least to greatest. Fractions from 0 to 1 are shares of
    white; other fractions are stretched.

    Args:
        values: Real numbers [rows, columns], [rows, columns, 1], or 3 or 4 channels (RGB, RGBA) last.
        where: What to call it in an error.

    Raises:
        UnreadableFilm: Another shape, no pixels, not numbers, or NaN or infinity among them.
    """
    if values.dtype.kind not in "buif":
        raise UnreadableFilm(
            f"an array of {values.dtype}, not of real numbers",
            where=where,
            remedy="Give uint8, uint16 or floats from 0 to 1",
        )
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim != 2 and not (values.ndim == 3 and values.shape[2] in (3, 4)):
        shape = " x ".join(map(str, values.shape)) or "one number"
        raise UnreadableFilm(
            f"an array of shape {shape} is no film",
            where=where,
            remedy="Give [rows, columns] or [rows, columns, 3]",
        )
    if values.size == 0:
        raise UnreadableFilm("the array is empty", where=where, remedy="Give [rows, columns] or [rows, columns, 3]")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise UnreadableFilm(
            "the array has values that are not finite numbers (NaN or infinity)",
            where=where,
            remedy="Replace them before reading",
        )
    levels, white, notes = _levels(values)
    if levels.ndim == 2:
        return GrayImage(np.ascontiguousarray(levels), white, notes)
    gray = luma(levels[..., :3])
    if is_colour(levels[..., :3]):
        notes = (*notes, COLOUR_WARNING)
    if levels.shape[2] == 4 and (levels[..., 3] != white).any():
        gray = composite_over_black(gray, levels[..., 3], white)
        notes = (*notes, "transparent parts: laid over black")
    return GrayImage(np.ascontiguousarray(gray), white, notes)


def _levels(values: NDArray[Any]) -> tuple[NDArray[Any], int, tuple[str, ...]]:
    """Any real numbers as uint8 or uint16, with the white level and what was done to get there."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255), 255, ()
    if values.dtype == np.uint8:
        return values, 255, ()
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return values.astype(np.uint16, copy=False), 65535, ()
    low, high = values.min(), values.max()
    if values.dtype.kind in "ui" and low >= 0 and high <= 65535:
        return (values.astype(np.uint8), 255, ()) if high <= 255 else (values.astype(np.uint16), 65535, ())
    notes: tuple[str, ...] = ()
    shares = values.astype(np.float64)
    if values.dtype.kind in "ui" or low < 0 or high > 1:
        notes = (STRETCHED_WARNING,)
        # Halved first: the distance between two finite floats need not be finite.
        span = float(high) / 2 - float(low) / 2
        shares = (shares / 2 - float(low) / 2) / span if span > 0 else np.zeros_like(shares)
    return np.rint(shares * 65535).astype(np.uint16), 65535, notes


def apply_exif_orientation(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation (EXIF 2.32, section 4.6.4, tag 274).

    Args:
        pixels: [rows, columns].
        orientation: 1 to 8; 1 is upright.
    """
    if orientation >= 5:
        pixels = pixels.T
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
