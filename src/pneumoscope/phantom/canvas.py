"""The grid that a phantom is drawn on: coordinates, anti-aliased shapes, blur and noise.

The body's unit is half the inner width of the rib cage. x grows to the picture's right (the patient's
left), with 0 at the spine; y grows downwards, with 0 at the top of the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, radians, sin
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["Grid", "Layer", "Stamp", "blur", "noise", "ramp", "tube"]

Layer: TypeAlias = NDArray[np.floating[Any]]
"""A picture in the making: float32 [rows, columns]."""

_CIRCLE = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)
_NOISE_SPAN = 4.0  # units of the body; wider than any usual picture
_FINE = 900  # pictures with fewer rows are stamped at twice their size, so that thin things stay smooth


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A picture, and where the body lies in it.

    Attributes:
        unit: Pixels in one unit of the body.
        x: float32 [rows, columns], the body's x at each pixel.
        y: float32 [rows, columns], likewise.
        origin: Column and row of the body's (0, 0).
        tilt: Radians by which the body leans, clockwise.
    """

    unit: float
    x: Layer
    y: Layer
    origin: tuple[float, float]
    tilt: float

    @classmethod
    def lay(cls, rows: int, columns: int, *, unit: float, origin: tuple[float, float], tilt: float) -> Grid:
        """Lay the body in a picture.

        Args:
            rows: Height in pixels.
            columns: Width in pixels.
            unit: Pixels in one unit of the body.
            origin: Column and row of the body's (0, 0).
            tilt: Degrees by which the body leans, clockwise.
        """
        turn = radians(tilt)
        across = (np.arange(columns, dtype=np.float32)[None, :] + 0.5 - origin[0]) / unit
        down = (np.arange(rows, dtype=np.float32)[:, None] + 0.5 - origin[1]) / unit
        x = (across * cos(turn) + down * sin(turn)).astype(np.float32)
        y = (down * cos(turn) - across * sin(turn)).astype(np.float32)
        return cls(unit=unit, x=x, y=y, origin=origin, tilt=turn)

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.x.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.x.shape[1])

    def place(self, points: ArrayLike) -> NDArray[np.float64]:
        """Column and row of points of the body, [..., 2]; a pixel's centre is at whole numbers."""
        c, s = cos(self.tilt) * self.unit, sin(self.tilt) * self.unit
        placed: NDArray[np.float64] = np.asarray(points) @ np.array([[c, s], [-s, c]]) + (np.array(self.origin) - 0.5)
        return placed

    def stamp(self, *, fine: bool = True) -> Stamp:
        """An empty layer to draw hard-edged things on; those that are blurred anyway need not be fine."""
        return Stamp(self, fine=fine)


class Stamp:
    """A layer of hard-edged shapes; what is drawn later covers what was drawn before."""

    def __init__(self, grid: Grid, *, fine: bool = True) -> None:
        self._grid = grid
        self._fine = 2 if fine and grid.rows < _FINE else 1
        self._image = Image.new("F", (grid.columns * self._fine, grid.rows * self._fine))
        self._pen = ImageDraw.Draw(self._image)

    def polygons(self, points: ArrayLike, value: float) -> None:
        """Fill polygons, given as [..., n, 2] in the body's coordinates."""
        self.polygons_in_pixels(self._grid.place(points), value)

    def polygons_in_pixels(self, points: NDArray[np.float64], value: float | list[float]) -> None:
        """Fill polygons given by pixel columns and rows, [..., n, 2], with one value or one for each."""
        placed = (points + 0.5) * self._fine - 0.5
        outlines = placed.reshape(-1, placed.shape[-2] * 2).tolist()
        values = value if isinstance(value, list) else [value] * len(outlines)
        for outline, each in zip(outlines, values, strict=True):
            self._pen.polygon(outline, fill=each)

    def ellipses(self, centres: ArrayLike, axes: tuple[float, float], value: float, turn: float = 0.0) -> None:
        """Fill ellipses round ``centres`` [..., 2] with half axes ``axes``, turned by ``turn`` radians clockwise."""
        c, s = cos(turn), sin(turn)
        shape = (_CIRCLE * axes) @ np.array([[c, s], [-s, c]])
        self.polygons(np.asarray(centres, dtype=np.float64)[..., None, :] + shape, value)

    def tubes(self, paths: ArrayLike, widths: ArrayLike, values: ArrayLike) -> None:
        """Fill bands along paths; a band thinner than a pixel fades instead of vanishing.

        Args:
            paths: [..., n, 2] in the body's coordinates.
            widths: [..., n], or anything that broadcasts to it.
            values: [...], what the layer holds inside each band, or anything that broadcasts to it.
        """
        paths = np.asarray(paths, dtype=np.float64)
        widths = np.broadcast_to(np.asarray(widths, dtype=np.float64), paths.shape[:-1])
        pixel = 1.0 / (self._grid.unit * self._fine)
        fade = np.minimum(1.0, widths.mean(axis=-1) / pixel) * np.asarray(values, dtype=np.float64)
        outlines = tube(paths, np.maximum(widths, pixel))
        self.polygons_in_pixels(self._grid.place(outlines), fade.ravel().tolist())

    def array(self) -> Layer:
        """The layer: float32 [rows, columns]."""
        image = self._image.reduce(self._fine) if self._fine > 1 else self._image
        return np.asarray(image, dtype=np.float32)


