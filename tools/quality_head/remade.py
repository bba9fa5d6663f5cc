"""Chest films made unfit: tiled, swirled, cut, tilted, on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from quality_head.canvas import SIDE, Picture, axes, cloud, scaled, warped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "corner",
    "half",
    "kaleidoscope",
    "lower_part",
    "on_a_page",
    "one_lung",
    "phases",
    "polar",
    "quarter",
    "several",
    "sheet_of_six",
    "strips",
    "swapped",
    "swirl",
    "tiles",
    "tilted",
    "upper_part",
    "with_text",
]


def resized(picture: NDArray[np.floating], rows: int = SIDE, columns: int = SIDE) -> Picture:
    """Resample to another size."""
    fine = Image.fromarray(np.ascontiguousarray(picture, dtype=np.float32))
    return np.asarray(fine.resize((columns, rows), Image.Resampling.BILINEAR), dtype=np.float32)


def _part(film: Picture, top: float, left: float, bottom: float, right: float) -> Picture:
    """A part of a film (0..1 of it), stretched to a whole picture."""
    rows, columns = film.shape
    cut = film[int(top * rows) : max(int(bottom * rows), 1), int(left * columns) : max(int(right * columns), 1)]
    return resized(cut)


def tiles(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film cut into tiles that are shuffled, some of them turned."""
    count = int(rng.integers(2, 7))
    film = resized(films[0], count * (SIDE // count), count * (SIDE // count))
    side = SIDE // count
    parts = film.reshape(count, side, count, side).swapaxes(1, 2).reshape(-1, side, side)
    parts = parts[rng.permutation(len(parts))]
    if rng.random() < 0.5:
        parts = np.stack([np.rot90(part, int(rng.integers(4))) for part in parts])
    return parts.reshape(count, count, side, side).swapaxes(1, 2).reshape(count * side, -1)


def phases(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film's spectrum with other phases: its texture without its things."""
    film = resized(films[0])
    amplitude = np.abs(np.fft.rfft2(film))
    phase = np.angle(np.fft.rfft2(rng.normal(size=film.shape)))
    return scaled(np.fft.irfft2(amplitude * np.exp(1j * phase), s=film.shape))


def swirl(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film as through moving water, or wound up."""
    film = resized(films[0])
    x, y = axes()
    if rng.random() < 0.5:
        turn = rng.choice([-1, 1]) * rng.uniform(2.0, 6.0) * np.exp(-(x**2 + y**2) / rng.uniform(0.3, 0.9))
        return warped(film, y * np.cos(turn) + x * np.sin(turn), x * np.cos(turn) - y * np.sin(turn))
    reach = rng.uniform(0.5, 1.1)
    return warped(film, y + reach * (cloud(rng, 2.2) - 0.5) * 2, x + reach * (cloud(rng, 2.2) - 0.5) * 2)


def kaleidoscope(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """A quarter of the film, mirrored both ways."""
    film = resized(films[0])
    top, left = rng.integers(0, SIDE // 2, 2)
    part = film[top : top + SIDE // 2, left : left + SIDE // 2]
    wide = np.concatenate([part, part[:, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]], axis=0)


def polar(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film bent to a ring, or unrolled."""
    film = resized(films[0])
    x, y = axes()
    if rng.random() < 0.5:
        return warped(film, np.hypot(x, y) * 2 - 1, np.arctan2(y, x) / np.pi)
    return warped(film, (x + 1) * 0.5 * np.sin(y * np.pi), (x + 1) * 0.5 * np.cos(y * np.pi))


def strips(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film cut into strips along one side, shuffled."""
    film = resized(films[0])
    count = int(rng.integers(3, 9))
    cuts = np.array_split(film, count, axis=int(rng.integers(2)))
    axis = 0 if cuts[0].shape[1] == SIDE else 1
    return resized(np.concatenate([cuts[i] for i in _other_order(rng, count)], axis=axis))


def swapped(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film's halves change places: the spine at the edges, or the belly above the neck."""
    return np.roll(resized(films[0]), SIDE // 2 + int(rng.integers(-12, 12)), axis=int(rng.integers(2)))


def one_lung(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """One side of the film up to the spine."""
    middle = rng.uniform(0.38, 0.52)
    top, bottom = rng.uniform(0, 0.12), rng.uniform(0.85, 1)
    if rng.random() < 0.5:
        return _part(films[0], top, 0, bottom, middle)
    return _part(films[0], top, 1 - middle, bottom, 1)


def quarter(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """One quarter of the film."""
    down, across = rng.uniform(0.42, 0.56, 2)
    top, left = rng.choice([0.0, 1.0], 2)
    return _part(films[0], top * (1 - down), left * (1 - across), top * (1 - down) + down, left * (1 - across) + across)


def corner(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """A small part of the film from anywhere."""
    side = rng.uniform(0.22, 0.42)
    top, left = rng.uniform(0, 1 - side, 2)
    return _part(films[0], top, left, top + side, left + side)


def half(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The film without a third to a half of its width, on either side."""
    keep = rng.uniform(0.5, 0.64)
    left = rng.choice([0.0, 1 - keep])
    return _part(films[0], 0, left, 1, left + keep)


def upper_part(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The upper third to half: neck, shoulders, tops of the lungs."""
    return _part(films[0], 0, 0, rng.uniform(0.3, 0.48), 1)


def lower_part(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """The lower third to half: bases of the lungs, belly."""
    return _part(films[0], rng.uniform(0.52, 0.7), 0, 1, 1)


def tilted(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """Turned by 32 to 58 degrees either way, the corners black."""
    gray = Image.fromarray(resized(films[0]))
    return np.asarray(
        gray.rotate(rng.choice([-1, 1]) * rng.uniform(32, 58), Image.Resampling.BILINEAR), dtype=np.float32
    )


def on_a_page(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """A small film on an even ground of any gray."""
    page = np.full((SIDE, SIDE), rng.choice([0.0, 1.0, rng.uniform(0, 1)]), dtype=np.float32)
    high, wide = (rng.uniform(0.3, 0.62, 2) * SIDE).astype(int)
    top, left = int(rng.uniform(0, SIDE - high)), int(rng.uniform(0, SIDE - wide))
    page[top : top + high, left : left + wide] = resized(films[0], high, wide)
    return page


def several(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """Two films side by side or one above the other, or four, with a seam at times."""
    down, across = ((1, 2), (2, 1), (2, 2), (1, 3))[int(rng.choice(4, p=[0.4, 0.25, 0.25, 0.1]))]
    return _sheet(rng, films, down, across)


def sheet_of_six(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """Two rows of three films, or three rows of two, or three of three."""
    down, across = ((2, 3), (3, 2), (3, 3))[int(rng.integers(3))]
    return _sheet(rng, films, down, across)


def with_text(rng: np.random.Generator, films: Sequence[Picture]) -> Picture:
    """A report: a film beside or above lines of words."""
    from quality_head.scenes import page  # noqa: PLC0415 - scenes are no part of films otherwise

    words = page(rng)
    film = resized(films[0], SIDE // 2, SIDE // 2)
    top, left = int(rng.choice([0, SIDE // 2])), int(rng.choice([0, SIDE // 4, SIDE // 2]))
    words = np.array(words)
    words[top : top + SIDE // 2, left : left + SIDE // 2] = film
    return words


def _sheet(rng: np.random.Generator, films: Sequence[Picture], down: int, across: int) -> Picture:
    seam = int(rng.choice([0, 0, 2, 6]))
    page = np.full((SIDE, SIDE), rng.choice([0.0, 1.0]), dtype=np.float32)
    high, wide = SIDE // down, SIDE // across
    for place in range(down * across):
        top, left = place // across * high, place % across * wide
        film = films[place % len(films)] if rng.random() < 0.8 else films[0][:, ::-1]
        page[top + seam : top + high - seam, left + seam : left + wide - seam] = resized(
            film, high - 2 * seam, wide - 2 * seam
        )
    return page


def _other_order(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """A permutation that moves most."""
    while True:
        order = rng.permutation(count)
        if (order != np.arange(count)).mean() > 0.6:
            return order
