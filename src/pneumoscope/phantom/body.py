"""The healthy chest: lung vessels, bones and soft tissue, as path lengths of the beam.

The chest is a shell around a cavity. In the cavity lie the heart, the mediastinum and the diaphragm with what
is below it; air fills the rest. So the shadows come from path lengths, and overlaps look right by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.phantom.canvas import blur, noise, ramp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.phantom.anatomy import Anatomy
    from pneumoscope.phantom.canvas import Grid, Layer

__all__ = [
    "Body",
    "Branches",
    "cage_width",
    "grow_vessels",
    "hilum",
    "lay_body",
    "lay_bones",
    "lay_vessels",
    "rib_path",
]

_VESSEL_STEPS = 5  # points on one branch


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """All branches of one order; order 0 leaves the hilum.

    Attributes:
        paths: float64 [n, 5, 2], in the body's coordinates.
        widths: float64 [n, 5], likewise.
    """

    paths: NDArray[np.float64]
    widths: NDArray[np.float64]


def hilum(side: int, anatomy: Anatomy) -> tuple[float, float]:
    """Where the vessels enter the lung: beside the heart's upper part, the left a little higher."""
    return (side * 0.26 + anatomy.rotation, 0.73 if side < 0 else 0.67)


def grow_vessels(rng: np.random.Generator, anatomy: Anatomy) -> list[Branches]:
    """Grow the tree of both lungs.

    Args:
        rng: Where the chance comes from.
        anatomy: The child.

    Returns:
        One item for each order, from the hila outward.
    """
    headings = np.linspace(-1.35, 1.5, 7)
    side = np.repeat([-1.0, 1.0], len(headings))
    angle = np.tile(headings, 2) + rng.uniform(-0.15, 0.15, side.size)
    start = np.stack([hilum(int(s), anatomy) for s in side])
    start[:, 1] += 0.09 * angle + rng.uniform(-0.03, 0.03, side.size)
    width = rng.uniform(0.028, 0.044, side.size)
    orders = []
    for order in range(5):
        length = rng.uniform(0.17, 0.31, side.size) * 0.84**order
        turns = angle[:, None] + np.cumsum(rng.uniform(-0.28, 0.28, (side.size, _VESSEL_STEPS - 1)), axis=1)
        steps = (
            np.stack([side[:, None] * np.cos(turns), np.sin(turns)], axis=2)
            * (length / (_VESSEL_STEPS - 1))[:, None, None]
        )
        paths = np.concatenate([start[:, None], start[:, None] + np.cumsum(steps, axis=1)], axis=1)
        orders.append(Branches(paths, width[:, None] * np.linspace(1, 0.72, _VESSEL_STEPS)))
        spread = rng.uniform(0.25, 0.55, side.size)
        angle = np.concatenate([turns[:, -1] - spread, turns[:, -1] + spread])
        start, side = np.tile(paths[:, -1], (2, 1)), np.tile(side, 2)
        width = np.tile(width, 2) * rng.uniform(0.55, 0.74, side.size)
    return orders


def lay_vessels(grid: Grid, anatomy: Anatomy, tree: list[Branches], rng: np.random.Generator, air: Layer) -> Layer:
    """Path length through vessels and fine net: float32 [rows, columns].

    Args:
        grid: The picture.
        anatomy: The child.
        tree: From ``grow_vessels``.
        rng: For the net.
        air: Depth of the lungs; where there is no lung there is no vessel.
    """
    stamp = grid.stamp()
    for branches in reversed(tree):  # thick ones last, so that they cover thin ones
        stamp.tubes(branches.paths, branches.widths, 0.035 + 2.0 * branches.widths.mean(axis=1))
    roots = grid.stamp(fine=False)
    for side in (-1, 1):
        x, y = hilum(side, anatomy)
        for k in range(5):
            spot = (x + side * 0.03 * rng.uniform(-1, 1.5), y - 0.12 + 0.07 * k)
            roots.ellipses(spot, (rng.uniform(0.025, 0.05), rng.uniform(0.03, 0.07)), 0.10)
    drawn = blur(stamp.array(), 0.004 * grid.unit) + blur(roots.array(), 0.016 * grid.unit)
    net = noise(rng, grid, (0.09, 0.045, 0.022), 0.8)
    laid: Layer = anatomy.vessels * drawn + np.float32(0.015 * anatomy.texture) * net
    seen: Layer = laid * np.minimum(air * 1.3, 1) ** 1.5
    return seen


_RIBS = 12
_LONG_RIBS = 10  # those that come round the side
_FRONT_RIBS = 10  # the last two have no front part
_BONE_STEPS = 22
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
    angle = np.concatenate(
        [np.linspace(0.0, turn, _TURN + 1), np.linspace(turn, max(reach, turn), _BONE_STEPS - _TURN)[1:]]
    )
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
            behind.append(path[: _TURN + 3] if number <= _LONG_RIBS else _bone_stretch(path[: _TURN + 1], _TURN + 3))
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


def _bone_stretch(path: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
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