def tube(paths: NDArray[np.float64], widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outlines of bands along paths: [..., n, 2] and widths [..., n] to float64 [..., 2 n, 2]."""
    along = np.empty_like(paths)
    along[..., 1:-1, :] = paths[..., 2:, :] - paths[..., :-2, :]
    along[..., 0, :] = paths[..., 1, :] - paths[..., 0, :]
    along[..., -1, :] = paths[..., -1, :] - paths[..., -2, :]
    length = np.hypot(along[..., 0], along[..., 1])
    half = widths / (2 * np.maximum(length, 1e-9))
    side = np.stack([-along[..., 1] * half, along[..., 0] * half], axis=-1)
    return np.concatenate([paths + side, (paths - side)[..., ::-1, :]], axis=-2)


def blur(layer: Layer, sigma: float) -> Layer:
    """Blur by a bell of ``sigma`` pixels; wide ones are made on a smaller picture.

    Args:
        layer: float32 [rows, columns].
        sigma: Standard deviation, in pixels; 0 changes nothing.
    """
    if sigma < 0.2:
        return layer
    rows, columns = layer.shape
    step = int(sigma / 2)
    if step >= 2:
        small = Image.fromarray(layer).resize((max(2, columns // step), max(2, rows // step)), Image.Resampling.BOX)
        soft = blur(np.asarray(small), sigma / step)
        return np.asarray(Image.fromarray(soft).resize((columns, rows), Image.Resampling.BICUBIC))
    reach = max(1, round(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(layer, pad, mode="edge")
        size = layer.shape[axis]
        parts = (padded[k : k + size] if axis == 0 else padded[:, k : k + size] for k in range(2 * reach + 1))
        total = np.zeros_like(layer)
        for weight, part in zip(weights, parts, strict=True):
            total += weight * part
        layer = total
    return layer


def noise(rng: np.random.Generator, grid: Grid, sizes: Sequence[float], falloff: float = 0.6) -> Layer:
    """Smooth noise, the same in the body at any picture size: float32 [rows, columns], about unit variance.

    Args:
        rng: Where the chance comes from.
        grid: The picture.
        sizes: Grain of each octave, in units of the body.
        falloff: Strength of each octave relative to the one before.
    """
    total = np.zeros((grid.rows, grid.columns), dtype=np.float32)
    power = 0.0
    for octave, size in enumerate(sizes):
        down, across = grid.rows / grid.unit / size, grid.columns / grid.unit / size
        # More grains than are seen, always as many, so that another picture size has the same ones.
        least = ceil(_NOISE_SPAN / size)
        grains = rng.standard_normal((max(least, ceil(down)), max(least, ceil(across))), dtype=np.float32)
        weight = falloff**octave
        seen = Image.fromarray(grains).resize(
            (grid.columns, grid.rows), Image.Resampling.BICUBIC, box=(0.0, 0.0, across, down)
        )
        total += weight * np.asarray(seen, dtype=np.float32)
        power += weight**2 * 0.5
    return total / np.float32(power**0.5)


def ramp(value: Layer, low: float, high: float) -> Layer:
    """0 below ``low``, 1 above ``high`` and smooth between (``low`` may be the larger)."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Layer = (t * t * (3 - 2 * t)).astype(np.float32, copy=False)
    return smooth
