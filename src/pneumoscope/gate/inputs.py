"""What the gate's head is given of a film: what the lung-field network saw, where, and the film in small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FEATURES", "GRID", "gate_inputs", "mirrored_inputs"]

FEATURES = 256
"""Mean activations of the lung-field network's stages."""

GRID = 16
"""Side of the small mask and the small film."""


def gate_inputs(
    features: NDArray[np.float32], probability: NDArray[np.float32], seen: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """One row of numbers: the features, the small mask, the small film.

    The features are means over the picture, so they tell what is in it, and hardly where; the two small pictures tell
    where, and so which way is up.

    Args:
        features: float32 [FEATURES], at least 0.
        probability: float32 [h, w], of lung; h and w are multiples of ``GRID``.
        seen: uint8 [S, S], the film as the network saw it.

    Returns:
        float32 [FEATURES + 2 GRID^2].
    """
    small = _pooled(seen.astype(np.float32)) / np.float32(255)
    return np.concatenate([np.log1p(features), _pooled(probability), small])


def mirrored_inputs(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the inputs of the mirrored film nearly are: float32 [..., D] of [..., D], without a second look.

    The two small pictures are mirrored; the features, which hardly tell where, are kept.
    """
    small = inputs[..., FEATURES:].reshape(*inputs.shape[:-1], 2, GRID, GRID)
    return np.concatenate([inputs[..., :FEATURES], small[..., ::-1].reshape(*inputs.shape[:-1], -1)], axis=-1)


def _pooled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over the cells of the grid, in a row."""
    rows, columns = (side // GRID for side in picture.shape)
    cells = picture[: rows * GRID, : columns * GRID].reshape(GRID, rows, GRID * columns)
    # Down first, where whole lines are added; across there is little left to add.
    sums = cells.sum(axis=1, dtype=np.float32).reshape(GRID, GRID, columns).sum(axis=2, dtype=np.float32)
    means: NDArray[np.float32] = sums.ravel() / np.float32(rows * columns)
    return means
