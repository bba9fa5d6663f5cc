"""Bacterial consolidation and viral interstitial change, with the mask of where they can be seen.

The two patterns follow the reading rules of paediatric radiology: a dense, lobar or rounded opacity with air
bronchograms and lost borders speaks for bacteria; peribronchial cuffing, strands from the hila, haze and trapped
air on both sides speak for a virus (Swischuk and Hayden, Pediatric Radiology 16 (1986) 278). It is a drawing of a
rule of thumb and no microbiology.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.phantom.body import hilum
from pneumoscope.phantom.canvas import blur, noise, ramp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.phantom.anatomy import Anatomy
    from pneumoscope.phantom.body import Body, Branches
    from pneumoscope.phantom.canvas import Grid, Layer

__all__ = ["Lesion", "consolidation", "interstitial", "no_lesion"]

_VISIBLE = 0.02  # added attenuation from which a place counts as lesion; the lung's own drawing is about as strong


@dataclass(frozen=True, slots=True, eq=False)
class Lesion:
    """What is added to a healthy chest.

    Attributes:
        added: float32 [rows, columns], additional path length through tissue.
        mask: bool [rows, columns], where it can be seen.
        places: In words, for the facts.
    """

    added: Layer
    mask: NDArray[np.bool_]
    places: tuple[str, ...] = ()


def no_lesion(grid: Grid) -> Lesion:
    """A healthy chest."""
    return Lesion(np.zeros_like(grid.x), np.zeros(grid.x.shape, dtype=bool))


# Name, side (-1 is the patient's right), middle, half axes; all relative to the dome's top.
_SEATS = (
    ("right upper lobe", -1, (0.55, -0.92), (0.36, 0.28)),
    ("right middle lobe", -1, (0.42, -0.28), (0.30, 0.24)),
    ("right lower lobe", -1, (0.60, -0.16), (0.34, 0.28)),
    ("left upper lobe", 1, (0.58, -0.85), (0.34, 0.32)),
    ("lingula", 1, (0.66, -0.30), (0.26, 0.26)),
    ("left lower lobe", 1, (0.66, -0.14), (0.34, 0.28)),
)


def consolidation(grid: Grid, anatomy: Anatomy, body: Body, tree: list[Branches], rng: np.random.Generator) -> Lesion:
    """Focal consolidation of one lobe, rarely two, at times with fluid in the angle.

    Args:
        grid: The picture.
        anatomy: The child.
        body: Its soft parts.
        tree: The vessels; the bronchi run along them.
        rng: Where the chance comes from.
    """
    count = 2 if rng.random() < 0.15 else 1
    seats = [_SEATS[k] for k in rng.choice(len(_SEATS), size=count, replace=False)]
    filled: Layer = np.zeros_like(grid.x)
    rounded = rng.random() < 0.25  # round pneumonia, a child's form
    for _, side, (across, up), (a, b) in seats:
        size = rng.uniform(0.85, 1.25) * (0.85 if rounded else 1.0)
        x = side * (across + 0.08 * rng.uniform(-1, 1))
        y = anatomy.dome + up + 0.07 * rng.uniform(-1, 1)
        ragged = noise(rng, grid, (0.35, 0.16, 0.07), 0.65)
        radius = np.hypot((grid.x - x) / (a * size), (grid.y - y) / (b * size)) + (0.08 if rounded else 0.20) * ragged
        soft = rng.uniform(0.4, 0.8) * (0.6 if rounded else 1.0)
        one: Layer = ramp(radius, 1.0 + soft * 0.5, 1.0 - soft)
        if not rounded and rng.random() < 0.35:
            # A fissure stops it: the horizontal one under the upper lobe, else an oblique line above.
            slope = rng.uniform(-0.15, 0.25) * side
            line = grid.y - y - slope * (grid.x - x) - (0.55 if up < -0.5 else -0.45) * b * size
            one = one * (ramp(line, 0.015, -0.015) if up < -0.5 else ramp(line, -0.015, 0.015))
        mottle: Layer = 1 - 0.14 * np.clip(noise(rng, grid, (0.22, 0.10, 0.05), 0.8) + 0.6, 0, 1.7)
        filled = np.maximum(filled, one * mottle * rng.uniform(0.58, 0.92))
    if rng.random() < 0.45 and not rounded:
        tubes = grid.stamp(fine=False)
        for branches in tree[1:3]:
            tubes.tubes(branches.paths, branches.widths * 0.8, 1.0)
        filled *= 1 - rng.uniform(0.15, 0.35) * blur(tubes.array(), 0.008 * grid.unit)
    added: Layer = 0.76 * filled * body.air
    if rng.random() < 0.25:
        added = np.maximum(added, _effusion(grid, anatomy, body, seats[0][1], float(rng.uniform(0.06, 0.2))))
    added = blur(added.astype(np.float32), 0.006 * grid.unit)
    added = np.where(added > 0.012, added, 0).astype(np.float32)
    return Lesion(added, added > _VISIBLE, tuple(seat[0] for seat in seats))


def _effusion(grid: Grid, anatomy: Anatomy, body: Body, side: int, height: float) -> Layer:
    """Fluid that blunts the angle between the diaphragm and the side wall: a level that rises outward."""
    out = np.clip(side * grid.x, 0, 1.1)
    level = anatomy.dome + 0.5 * anatomy.dome_fall - height + 0.25 * (1 - out)
    fluid: Layer = 0.72 * body.air * ramp(grid.y - level, -0.02, 0.08) * ramp(out, 0.5, 0.75)
    return fluid


def interstitial(grid: Grid, anatomy: Anatomy, body: Body, tree: list[Branches], rng: np.random.Generator) -> Lesion:
    """Change of the interstitium on both sides: cuffs, strands, a net and patches of haze round the hila.

    Args:
        grid: The picture.
        anatomy: The child.
        body: Its soft parts.
        tree: The vessels; strands and cuffs follow them.
        rng: Where the chance comes from.
    """
    strength = float(rng.uniform(0.8, 1.25))
    near = np.zeros_like(grid.x)
    for side in (-1, 1):
        x, y = hilum(side, anatomy)
        reach = rng.uniform(0.42, 0.6)
        far = np.sqrt((grid.x - x - side * 0.14) ** 2 + (0.8 * (grid.y - y - 0.10)) ** 2) / reach
        near = np.maximum(near, ramp(far, 1.25, 0.15) * rng.uniform(0.8, 1.1))
    strands, cuffs = grid.stamp(), grid.stamp()
    for branches in reversed(tree[:4]):
        strands.tubes(branches.paths, branches.widths * 1.8 + 0.010, 0.09)
        strands.tubes(branches.paths, branches.widths * 0.6, 0.04)  # tram lines: thick walls, air between
    for end in tree[0].paths[:, -1]:
        if rng.random() < 0.5:
            radius = float(rng.uniform(0.014, 0.022))
            cuffs.ellipses(end, (radius * 1.6, radius * 1.6), 0.13)
            cuffs.ellipses(end, (radius * 0.7, radius * 0.7), 0.02)
    net = np.abs(noise(rng, grid, (0.11, 0.06), 0.7))
    net = 0.085 * ramp(net, 1.1, 0.1)
    patches = np.clip(noise(rng, grid, (0.34, 0.16, 0.07), 0.75) * 0.6 + 0.35, 0, 1.4)
    haze = 0.05 + 0.13 * patches
    lines = blur(strands.array() + cuffs.array(), 0.006 * grid.unit)
    added = strength * near * (lines + net + haze) * np.minimum(body.air * 2.2, 1)
    added = np.where(added > 0.008, added, 0).astype(np.float32)
    broad = blur(added, 0.03 * grid.unit)
    return Lesion(added, (broad > _VISIBLE) & (body.air > 0.02), ("right lung", "left lung"))
