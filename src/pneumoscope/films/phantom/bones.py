"""The bones: ribs that run round the chest, the spine, clavicles, scapulae, arms and jaw."""

from __future__ import annotations

from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.phantom.body import cage_width
from pneumoscope.films.phantom.canvas import blur, ramp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.films.phantom.anatomy import Anatomy
    from pneumoscope.films.phantom.canvas import Grid, Layer

__all__ = ["lay_bones", "rib_path"]

_RIBS = 12
_LONG_RIBS = 10  # those that come round the side
_FRONT_RIBS = 10  # the last two have no front part
_STEPS = 22
_TURN = 13  # the point of a rib's path where it has come round the side
_VERTEBRA = np.array(
    [(0.84, -1), (1, -0.84), (0.91, 0), (1, 0.84), (0.84, 1), (0, 0.90),
     (-0.84, 1), (-1, 0.84), (-0.91, 0), (-1, -0.84), (-0.84, -1), (0, -0.90)]
)  # fmt: skip
"""Outline of a vertebral body in a box from -1 to 1: waisted, with blunt corners and hollow end plates."""
_BLADE = ((0.68, 0.02), (0.93, 0.10), (0.97, 0.20), (0.92, 0.44), (0.84, 0.68), (0.77, 0.64), (0.68, 0.30))


def rib_path(number: int, side: int, anatomy: Anatomy) -> NDArray[np.float64]:
    """A rib's middle line from the spine round the side to its front end.

    It is a half circle seen from the front: its plane falls forward, so that the back part runs outward and the
    front part comes back lower down.

    Args:
        number: 1 at the top to 12.
        side: -1 for the patient's right, 1 for the left.
        anatomy: The child.

    Returns:
        float64 [22, 2] in the body's coordinates.
    """
    reach = {1: 2.35, 2: 2.45}.get(number, 2.58 - 0.03 * number)
    half_way = np.pi / 2
    turn = {11: 1.25, 12: 0.85}.get(number, half_way)  # the last two are short and end at the back
    angle = np.concatenate([np.linspace(0.0, turn, _TURN + 1), np.linspace(turn, max(reach, turn), _STEPS - _TURN)[1:]])
    at_spine = anatomy.rib_gap * (number - 1)
    drop = anatomy.rib_drop * (0.45 + 0.55 * min(number, 5) / 5)
    level = np.array([at_spine + 0.5 * drop + 0.02], dtype=np.float32)
    half = float(cage_width(level, anatomy)[0]) - 0.005
    start = 0.11
    out = np.where(angle < half_way, start + (half - start) * np.sin(angle) ** 0.92, half * np.sin(angle) ** 0.9)
    front = np.maximum(angle - half_way, 0)
    rise = 0.045 * np.sin(2 * np.minimum(angle, half_way))
    down = at_spine - rise + drop * (1 - np.cos(angle)) / 2
    across = side * out + anatomy.lean * np.sin(2 * down) + 0.8 * anatomy.rotation * front
    return np.stack([across, down], axis=1)


def lay_bones(grid: Grid, anatomy: Anatomy, width: Layer) -> Layer:
    """Path length through bone, weighted by its density: float32 [rows, columns].

    Args:
        grid: The picture.
        anatomy: The child.
        width: Half the inner width of the cage at each place, float32 [rows, columns].
    """
    soft = 0.0055 * grid.unit
    total = _ribs(grid, anatomy, width) + _spine(grid, anatomy) + _girdle(grid, anatomy)
    if anatomy.chin > -2:
        total = total + _jaw(grid, anatomy)
    return np.float32(anatomy.bone) * blur(total.astype(np.float32), soft)


def _ribs(grid: Grid, anatomy: Anatomy, width: Layer) -> Layer:
    back, front = grid.stamp(), grid.stamp()
    behind, before, wide = [], [], []
    for number in range(1, _RIBS + 1):
        for side in (-1, 1):
            path = rib_path(number, side, anatomy)
            behind.append(path[: _TURN + 3] if number <= _LONG_RIBS else _stretch(path[: _TURN + 1], _TURN + 3))
            before.append(path[_TURN - 2 :])
            wide.append(anatomy.rib_width * (0.72 + 0.28 * min(number, 4) / 4))
    widths = np.array(wide)[:, None]
    taper = np.interp(np.arange(_TURN + 3), [0, 3, _TURN], [0.45, 0.85, 1.0])
    # A cortex around a spongy middle: the edges are denser than the middle.
    back.tubes(behind, widths * taper, 0.74)
    back.tubes(behind, widths * taper * 0.62, 0.56)
    count = 2 * _FRONT_RIBS
    swell = widths * np.linspace(1.0, 1.3, len(before[0]))
    front.tubes(before[:count], swell[:count], 0.46)
    front.tubes(before[:count], swell[:count] * 0.66, 0.34)
    # In front, bone turns into cartilage, which hardly shows.
    far, near = back.array(), front.array() * ramp(np.abs(grid.x), 0.34, 0.62)
    # Where a rib turns from the back to the front it is one bone, not two that overlap.
    aside: Layer = np.abs(grid.x) / width
    ribs: Layer = np.maximum(far, near) + np.minimum(far, near) * ramp(aside, 0.96, 0.86)
    # At the side walls the beam runs along the rib's curve and meets more of it.
    thick: Layer = 0.62 * ribs * (1 + ramp(aside, 0.75, 1.0))
    return thick


