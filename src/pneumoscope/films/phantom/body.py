"""The soft parts: how much tissue, and how much air, the beam meets at each place.

The chest is a shell around a cavity. In the cavity lie the heart, the mediastinum and the diaphragm with what
is below it; air fills the rest. So the shadows come from path lengths, and overlaps look right by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.phantom.canvas import blur, ramp

if TYPE_CHECKING:
    from pneumoscope.films.phantom.anatomy import Anatomy
    from pneumoscope.films.phantom.canvas import Grid, Layer

__all__ = ["Body", "cage_width", "lay_body"]

_CAGE_FOOT = 1.45  # y at which the cage is at its widest


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Path lengths of the soft parts, each float32 [rows, columns], in units of the body.

    Attributes:
        width: Not a path: half the inner width of the cage at each place.
        outer: Through the whole body, air or not.
        air: Through the lungs.
        cavity: Through the rib cage.
        heart: Through the heart.
        airway: Through the trachea and the main bronchi.
        gas: Through gas in the stomach.
        dome: How far below the diaphragm's edge a place is; negative is above.
    """

    width: Layer
    outer: Layer
    air: Layer
    cavity: Layer
    heart: Layer
    airway: Layer
    gas: Layer
    dome: Layer


def cage_width(y: Layer, anatomy: Anatomy) -> Layer:
    """Half the inner width of the cage at each height, for y as float32 [...]."""
    t = np.clip(y / _CAGE_FOOT, 0, 1)
    lobe = np.maximum(1 - (1 - t) ** anatomy.round_top, 0) ** (1 / 1.55)
    width: Layer = (anatomy.apex + (1 - anatomy.apex) * lobe).astype(np.float32)
    return width


def lay_body(grid: Grid, anatomy: Anatomy, *, flat: float = 0.0, deep: float = 0.0) -> Body:
    """Lay the soft parts of a child.

    Args:
        grid: The picture.
        anatomy: The child.
        flat: How much flatter the diaphragm is than the child's own, 0 to 1 (air trapping).
        deep: How much lower it stands, in units of the body.
    """
    x = grid.x - anatomy.lean * np.sin(2 * grid.y)
    y = grid.y
    across = np.abs(x)
    width = cage_width(y, anatomy)
    outer = _outline(x, y, anatomy, width)
    cavity = _cavity(across, y, anatomy, width=width, outer=outer)
    dome = _diaphragm(x, y, anatomy, flat, deep)
    # Behind the dome the lung reaches further down: the edge is a step, the rest a slope.
    below = ramp(dome, -0.006, 0.006) * (0.72 + 0.28 * ramp(dome, 0.0, 0.22))
    heart = _heart(x - 1.6 * anatomy.rotation, y, anatomy) * 0.74 * cavity
    middle = _mediastinum(x - anatomy.rotation, y, anatomy) * cavity
    filled = np.maximum(np.maximum(heart, middle), below * cavity)
    air = np.maximum(cavity - filled, 0)
    airway = _airway(grid, anatomy)
    return Body(
        width=width,
        outer=outer,
        air=air,
        cavity=cavity,
        heart=heart,
        airway=airway,
        gas=_gas(grid, anatomy, dome),
        dome=dome,
    )


def _outline(x: Layer, y: Layer, anatomy: Anatomy, cage: Layer) -> Layer:
    """Depth of trunk, neck, jaw and arms."""
    across = np.abs(x)
    narrowest = cage_width(np.array([0.75], dtype=np.float32), anatomy)
    width = np.maximum(cage, narrowest) + anatomy.wall * (0.85 + 0.35 * ramp(y, 0.6, 1.7))
    width = width + 0.16 * ramp(y, 0.85, 0.15)  # the muscles of the shoulder
    inside = np.maximum(1 - (across / width) ** 2.6, 0) ** 0.5
    slope = anatomy.shoulder - 0.06 - 0.34 * ramp(across, 1.05, 0.15)
    top = np.maximum(ramp(y - slope, -0.02, 0.36), 0) ** 0.6
    trunk = anatomy.depth * inside * (0.66 + 0.34 * ramp(y, -0.1, 0.75)) * top
    neck = 0.75 * np.maximum(1 - (across / 0.36) ** 2, 0) ** 0.5 * ramp(y, 0.5, 0.1)
    parts = np.maximum(trunk, neck)
    for side, angle in zip((-1, 1), anatomy.arms, strict=True):
        start = (side * 0.93, anatomy.shoulder + 0.17)
        arm = _limb(x, y, start, (side * cos(radians(angle)), sin(radians(angle))), thick=0.28, thin=0.19)
        parts = (parts**3 + (0.95 * arm) ** 3) ** np.float32(1 / 3)
    if anatomy.chin > -2:
        far = ((x - 2 * anatomy.rotation) / 0.62) ** 2 + ((y - anatomy.chin + 0.45) / 0.48) ** 2
        parts = parts + 0.50 * np.maximum(1 - far**2, 0) ** 0.7
    soft: Layer = parts.astype(np.float32)
    return soft


def _limb(
    x: Layer, y: Layer, start: tuple[float, float], along: tuple[float, float], *, thick: float, thin: float
) -> Layer:
    """Depth of a limb that starts somewhere and runs out of the picture, for half widths there and far off."""
    run = (x - start[0]) * along[0] + (y - start[1]) * along[1]
    off = np.abs((y - start[1]) * along[0] - (x - start[0]) * along[1])
    near = np.maximum(-run, 0)
    half = thick + (thin - thick) * np.clip(run / 0.7, 0, 1)
    depth: Layer = 2 * half * np.sqrt(np.maximum(1 - (off**2 + near**2) / half**2, 0))
    return depth


