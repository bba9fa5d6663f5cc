"""The lungs' drawing: vessels that branch from the hila and taper outward, and the fine net between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.phantom.canvas import blur, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.films.phantom.anatomy import Anatomy
    from pneumoscope.films.phantom.canvas import Grid, Layer

__all__ = ["Branches", "grow_vessels", "hilum", "lay_vessels"]

_STEPS = 5  # points on one branch


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
        turns = angle[:, None] + np.cumsum(rng.uniform(-0.28, 0.28, (side.size, _STEPS - 1)), axis=1)
        steps = (
            np.stack([side[:, None] * np.cos(turns), np.sin(turns)], axis=2) * (length / (_STEPS - 1))[:, None, None]
        )
        paths = np.concatenate([start[:, None], start[:, None] + np.cumsum(steps, axis=1)], axis=1)
        orders.append(Branches(paths, width[:, None] * np.linspace(1, 0.72, _STEPS)))
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
