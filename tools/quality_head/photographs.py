"""Films as photographed on a viewing box or a screen."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GROUNDS", "Ground", "as_photograph"]

Ground = Literal["black", "white", "gray", "light box", "table", "scanner"]
"""What a film lies on. "scanner": in a frame of the film's own size, so that its corners are lost."""

GROUNDS: tuple[Ground, ...] = get_args(Ground)

_WIDE, _HIGH = (600, 760), 600  # pixels of the photograph
_GRAIN = 2.0  # gray levels, standard deviation
_VIGNETTE = 0.3  # darkening per squared distance from the middle, in sides
_QUALITY = 85  # of the JPEG


def as_photograph(
    film: NDArray[np.uint8], degrees: float, ground: Ground, rng: np.random.Generator, *, share: float | None = None
) -> NDArray[np.uint8]:
    """A photograph of a film: tilted, on a ground, vignetted, with grain, coded as JPEG.

    Args:
        film: uint8 [H, W].
        degrees: Tilt, counter-clockwise.
        ground: What it lies on.
        rng: For all that is left to chance.
        share: How large the film is, as a share of what fits; drawn from 0.66 to 0.96 if it is not given.

    Returns:
        uint8 [600, 600 or 760], or of the film's size for "scanner".
    """
    if ground == "scanner":
        paper = int(rng.choice([0, 255]))
        return np.asarray(Image.fromarray(film).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=paper))
    rows, columns = _HIGH, int(rng.choice(_WIDE))
    cosine, sine = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
    wide, high = film.shape[1] * cosine + film.shape[0] * sine, film.shape[0] * cosine + film.shape[1] * sine
    scale = min(columns / wide, rows / high) * (rng.uniform(0.66, 0.96) if share is None else share)
    size = (int(film.shape[1] * scale), int(film.shape[0] * scale))
    laid, cover = (
        layer.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        for layer in (Image.fromarray(film).resize(size, Image.Resampling.LANCZOS), Image.new("L", size, 255))
    )
    left, top = (
        int((room - taken) / 2 + rng.uniform(-0.4, 0.4) * max(room - taken, 0))
        for room, taken in ((columns, laid.width), (rows, laid.height))
    )
    page, where = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    page.paste(laid, (left, top))
    where.paste(cover, (left, top))
    covered = np.asarray(where, dtype=np.float64) / 255
    seen = np.asarray(page) * covered + _ground(ground, rows, columns, rng) * (1 - covered)
    across, down = np.linspace(-0.5, 0.5, columns), np.linspace(-0.5, 0.5, rows)[:, None]
    seen = seen * (1 - _VIGNETTE * (across**2 + down**2)) + rng.normal(0, _GRAIN, seen.shape)
    coded = BytesIO()
    Image.fromarray(np.clip(np.rint(seen), 0, 255).astype(np.uint8)).save(coded, "JPEG", quality=_QUALITY)
    return np.asarray(Image.open(coded))


def _ground(ground: Ground, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What is seen beside the film, 0 to 255."""
    if ground == "light box":
        middle = rng.uniform(0.3, 0.7, 2)
        down, across = np.linspace(0, 1, rows)[:, None] - middle[0], np.linspace(0, 1, columns) - middle[1]
        away = np.hypot(down, across)
        glow: NDArray[np.float64] = np.clip(255 - 120 * away**2 - 30 * away, 0, 255)
        rail = int(rng.uniform(0.03, 0.12) * rows)
        glow[:rail] = glow[rows - rail :] = 40
        return glow
    if ground == "table":
        grown = np.zeros((rows, columns))
        for cells in (8, 16, 48, 120):
            coarse = Image.fromarray(rng.random((cells, cells)).astype(np.float32))
            fine = np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC), dtype=np.float64)
            grown += fine * 60 / (cells / 8) ** 0.3
        clipped: NDArray[np.float64] = np.clip(grown, 0, 255)
        return clipped
    low, high = {"black": (0, 12), "white": (235, 255)}.get(ground, (60, 190))
    return np.full((rows, columns), rng.uniform(low, high))
