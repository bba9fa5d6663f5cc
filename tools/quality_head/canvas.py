"""A canvas for pictures that are drawn: shapes, clouds, exposure."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

__all__ = [
    "SIDE",
    "Lobes",
    "Picture",
    "axes",
    "blob",
    "bone",
    "capsule",
    "cloud",
    "dried",
    "exposed",
    "finished",
    "ink",
    "scaled",
    "smooth",
    "warped",
]

Picture: TypeAlias = NDArray[np.floating[Any]]
"""float32 [SIDE, SIDE]; gray from 0 to 1 when it is finished, a thickness of tissue while it is drawn."""

Lobes: TypeAlias = "list[tuple[float, float]] | tuple[tuple[float, float], ...]"
"""(share, phase) of the waves along an outline."""

SIDE = 160
"""Pixels: more than the 128 that the gate sees, so that what is drawn goes through a resampling as films do."""

_FINE = 2  # outlines are drawn at twice the size, which keeps their edges soft


def axes() -> tuple[Picture, Picture]:
    """X and y of each pixel, -1 to 1, y downwards."""
    place = ((np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE) * 2 - 1
    return np.broadcast_to(place[None, :], (SIDE, SIDE)), np.broadcast_to(place[:, None], (SIDE, SIDE))


def scaled(values: NDArray[np.floating]) -> Picture:
    """Stretched to 0..1; a picture of one value comes out black."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low if high > low else 1.0)).astype(np.float32)


def finished(values: NDArray[np.floating[Any]]) -> Picture:
    """Held to 0..1, float32."""
    held: Picture = np.clip(values, 0, 1).astype(np.float32)
    return held


def smooth(picture: NDArray[np.floating], sigma: float) -> Picture:
    """Gaussian blur that wraps round at the edges; sigma in pixels."""
    down, across = np.fft.fftfreq(picture.shape[0]), np.fft.rfftfreq(picture.shape[1])
    fall = np.exp(-2 * (np.pi * sigma) ** 2 * (down[:, None] ** 2 + across[None, :] ** 2))
    soft: Picture = np.fft.irfft2(np.fft.rfft2(picture) * fall, s=picture.shape).astype(np.float32)
    return soft


def cloud(rng: np.random.Generator, power: float) -> Picture:
    """A random field whose amplitude falls with frequency as f^-power, 0..1: 0 is white noise, 1 like photographs."""
    across = np.fft.rfftfreq(SIDE)
    down = np.fft.fftfreq(SIDE)
    frequency = np.hypot(down[:, None], across[None, :])
    frequency[0, 0] = 1.0
    white = rng.normal(size=(2, *frequency.shape))
    return scaled(np.fft.irfft2((white[0] + 1j * white[1]) * frequency**-power, s=(SIDE, SIDE)))


def capsule(start: ArrayLike, end: ArrayLike, radius: float, swell: float = 0.0) -> Picture:
    """Thickness of a round bar between two points (x, y), whose ends swell: its half-chord along the beam."""
    x, y = axes()
    (x0, y0), (x1, y1) = np.asarray(start, dtype=float).tolist(), np.asarray(end, dtype=float).tolist()
    length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-6)
    along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
    distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
    wide = radius * (1 + swell * (2 * along - 1) ** 4)
    thick: Picture = np.sqrt(np.maximum(wide**2 - distance**2, 0)).astype(np.float32)
    return thick


def bone(start: ArrayLike, end: ArrayLike, radius: float, swell: float = 0.4, shell: float = 0.35) -> Picture:
    """A long bone: a dense shell about a spongy core, so that its edges are the brightest."""
    outer = capsule(start, end, radius, swell)
    return outer - (1 - shell) * capsule(start, end, radius * (1 - shell), swell)


def blob(  # noqa: PLR0917 - place, size, turn, as one writes an ellipse
    x0: float, y0: float, wide: float, high: float, turn: float = 0.0, wave: Lobes = ()
) -> Picture:
    """Thickness of an ellipsoid about (x0, y0), 1 at its middle; ``wave`` adds (share, phase) of 2, 3, ... lobes."""
    x, y = axes()
    c, s = np.cos(turn), np.sin(turn)
    u, v = ((x - x0) * c + (y - y0) * s) / wide, ((y - y0) * c - (x - x0) * s) / high
    angle = np.arctan2(v, u)
    rim = np.ones_like(angle)
    for k, (share, phase) in enumerate(wave):
        rim = rim + share * np.cos((k + 2) * angle + phase)
    thick: Picture = np.sqrt(np.maximum(1 - (u**2 + v**2) / rim**2, 0)).astype(np.float32)
    return thick


def exposed(rng: np.random.Generator, thickness: NDArray[np.floating]) -> Picture:
    """What a film shows of a thickness of tissue: saturation, scatter, grain, at times a collimated edge."""
    thickness = thickness * (rng.uniform(0.7, 2.6) / max(float(np.percentile(thickness, 99)), 1e-3))
    scatter = smooth(thickness, SIDE * rng.uniform(0.03, 0.1))
    dose = np.exp(-(thickness + rng.uniform(0, 0.3) * scatter))
    gray = 1 - dose / max(float(dose.max()), 1e-6)
    gray = gray ** rng.uniform(0.7, 1.4) + rng.uniform(0, 0.12) * (cloud(rng, 1.3) - 0.5)
    gray = gray + rng.normal(size=gray.shape) * rng.uniform(0, 0.03)
    if rng.random() < 0.3:
        x, y = axes()
        open_x, open_y = rng.uniform(0.7, 1.0, 2)
        gray = np.where((np.abs(x) < open_x) & (np.abs(y) < open_y), gray, 0)
    return finished(gray)


def ink() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A fine black sheet to draw on and its pen; coordinates 0 to ``_FINE * SIDE``."""
    sheet = Image.new("L", (_FINE * SIDE, _FINE * SIDE))
    return sheet, ImageDraw.Draw(sheet)


def dried(sheet: Image.Image) -> Picture:
    """The sheet as a picture."""
    return np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float32) / 255


def warped(picture: NDArray[np.floating], rows: NDArray[np.floating], columns: NDArray[np.floating]) -> Picture:
    """Take each pixel from elsewhere (-1..1), bilinear, held at the edges."""
    size = picture.shape[0]
    v = np.clip((rows + 1) / 2 * size - 0.5, 0, size - 1.001)
    u = np.clip((columns + 1) / 2 * size - 0.5, 0, size - 1.001)
    top, left = v.astype(int), u.astype(int)
    dv, du = v - top, u - left
    upper = picture[top, left] * (1 - du) + picture[top, left + 1] * du
    lower = picture[top + 1, left] * (1 - du) + picture[top + 1, left + 1] * du
    taken: Picture = (upper * (1 - dv) + lower * dv).astype(np.float32)
    return taken
