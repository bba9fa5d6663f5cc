"""Radiographs of other parts of the body, drawn.

None of them is meant to be taken for real. They teach that bright bars, rings and ellipses with the tones of a film
do not make a chest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from quality_head.canvas import Picture, axes, blob, bone, capsule, cloud, exposed, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["abdomen", "breast", "foot", "hand", "hip", "knee", "lateral", "limb", "shoulder", "skull", "spine", "teeth"]


def _turned(rng: np.random.Generator, points: NDArray[np.floating], most: float = 0.4) -> NDArray[np.floating]:
    """Points (x, y) turned, scaled and moved a little; half of the time mirrored."""
    angle = rng.uniform(-most, most)
    c, s = np.cos(angle), np.sin(angle)
    points = points * rng.uniform(0.75, 1.2) * np.array([rng.choice([-1, 1]), 1.0])
    turned: NDArray[np.floating] = points @ np.array([[c, s], [-s, c]]) + rng.uniform(-0.12, 0.12, 2)
    return turned


def hand(rng: np.random.Generator) -> Picture:
    """Five rays of three bones, a palm of soft tissue, two bones of the forearm."""
    thickness: Picture = np.zeros_like(axes()[0])
    spread = rng.uniform(0.12, 0.3)
    for finger in range(5):
        lean = (finger - 2) * spread * (2.2 if finger == 0 else 1.0)
        length = (0.65, 0.95, 1.05, 1.0, 0.8)[finger] * rng.uniform(0.85, 1.1)
        root = np.array([(finger - 2) * 0.13, 0.25])
        way = np.array([np.sin(lean), -np.cos(lean)]) * length
        joints = _shift(root, way, (0.0, 0.45, 0.72, 0.88, 1.0))
        flesh = capsule(joints[0], joints[-1], 0.085)
        thickness = np.maximum(thickness, 3 * flesh)
        for start, end in pairwise(joints):
            thickness = thickness + 6 * bone(start + 0.03 * way, end - 0.02 * way, 0.04)
    palm = blob(0, 0.3, 0.36, 0.42)
    wrist = [6 * bone((x, 0.72), (x * 1.4, 1.5), 0.09) for x in (-0.13, 0.13)]
    carpals = [0.8 * blob(x, y, 0.09, 0.09) for x in (-0.16, 0, 0.16) for y in (0.48, 0.62)]
    return exposed(rng, thickness + 0.4 * palm + 0.5 * capsule((0, 0.5), (0, 1.6), 0.28) + sum(wrist) + sum(carpals))


def foot(rng: np.random.Generator) -> Picture:
    """Five parallel rays, a heel: longer than wide."""
    thickness = 1.2 * capsule((0.0, -0.75), (0.15, 0.7), 0.42)
    for toe in range(5):
        x = (toe - 2) * 0.17
        for top, bottom in ((-0.95, -0.8), (-0.78, -0.6), (-0.55, 0.0)):
            thickness = thickness + 6 * bone((x * 1.1, top), (x * 0.9 + 0.05, bottom), rng.uniform(0.035, 0.06))
    heel = blob(0.1, 0.55, 0.3, 0.4, rng.uniform(-0.4, 0.4))
    return exposed(rng, thickness + 0.9 * heel + 0.7 * blob(0, 0.12, 0.36, 0.18))


def limb(rng: np.random.Generator) -> Picture:
    """One or two long bones in their flesh, at any angle, with a joint at times."""
    ends = _turned(rng, np.array([[0.0, -1.4], [0.0, 1.4]]), most=1.6)
    thickness = 2.2 * capsule(ends[0], ends[1], rng.uniform(0.3, 0.6))
    beside = np.array([0.16, 0.0]) if rng.random() < 0.6 else None
    joint = rng.uniform(-0.1, 0.1) if rng.random() < 0.5 else None
    for shift in (np.zeros(2),) if beside is None else (-beside, beside):
        parts = [(ends[0], ends[1])]
        if joint is not None:
            middle = (ends[0] + ends[1]) / 2 + joint
            gap = (ends[1] - ends[0]) * 0.015
            parts = [(ends[0], middle - gap), (middle + gap, ends[1])]
        for start, end in parts:
            thickness = thickness + 5 * bone(start + shift, end + shift, rng.uniform(0.07, 0.16), rng.uniform(0.2, 0.9))
    return exposed(rng, thickness)


def knee(rng: np.random.Generator) -> Picture:
    """Two thick bones that meet with broad ends, a small one beside, a round one before."""
    ends = _turned(rng, np.array([[0.0, -1.5], [0.0, -0.05], [0.02, 0.05], [0.05, 1.5], [0.3, 0.25], [0.26, 1.5]]))
    thickness = 2.0 * capsule(ends[0], ends[3], rng.uniform(0.45, 0.7))
    thickness = thickness + 4 * bone(ends[0], ends[1], 0.22, 0.9) + 4 * bone(ends[2], ends[3], 0.2, 1.0)
    thickness = thickness + 4 * bone(ends[4], ends[5], 0.06, 0.6)
    return exposed(rng, thickness + 0.4 * blob(0.0, -0.22, 0.15, 0.17))


def skull(rng: np.random.Generator) -> Picture:
    """A bright ring, orbits, a jaw with teeth; from the front or from the side."""
    vault = blob(0, -0.2, rng.uniform(0.55, 0.75), rng.uniform(0.6, 0.75))
    inner = blob(0, -0.2, 0.55, 0.62)
    thickness = 1.6 * (vault > 0.02) * 0.5 + 1.2 * np.maximum(vault - 0.75 * inner, 0) + 0.5 * vault
    if rng.random() < 0.5:
        for side in (-1, 1):
            thickness = thickness - 0.55 * blob(side * 0.24, 0.02, 0.17, 0.15)
        thickness = thickness - 0.4 * blob(0, 0.25, 0.09, 0.17) + 0.7 * blob(0, 0.6, 0.36, 0.25)
    else:
        thickness = thickness + 0.7 * blob(0.45, 0.5, 0.3, 0.3, 0.5) + 0.5 * capsule((-0.15, 0.4), (-0.25, 1.4), 0.25)
        thickness = thickness - 0.3 * blob(0.5, 0.1, 0.2, 0.17)
    for tooth in range(8):
        thickness = thickness + 0.25 * blob((tooth - 3.5) * 0.07, 0.55, 0.035, 0.09)
    return exposed(rng, np.maximum(smooth(thickness, 1.0), 0))


def abdomen(rng: np.random.Generator) -> Picture:
    """Soft tissue, a spine, the wings of the pelvis, bubbles of gas: the film that lies next to the chest."""
    thickness = 1.5 * blob(0, 0, rng.uniform(0.9, 1.3), rng.uniform(1.2, 1.6)) + 0.3 * cloud(rng, 1.5)
    for number in range(7):
        y = -1 + number * 0.27
        thickness = (
            thickness + 0.35 * blob(rng.normal() * 0.02, y, 0.15, 0.11) + 0.2 * capsule((-0.3, y), (0.3, y), 0.03)
        )
    for side in (-1, 1):
        thickness = thickness + 0.5 * blob(side * 0.52, 0.72, 0.38, 0.36, side * 0.5)
        if rng.random() < 0.6:
            thickness = thickness + 0.2 * blob(side * 0.42, -0.55, 0.4, 0.4)
    for _ in range(rng.integers(3, 16)):
        x, y = rng.uniform(-0.7, 0.7, 2)
        wide, high = rng.uniform(0.05, 0.22, 2)
        thickness = thickness - rng.uniform(0.2, 0.6) * blob(x, y, wide, high, rng.uniform(0, 3), ((0.15, x), (0.1, y)))
    return exposed(rng, np.maximum(thickness, 0))


def shoulder(rng: np.random.Generator) -> Picture:
    """The head of the arm bone, the blade, a collar bone, some ribs at the edge."""
    x, _ = axes()
    side = rng.choice([-1.0, 1.0])
    thickness = 0.9 * (1 - 0.5 * side * x) + 0.3 * cloud(rng, 1.5)
    thickness = (
        thickness + 0.6 * blob(side * 0.15, -0.1, 0.25, 0.27) + 4 * bone((side * 0.2, 0), (side * 0.35, 1.5), 0.16)
    )
    thickness = thickness + 0.35 * blob(-side * 0.3, 0.2, 0.3, 0.5, side * 0.4)
    thickness = thickness + 3 * bone((side * 0.15, -0.45), (-side * 1.2, -0.55), 0.07)
    for rib in range(rng.integers(2, 5)):
        y = -0.2 + 0.3 * rib
        thickness = thickness + 2 * capsule((-side * 0.65, y), (-side * 1.3, y + 0.25), 0.05)
    return exposed(rng, thickness)


def hip(rng: np.random.Generator) -> Picture:
    """The pelvis from the front: two sockets with their heads, two wings, the sacrum, two shafts."""
    thickness = 1.3 * blob(0, 0, 1.4, 1.5) + 0.2 * cloud(rng, 1.4)
    for side in (-1, 1):
        thickness = thickness + 0.55 * blob(side * 0.48, -0.45, 0.4, 0.42, side * 0.6)
        thickness = (
            thickness
            + 0.5 * blob(side * 0.52, 0.2, 0.17, 0.17)
            + 3 * bone((side * 0.52, 0.22), (side * 0.78, 0.42), 0.09)
        )
        thickness = thickness + 3 * bone((side * 0.78, 0.4), (side * 0.72, 1.5), 0.13)
        thickness = thickness + 2 * capsule((side * 0.35, 0.35), (side * 0.12, 0.5), 0.08)
        thickness = thickness - 0.5 * blob(side * 0.2, 0.45, 0.1, 0.08)
    return exposed(rng, np.maximum(thickness + 0.6 * blob(0, -0.45, 0.22, 0.4), 0))


def teeth(rng: np.random.Generator) -> Picture:
    """A dental film: two rows of bright crowns and roots in a spongy jaw, a dark gap between."""
    x, y = axes()
    bend = rng.uniform(-0.3, 0.3) * x**2
    thickness = 0.5 + 0.5 * cloud(rng, 0.9) - 0.7 * np.exp(-(((y - bend) / 0.08) ** 2))
    count = int(rng.integers(3, 14))
    for number in range(count):
        middle = (number + 0.5) / count * 2 - 1
        for side in (-1, 1):
            base = float(rng.uniform(-0.3, 0.3)) * 0.2 + 0.25 * side + 0.0 * middle
            crown = blob(middle, base, 0.9 / count, 0.2)
            root = capsule((middle, base), (middle + rng.normal() * 0.02, base + side * 0.5), 0.45 / count)
            thickness = thickness + 0.9 * crown + root * count * 0.5
    return exposed(rng, np.maximum(thickness, 0))


def breast(rng: np.random.Generator) -> Picture:
    """A half ellipse against one edge, brighter inside, with strands; black around it."""
    side = rng.choice([-1.0, 1.0])
    outline = blob(side * 1.05, rng.uniform(-0.2, 0.2), rng.uniform(0.9, 1.5), rng.uniform(0.7, 1.0))
    strands = np.abs(cloud(rng, 1.2) - 0.5)
    gland = blob(side * 0.75, 0, rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.7))
    return exposed(rng, (outline > 0) * (0.25 + 0.3 * outline + gland * (0.9 - 2.2 * strands)).clip(0))


def spine(rng: np.random.Generator) -> Picture:
    """A column of blocks from the side, with gaps, in soft tissue."""
    thickness = 0.8 * cloud(rng, 1.6) + 0.7 * capsule((-0.2, -1.6), (0.1, 1.6), 0.9)
    bow = rng.uniform(0.1, 0.35)
    for number in range(7):
        y = -0.95 + number * 0.31
        x = bow * np.cos(2.2 * y)
        thickness = thickness + 0.55 * (blob(x, y, 0.22, 0.14, 0.3 * bow * y) ** 0.4)
        thickness = thickness + 2 * capsule((x - 0.3, y + 0.05), (x - 0.6, y + 0.16), 0.05)
    return exposed(rng, thickness)


def lateral(rng: np.random.Generator) -> Picture:
    """A chest from the side: one dark field between the breastbone and the spine, the heart before, domes below."""
    x, y = axes()
    thickness = 1.6 * blob(0, 0.05, rng.uniform(0.75, 1.0), 1.35) + 0.25 * cloud(rng, 1.5)
    lean = rng.uniform(-0.15, 0.15)
    lung = blob(0.05 + lean, -0.1, rng.uniform(0.5, 0.62), rng.uniform(0.75, 0.95), rng.uniform(-0.2, 0.1))
    thickness = thickness - rng.uniform(0.8, 1.3) * lung
    heart = blob(-0.22 + lean, 0.28, rng.uniform(0.24, 0.34), rng.uniform(0.28, 0.38), 0.4)
    thickness = thickness + rng.uniform(0.4, 0.9) * heart
    dome = 0.55 + 0.25 * np.abs(x - lean) ** 1.5 + rng.uniform(-0.1, 0.1)
    thickness = thickness + 0.8 / (1 + np.exp(-(y - dome) * 22))
    for number in range(9):
        v = -0.95 + number * 0.22
        u = 0.52 + 0.1 * np.cos(1.8 * v) + lean
        thickness = thickness + 0.4 * blob(u, v, 0.12, 0.09)
        thickness = thickness + rng.uniform(0.6, 1.6) * capsule((u, v), (u - 0.75, v + 0.38), 0.035)
    thickness = thickness + rng.uniform(0, 0.8) * capsule((-0.1, -0.75), (-0.7, -1.3), 0.22)
    return exposed(rng, np.maximum(thickness, 0))


def _shift(
    root: NDArray[np.floating], way: NDArray[np.floating], shares: tuple[float, ...]
) -> list[NDArray[np.floating]]:
    return [root + share * way for share in shares]
