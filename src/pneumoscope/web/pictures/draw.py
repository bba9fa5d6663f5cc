"""A film as the eye is to see it, as the viewer wants its pixels, and the evidence as a layer over it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.films import load
from pneumoscope.gate import remended
from pneumoscope.reports.drawing import evidence_layer, scale_limit
from pneumoscope.resample import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.domain.evidence import Evidence
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["EVIDENCE_SIDE", "as_read", "eye_jpeg", "layer_png", "pixels_png", "size_as_read"]

EVIDENCE_SIDE = 512
"""Pixels of the evidence layer's longer side."""


def as_read(data: bytes, mended: Sequence[str], *, max_pixels: int) -> Radiograph:
    """A kept film as its reading saw it.

    Args:
        data: The kept bytes.
        mended: Of the reading.
        max_pixels: Largest film.

    Raises:
        FilmError: The film cannot be decoded.
    """
    return remended(load(data, name="film", max_pixels=max_pixels), mended)


def size_as_read(rows: int, columns: int, mended: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of a film after mending, without decoding it."""
    from pneumoscope.domain.radiograph import FilmInfo, Radiograph  # noqa: PLC0415

    blank = Radiograph(np.zeros((rows, columns), np.uint8), 255, FilmInfo("film"))
    film = remended(blank, mended)
    return film.rows, film.columns


def eye_jpeg(film: Radiograph, longest: int | None = None) -> bytes:
    """A film in 8 bits, as stored or reduced, as JPEG.

    Args:
        film: The film.
        longest: Pixels of the longer side, if the film is larger.
    """
    side = max(film.rows, film.columns)
    pixels = film.pixels
    if longest is not None and longest < side:
        scale = longest / side
        small = resize(pixels, max(1, round(film.rows * scale)), max(1, round(film.columns * scale)))
        shown = _eight_bits(small, film.white)
    elif pixels.dtype == np.uint8 and film.white == 255:
        shown = pixels.astype(np.uint8, copy=False)
    else:
        shown = _eight_bits(pixels, film.white)
    out = BytesIO()
    Image.fromarray(shown).save(out, "JPEG", quality=90)
    return out.getvalue()


def _eight_bits(values: NDArray[np.float32] | NDArray[np.uint8] | NDArray[np.uint16], white: int) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = np.clip(np.rint(values * np.float32(255.0 / white)), 0, 255).astype(np.uint8)
    return scaled


def pixels_png(film: Radiograph) -> bytes:
    """Every pixel of a film, as PNG.

    8-bit films are gray; deeper ones RGB with the high byte in red and the low byte in green, because a browser gives
    a page 8 bits a channel.
    """
    pixels = film.pixels
    if pixels.dtype == np.uint8:
        picture = Image.fromarray(pixels)
    else:
        split = np.zeros((*pixels.shape, 3), np.uint8)
        split[..., 0], split[..., 1] = pixels >> 8, pixels & 255
        picture = Image.fromarray(split)
    out = BytesIO()
    picture.save(out, "PNG", compress_level=2)
    return out.getvalue()


def layer_png(evidence: Evidence, rows: int, columns: int) -> tuple[bytes, float]:
    """The evidence as a see-through PNG of the film's aspect, and the end of its colour scale in log-odds.

    Args:
        evidence: Of the reading.
        rows: Of the film as it was read.
        columns: Likewise.
    """
    scale = EVIDENCE_SIDE / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    out = BytesIO()
    Image.fromarray(evidence_layer(evidence, size, scale)).save(out, "PNG", compress_level=4)
    return out.getvalue(), scale_limit(evidence)
