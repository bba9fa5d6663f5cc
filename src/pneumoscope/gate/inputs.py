"""What the gate's head is given of a film: what the lung-field network saw, where, and the film in small.

The lung-field network's graph gives them as its features, D = FEATURES + 2 GRID^2 numbers: log(1 + the mean of each
channel), the mask, and the film of 0 to 1, both as means over a grid. The first are means over the picture, so they
tell what is in it, and hardly where; the two small pictures tell where, and so which way is up. The graph has all at
hand: what costs a tenth of a millisecond outside is nearly free inside.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEATURES", "GRID", "both_ways", "mirrored_inputs"]

FEATURES = 256
"""Mean activations of the lung-field network's stages."""

GRID = 16
"""Side of the small mask and the small film."""


def mirrored_inputs(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the inputs of the mirrored film nearly are: float32 [..., D] of [..., D], without a second look.

    The two small pictures are mirrored; the features, which hardly tell where, are kept.
    """
    mirrored: NDArray[np.float32] = inputs.take(_both_ways()[1], axis=-1)
    return mirrored


def both_ways(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inputs of a film and of its mirror image: float32 [..., 2, D] of [..., D]."""
    both: NDArray[np.float32] = inputs.take(_both_ways(), axis=-1)
    return both


@lru_cache(maxsize=1)
def _both_ways() -> NDArray[np.int64]:
    """Where each number of the film and of its mirror image is among the film's: int64 [2, D]."""
    places = np.arange(FEATURES + 2 * GRID * GRID)
    small = places[FEATURES:].reshape(2, GRID, GRID)
    return np.stack([places, np.concatenate([places[:FEATURES], small[..., ::-1].ravel()])])
