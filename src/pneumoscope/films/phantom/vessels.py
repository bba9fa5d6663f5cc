"""The lungs' drawing: vessels that branch from the hila and taper outward, and the fine net between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.films.phantom.canvas import blur, noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.films.phantom.anatomy import Anatomy
    from pneumoscope.films.phantom.canvas import Grid

__all__ = ["Branch", "grow_vessels", "hilum", "lay_vessels"]


class Branch:
    """A piece of vessel: its path and its width at each point."""

    __slots__ = ("order", "path", "widths")

    def __init__(self, path: NDArray[np.float64], widths: NDArray[np.float64], order: int) -> None:
        self.path = path
        self.widths = widths
        self.order = order


def hilum(side: int, anatomy: Anatomy) -> tuple[float, float]:
    """Where the vessels enter the lung: beside the heart's upper part, the left a little higher."""
    return (side * 0.27 + anatomy.rotation, 0.72 if side < 0 else 0.67)


def grow_vessels(rng: np.random.Generator, anatomy: Anatomy) -> list[Branch]:
    """Grow the tree of both lungs, thick branches last so that they are drawn over thin ones."""
    branches: list[Branch] = []
    for side in (-1, 1):
        start = np.array(hilum(side, anatomy))
        for heading in np.linspace(-1.35, 1.35, 7):
            angle = heading + rng.uniform(-0.15, 0.15)
            _grow(rng, branches, start, angle, side, rng.uniform(0.030, 0.046), 0)
    return sorted(branches, key=lambda branch: -branch.order)


def _grow(
    rng: np.random.Generator,
    branches: list[Branch],
    start: NDArray[np.float64],
    angle: float,
    side: int,
    width: float,
    order: int,
) -> None:
    length = rng.uniform(0.20, 0.32) * 0.82**order
    turns = angle + np.cumsum(rng.uniform(-0.16, 0.16, 4))
    steps = np.stack([side * np.cos(turns), np.sin(turns)], axis=1) * (length / 4)
    path = np.concatenate([start[None], start + np.cumsum(steps, axis=0)])
    branches.append(Branch(path, np.linspace(width, width * 0.72, 5), order))
    if order >= 4:
        return
    spread = rng.uniform(0.25, 0.5)
    for bend in (-spread, spread):
        _grow(rng, branches, path[-1], float(turns[-1]) + bend, side, width * rng.uniform(0.55, 0.72), order + 1)


def lay_vessels(
    grid: Grid, anatomy: Anatomy, branches: list[Branch], rng: np.random.Generator, air: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Path length through vessels and fine net: float32 [rows, columns].

    Args:
        grid: The picture.
        anatomy: The child.
        branches: From ``grow_vessels``.
        rng: For the net.
        air: Depth of the lungs; where there is no lung there is no vessel.
    """
    stamp = grid.stamp()
    for branch in branches:
        stamp.tube(branch.path, branch.widths, 2.4 * float(branch.widths.mean()))
    for side in (-1, 1):
        x, y = hilum(side, anatomy)
        for k in range(4):
            spot = (x + side * 0.02 * rng.uniform(-1, 1.5), y - 0.1 + 0.07 * k)
            stamp.ellipse(spot, (rng.uniform(0.02, 0.045), rng.uniform(0.03, 0.06)), 0.10)
    tree = blur(stamp.array(), 0.006 * grid.unit)
    net = noise(rng, grid, (0.09, 0.045, 0.022), 0.8)
    return (anatomy.vessels * tree + 0.016 * anatomy.texture * net) * np.minimum(air * 2.5, 1)