def _cavity(across: Layer, y: Layer, anatomy: Anatomy, *, width: Layer, outer: Layer) -> Layer:
    """Depth of the rib cage: two round tops, then one barrel."""
    aside = np.maximum(across - anatomy.apex, 0) / np.maximum(width - anatomy.apex, 1e-3)
    barrel = np.maximum(1 - aside**2.4, 0) ** 0.42
    under = y - 1.1 * np.maximum(anatomy.apex - across, 0) ** 2
    top = ramp(under, 0.0, 0.16) ** 0.6
    room = np.maximum(anatomy.depth * (0.66 + 0.34 * ramp(y, -0.1, 0.75)) - 0.27, 0)
    depth: Layer = np.minimum(barrel * top * room, np.maximum(outer - 0.05, 0)).astype(np.float32)
    return depth


def _diaphragm(x: Layer, y: Layer, anatomy: Anatomy, flat: float, deep: float) -> Layer:
    """How far below the diaphragm each place is."""
    fall = anatomy.dome_fall * (1 - 0.55 * flat)
    halves = []
    for side in (-1, 1):
        peak = anatomy.dome + deep + (anatomy.dome_gap if side > 0 else 0.0)
        out = side * x - 0.42
        halves.append(peak + np.where(out > 0, fall * np.abs(out / 0.58) ** 2.3, 0.02 * (out / 0.42) ** 2))
    left = ramp(x, -0.14, 0.14)  # the two halves meet behind the heart
    edge = halves[0] * (1 - left) + halves[1] * left
    below: Layer = (y - edge).astype(np.float32)
    return below


def _heart(x: Layer, y: Layer, anatomy: Anatomy) -> Layer:
    """Share of the cavity's depth that the heart and its great vessels take."""
    floor = anatomy.dome + anatomy.dome_gap
    size = anatomy.heart
    c, s = cos(anatomy.heart_turn), sin(anatomy.heart_turn)

    def ball(cx: float, cy: float, a: float, b: float, turned: bool = False) -> Layer:
        p, q = x - cx, y - cy
        if turned:
            p, q = p * c + q * s, q * c - p * s
        depth: Layer = np.maximum(1 - (p / a) ** 2 - (q / b) ** 2, 0)
        return depth

    parts = (
        ball(0.16 * size, floor - 0.30 * size, 0.52 * size, 0.37 * size, turned=True),
        ball(-0.09 * size, floor - 0.31 * size, 0.25 * size, 0.34 * size),
        0.9 * ball(0.13, floor - 0.60 * size, 0.23 * size, 0.36 * size),
        0.6 * ball(0.12, floor - 0.95, 0.15, 0.16),
    )
    total = sum(part**2 for part in parts)
    joined: Layer = np.minimum(np.asarray(total, dtype=np.float32), 1.0) ** np.float32(0.25)
    return joined


def _mediastinum(x: Layer, y: Layer, anatomy: Anatomy) -> Layer:
    """Share of the cavity's depth that the great vessels, the thymus and the spine's soft parts take."""
    across = np.abs(x)
    half = 0.215 + 0.10 * np.exp(-np.maximum(y, 0) / 0.12)
    column = np.maximum(1 - (across / half) ** 4, 0) ** 0.5
    if anatomy.thymus > 0.1:
        wide = 0.24 + 0.14 * min(anatomy.thymus, 1.3)
        lobe = np.where(x < 0, -x / wide, x / (wide * 0.92)) ** 2 + ((y - 0.40) / 0.34) ** 2
        column = np.maximum(column, 0.45 * np.maximum(1 - lobe, 0) ** 0.35)
    spine = 0.30 * np.maximum(1 - (across / 0.16) ** 4, 0) ** 0.5
    share: Layer = np.maximum(column * ramp(y, 1.5, 0.7) * 0.62, spine).astype(np.float32)
    return share


def _airway(grid: Grid, anatomy: Anatomy) -> Layer:
    """Depth of the air in the trachea and the main bronchi."""
    shift = 0.8 * anatomy.rotation
    fork = 0.56
    stamp = grid.stamp(fine=False)
    stamp.tubes([(shift, -0.6), (shift - 0.01, 0.1), (shift - 0.02, fork + 0.03)], 0.11, 1.0)
    stamp.tubes([(shift - 0.02, fork - 0.03), (shift - 0.13, fork + 0.13), (shift - 0.23, fork + 0.24)], 0.075, 0.8)
    stamp.tubes([(shift - 0.02, fork - 0.03), (shift + 0.12, fork + 0.12), (shift + 0.27, fork + 0.22)], 0.065, 0.8)
    return np.float32(0.22) * blur(stamp.array(), 0.018 * grid.unit)


def _gas(grid: Grid, anatomy: Anatomy, dome: Layer) -> Layer:
    """Depth of the gas in the stomach, under the left half of the diaphragm."""
    if anatomy.gas <= 0:
        return np.zeros_like(dome)
    stamp = grid.stamp(fine=False)
    size = anatomy.gas
    middle = anatomy.dome + anatomy.dome_gap + 0.10 + 0.12 * size
    stamp.ellipses((0.50, middle), (0.28 * size, 0.13 * size), 0.8, 0.25)
    stamp.ellipses((0.28, middle + 0.20), (0.16 * size, 0.08 * size), 0.5, -0.3)
    return np.float32(0.40) * blur(stamp.array(), 0.022 * grid.unit) * ramp(dome, 0.03, 0.08)