def _stretch(path: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """The same path with more points."""
    where = np.linspace(0, len(path) - 1, steps)
    return np.stack([np.interp(where, np.arange(len(path)), path[:, axis]) for axis in (0, 1)], axis=1)


def _spine(grid: Grid, anatomy: Anatomy) -> Layer:
    bodies, arches = grid.stamp(), grid.stamp()
    gap = anatomy.rib_gap
    number = np.arange(-4, 15)
    y = gap * (number - 1) + 0.02
    middle = np.stack([anatomy.lean * np.sin(2 * y), y], axis=1)[:, None]  # [19, 1, 2], as are the sizes
    half = anatomy.spine * (0.84 + 0.018 * (number + 4))
    size = np.stack([half, np.full_like(half, gap)], axis=1)[:, None]
    bodies.polygons(middle + _VERTEBRA * size * (0.97, 0.55), 0.62)  # the discs, so that the column goes on
    bodies.polygons(middle + _VERTEBRA * size * (1.00, 0.455), 1.0)
    bodies.polygons(middle + _VERTEBRA * size * (0.90, 0.390), 0.88)
    for side in (-1, 1):
        arches.tubes(middle + size * [(side * 0.9, 0.0), (side * 1.7, 0.0)] - ((0, 0.02), (0, 0.045)), 0.055, 0.18)
        pedicles = (middle + size * (side * 0.70, 0.0))[:, 0] - (0, 0.012)
        arches.ellipses(pedicles, (0.026, 0.040), 0.42)
        arches.ellipses(pedicles, (0.014, 0.026), 0.16)
    arches.tubes(middle + np.array(((0, -0.01), (0, 0.07))), [0.035, 0.02], 0.30)
    return bodies.array() + np.float32(0.8) * arches.array()


def _girdle(grid: Grid, anatomy: Anatomy) -> Layer:
    """Clavicles, scapulae and upper arms."""
    collar, blades, arms = grid.stamp(), grid.stamp(), grid.stamp()
    for side, angle in zip((-1, 1), anatomy.arms, strict=True):
        head = (side * 0.99, anatomy.shoulder + 0.13)
        inner = (side * 0.14 + 1.6 * anatomy.rotation, 0.13)
        outer = (side * 0.84, 0.13 - anatomy.clavicle)
        t = np.linspace(0, 1, 14)
        bend = 0.040 * np.sin(2 * np.pi * t)
        path = np.stack([inner[0] + (outer[0] - inner[0]) * t, inner[1] + (outer[1] - inner[1]) * t + bend], axis=1)
        swell = (0.066 + 0.036 * np.abs(2 * t - 1) ** 2) * np.minimum(1, 0.5 + 7 * np.minimum(t, 1 - t))
        collar.tubes(path, swell, 0.95)
        collar.tubes(path, swell * 0.55, 0.72)
        lift = 0.0 if angle > 0 else 0.14
        blade = np.array(_BLADE) + np.array((lift, 0))
        blade[3:6, 0] += 0.6 * lift
        blade *= (side, 1)
        blade[:, 1] += anatomy.shoulder + 0.06
        blades.polygons(blade, 0.50)
        middle = blade.mean(axis=0)
        blades.polygons(middle + (blade - middle) * 0.90, 0.22)
        blades.tubes([(side * (0.66 + lift), blade[0, 1] + 0.08), (side * 0.98, head[1] - 0.10)], [0.03, 0.07], 0.7)
        way = np.array((side * cos(radians(angle)), sin(radians(angle))))
        shaft = np.array(head) + way * np.array([0.075, 0.10, 0.27, 0.6, 1.4])[:, None]
        arms.tubes(shaft, [0.15, 0.20, 0.145, 0.125, 0.12], 1.0)
        arms.tubes(shaft, [0.12, 0.165, 0.10, 0.075, 0.07], 0.68)
        arms.ellipses(head, (0.088, 0.080), 0.75)  # the growing end of the bone, apart from its shaft
        arms.ellipses(head, (0.072, 0.064), 0.62)
    return collar.array() + blades.array() + arms.array()


def _jaw(grid: Grid, anatomy: Anatomy) -> Layer:
    stamp = grid.stamp(fine=False)
    x = anatomy.rotation * 2
    angle = np.linspace(0.1, np.pi - 0.1, 22)
    arc = np.stack([x + 0.46 * np.cos(angle), anatomy.chin - 0.46 + 0.40 * np.sin(angle)], axis=1)
    stamp.tubes(arc, np.linspace(-1, 1, 22) ** 2 * 0.08 + 0.13, 1.2)
    stamp.tubes(arc, 0.07, 0.85)
    k = np.linspace(-0.8, 0.8, 9)
    stamp.ellipses(np.stack([x + 0.34 * k, anatomy.chin - 0.26 - 0.12 * k**2], axis=1), (0.026, 0.05), 2.0)
    return blur(stamp.array(), 0.008 * grid.unit)
