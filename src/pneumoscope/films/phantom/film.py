"""From path lengths to gray values: the beam, its scatter, the film's curve, its noise and what lies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.phantom.canvas import blur

if TYPE_CHECKING:
    from pneumoscope.films.phantom.anatomy import Exposure
    from pneumoscope.films.phantom.canvas import Grid, Layer

__all__ = ["expose", "put_on"]

_LETTERS = {
    "R": (
        [(0.00, 0.0), (0.20, 0.0), (0.20, 1.0), (0.00, 1.0)],
        [(0.10, 0.0), (0.45, 0.0), (0.62, 0.06), (0.70, 0.17), (0.70, 0.34), (0.62, 0.46), (0.45, 0.54),
         (0.10, 0.54), (0.10, 0.41), (0.40, 0.41), (0.49, 0.36), (0.51, 0.29), (0.51, 0.23), (0.48, 0.17),
         (0.40, 0.14), (0.10, 0.14)],
        [(0.28, 0.48), (0.48, 0.48), (0.74, 1.0), (0.52, 1.0)],
    ),
    "L": ([(0.0, 0.0), (0.20, 0.0), (0.20, 0.85), (0.62, 0.85), (0.62, 1.0), (0.0, 1.0)],),
}  # fmt: skip
"""Outlines in a box one high. Drawn here, because fonts differ between machines and films must not."""


def expose(
    attenuation: Layer,
    added: Layer,
    grid: Grid,
    exposure: Exposure,
    rng: np.random.Generator,
) -> Layer:
    """Expose and develop a film.

    The gray is a logistic function of the logarithm of the exposure, which is the shape of the characteristic
    curve of Hurter and Driffield (Journal of the Society of Chemical Industry 9 (1890) 455). Scatter is that of
    the healthy chest, so that a lesion changes its own place and no other.

    Args:
        attenuation: float32 [rows, columns], of the healthy chest.
        added: float32 [rows, columns], of the lesion.
        grid: The picture.
        exposure: How the film is taken.
        rng: For the noise.

    Returns:
        float32 [rows, columns], 0 black to 1 white.
    """
    healthy = np.exp(-2.0 * attenuation)
    scattered = exposure.scatter * blur(healthy, 0.22 * grid.unit)
    primary = healthy * np.exp(-2.0 * added)
    dose = primary + scattered
    grains = rng.standard_normal(dose.shape, dtype=np.float32)
    grains = 0.75 * grains + 0.9 * blur(grains, 0.7)
    # Fewer quanta behind dense parts, so more noise there; the reference dose is that of the lungs.
    dose = dose * (1 + exposure.quanta * grains * np.sqrt(0.3 / (dose + 0.03)))
    fall = exposure.vignette[0] * (grid.x - 0.0) + exposure.vignette[1] * (grid.y - 0.7)
    density = -0.5 * np.log(np.maximum(dose, 1e-4)) + fall.astype(np.float32)
    if exposure.lines > 0:
        density = density + exposure.lines * np.cos(np.arange(grid.rows, dtype=np.float32) * 2.1)[:, None]
    gray = 1 / (1 + np.exp(-exposure.contrast * (density - exposure.speed)))
    floor = 1 / (1 + np.exp(exposure.contrast * exposure.speed))
    developed: Layer = np.clip(exposure.base + (gray - floor) * 0.95 / (1 - floor), 0, 1)
    return developed.astype(np.float32)


def put_on(gray: Layer, grid: Grid, exposure: Exposure, rng: np.random.Generator) -> Layer:
    """Put the marker, cables and borders on a film; float32 [rows, columns], 0 to 1, in and out."""
    if exposure.electrodes:
        gray = _electrodes(gray, grid, exposure.electrodes, rng)
    rows, columns = gray.shape
    left, top, right, bottom = exposure.collimation
    gray = gray.copy()
    gray[: round(top * rows)] = 0
    gray[rows - round(bottom * rows) :] = 0
    gray[:, : round(left * columns)] = 0
    gray[:, columns - round(right * columns) :] = 0
    if exposure.marker:
        stamp = grid.stamp()
        high = exposure.marker_size * rows
        corner = np.array((exposure.marker_place[0] * columns - 0.35 * high, exposure.marker_place[1] * rows))
        for shape in _LETTERS[exposure.marker]:
            stamp.polygons_in_pixels(corner + np.array(shape) * high, 1.0)
        ink = stamp.array()
        gray = gray * (1 - ink) + 0.97 * ink
    return gray


def _electrodes(gray: Layer, grid: Grid, count: int, rng: np.random.Generator) -> Layer:
    """Electrodes with their cables: metal, so nearly white."""
    stamp = grid.stamp()
    seats = [(-0.85, 0.05), (0.82, 0.08), (0.75, 1.35)]
    for seat in [seats[k] for k in rng.permutation(3)[:count]]:
        x, y = seat[0] + 0.1 * rng.uniform(-1, 1), seat[1] + 0.1 * rng.uniform(-1, 1)
        t = np.linspace(0, 1, 24)
        side = 1 if x > 0 else -1
        bend = rng.uniform(-0.4, 0.4)
        cable = np.stack([x + side * 0.9 * t, y + bend * np.sin(3 * t) + 0.5 * t**2], axis=1)
        stamp.tubes(cable, 0.014, 0.40)
        stamp.ellipses((x, y), (0.060, 0.052), 0.35)
        stamp.ellipses((x, y), (0.045, 0.038), 0.20)
        stamp.ellipses((x, y), (0.022, 0.020), 0.75)
    ink = stamp.array()
    return (gray + (1 - gray) * ink).astype(np.float32)
