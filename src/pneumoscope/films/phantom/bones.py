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
    from pneumoscope.films.phantom.canvas import Grid

__all__ = ["lay_bones", "rib_path"]

_RIBS = 12


def rib_path(number: int, side: int, anatomy: Anatomy, steps: int = 22) -> NDArray[np.float64]:
    """A rib's middle line from the spine round the side to its front end.

    It is a half circle seen from the front: its plane falls forward, so that the back part runs outward and the
    front part comes back lower down.

    Args:
        number: 1 at the top to 12.
        side: -1 for the patient's right, 1 for the left.
        anatomy: The child.
        steps: Points on the path.

    Returns:
        float64 [steps, 2] in the body's coordinates.
    """
    reach = {1: 2.35, 2: 2.45, 11: 1.45, 12: 1.05}.get(number, 2.55 - 0.03 * number)
    angle = np.linspace(0.0, reach, steps)
    at_spine = 0.0 + anatomy.rib_gap * (number - 1)
    drop = anatomy.rib_drop * (0.55 + 0.45 * min(number, 5) / 5)
    level = np.array([at_spine + 0.5 * drop + 0.02], dtype=np.float32)
    half = float(cage_width(level, anatomy)[0]) - 0.005
    start = 0.11
    out = np.where(angle < np.pi / 2, start + (half - start) * np.sin(angle) ** 0.92, half * np.sin(angle) ** 0.9)
    front = np.maximum(angle - np.pi / 2, 0)
    down = at_spine - 0.035 * np.sin(2 * np.minimum(angle, np.pi / 2)) + drop * (1 - np.cos(angle)) / 2
    lean = anatomy.lean * np.sin(2 * down)
    across = side * out + lean + 0.8 * anatomy.rotation * front
    return np.stack([across, down], axis=1)


def lay_bones(grid: Grid, anatomy: Anatomy, cavity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Path length through bone, weighted by its density: float32 [rows, columns].

    Args:
        grid: The picture.
        anatomy: The child.
        cavity: Depth of the rib cage.
    """
    soft = 0.004 * grid.unit
    ribs = _ribs(grid, anatomy)
    # At the side walls the beam runs along the rib's curve and meets more of it.
    side = np.clip(np.abs(grid.x) / np.maximum(cage_width(grid.y, anatomy), 0.2), 0, 1.05)
    ribs = ribs * (0.62 + 0.85 * ramp(side, 0.70, 1.0))
    total = ribs + _spine(grid, anatomy) + _girdle(grid, anatomy)
    if anatomy.chin > -2:
        total = total + _jaw(grid, anatomy)
    return anatomy.bone * blur(total.astype(np.float32), soft) + 0 * cavity


def _ribs(grid: Grid, anatomy: Anatomy) -> NDArray[np.float32]:
    back, front = grid.stamp(), grid.stamp()
    for number in range(1, _RIBS + 1):
        for side in (-1, 1):
            path = rib_path(number, side, anatomy)
            turn = int(np.argmax(np.abs(path[:, 0])))
            wide = anatomy.rib_width * (0.8 + 0.2 * min(number, 4) / 4)
            behind, before = path[: turn + 3], path[max(turn - 1, 0) :]
            # A cortex around a spongy middle: the edges are denser than the middle.
            back.tube(behind, wide * 0.92, 0.80)
            back.tube(behind, wide * 0.50, 0.52)
            if number <= 10 and len(before) > 3:
                swell = np.linspace(0.85, 1.25, len(before)) * wide
                front.tube(before, swell, 0.52)
                front.tube(before, swell * 0.55, 0.34)
    return back.array() + front.array()


def _spine(grid: Grid, anatomy: Anatomy) -> NDArray[np.float32]:
    bodies, arches = grid.stamp(), grid.stamp()
    gap = anatomy.rib_gap
    for number in range(-4, 16):
        y = gap * (number - 1) + 0.02
        x = anatomy.lean * sin(2 * y)
        grow = 0.82 + 0.02 * max(0, number + 4)
        half, tall = anatomy.spine * grow, gap * 0.40
        corner = 0.16 * half
        shape = [
            (x - half, y - tall + corner),
            (x - half + corner, y - tall),
            (x + half - corner, y - tall),
            (x + half, y - tall + corner),
            (x + half * 0.92, y),
            (x + half, y + tall - corner),
            (x + half - corner, y + tall),
            (x - half + corner, y + tall),
            (x - half, y + tall - corner),
            (x - half * 0.92, y),
        ]
        bodies.polygon(shape, 1.0)
        bodies.polygon([(x + (p - x) * 0.86, y + (q - y) * 0.80) for p, q in shape], 0.86)
        for side in (-1, 1):
            arches.tube([(x + side * half * 0.9, y - 0.02), (x + side * half * 1.75, y - 0.045)], 0.05, 0.35)
            arches.ellipse((x + side * half * 0.60, y - 0.012), (0.024, 0.034), 0.5)
            arches.ellipse((x + side * half * 0.60, y - 0.012), (0.013, 0.021), 0.15)
        arches.tube([(x, y - 0.01), (x, y + 0.07)], [0.03, 0.02], 0.4)
    return 0.95 * bodies.array() + 0.8 * arches.array()


def _girdle(grid: Grid, anatomy: Anatomy) -> NDArray[np.float32]:
    """Clavicles, scapulae and upper arms."""
    collar, blades, arms = grid.stamp(), grid.stamp(), grid.stamp()
    for side, angle in zip((-1, 1), anatomy.arms, strict=True):
        head = (side * 0.99, anatomy.shoulder + 0.13)
        inner = (side * 0.15 + 1.6 * anatomy.rotation, 0.13)
        outer = (side * 0.80, 0.13 - anatomy.clavicle)
        t = np.linspace(0, 1, 12)
        bend = 0.035 * np.sin(2 * np.pi * t)
        path = np.stack(
            [inner[0] + (outer[0] - inner[0]) * t, inner[1] + (outer[1] - inner[1]) * t + bend],
            axis=1,
        )
        swell = 0.052 + 0.022 * np.abs(2 * t - 1) ** 2
        collar.tube(path, swell, 1.0)
        collar.tube(path, swell * 0.5, 0.62)
        lift = 0.0 if angle > 0 else 0.12
        blade = np.array(
            [
                (0.70, 0.02),
                (0.93, 0.10),
                (0.95, 0.20),
                (0.90, 0.44),
                (0.84 + lift, 0.66),
                (0.78 + lift, 0.62),
                (0.70, 0.30),
            ]
        )
        blade[:, 0] = side * (blade[:, 0] + lift)
        blade[:, 1] += anatomy.shoulder + 0.06
        blades.polygon(blade, 0.55)
        middle = blade.mean(axis=0)
        blades.polygon(middle + (blade - middle) * 0.88, 0.24)
        blades.tube([(side * (0.68 + lift), blade[0, 1] + 0.06), (side * 0.98, head[1] - 0.08)], [0.03, 0.06], 0.7)
        way = np.array((side * cos(radians(angle)), sin(radians(angle))))
        shaft = np.array(head) + way * np.array([0.07, 0.25, 0.6, 1.4])[:, None]
        arms.tube(shaft, [0.17, 0.115, 0.10, 0.10], 1.3)
        arms.tube(shaft, [0.13, 0.07, 0.05, 0.05], 0.75)
        arms.ellipse(head, (0.085, 0.085), 1.0)
        arms.ellipse(head, (0.068, 0.068), 0.8)
    return 0.85 * collar.array() + blades.array() + arms.array()


def _jaw(grid: Grid, anatomy: Anatomy) -> NDArray[np.float32]:
    stamp = grid.stamp()
    x = anatomy.rotation * 2
    angle = np.linspace(0.15, np.pi - 0.15, 20)
    arc = np.stack([x + 0.40 * np.cos(angle), anatomy.chin - 0.42 + 0.36 * np.sin(angle)], axis=1)
    stamp.tube(arc, 0.13, 2.2)
    stamp.tube(arc, 0.07, 1.6)
    for k in np.linspace(-0.8, 0.8, 8):
        stamp.ellipse((x + 0.30 * k, anatomy.chin - 0.27 - 0.1 * k * k), (0.026, 0.045), 2.6)
    return stamp.array()
