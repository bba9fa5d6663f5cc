"""The lung fields of one film: a mask, and the box that frames them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.lungs.clean import two_largest
from pneumoscope.resample import resize, triangle

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LungField", "box_of"]

_LUNG = 0.5  # probability from which a place is lung
_TAIL = 0.005  # share of the lungs that may lie beyond each side of the box: a stray spot does not move it
_TAILS = (_TAIL, 1 - _TAIL)
_LEAST_AREA = 0.04  # of the film; lungs smaller than this were not found
_LEAST_SIDE = 0.2  # of the film, for each side of the box


@dataclass(frozen=True, eq=False)
class LungField:
    """Where the lungs of a film are.

    Attributes:
        probability: float32 [h, w], probability of lung at each place of the film, on the network's coarse grid.
        rows: Height of the film in pixels.
        columns: Its width.
        features: float32 [K], what the network saw of the whole film; for the gate (``pneumoscope.gate.inputs``).
        seen: uint8 [S, S], the film squared, as the network saw it; likewise.
    """

    probability: NDArray[np.float32]
    rows: int
    columns: int
    features: NDArray[np.float32]
    seen: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((1, 1), dtype=np.uint8))

    @cached_property
    def lung(self) -> NDArray[np.bool_]:
        """Which places of the grid are lung, bool [h, w]: the largest connected part, and perhaps the second."""
        return two_largest(self.probability >= _LUNG)

    @property
    def enough(self) -> bool:
        """Whether there is enough lung to say what lies in it; less than ``found`` asks, and quicker told."""
        return _enough(self.lung)

    @cached_property
    def relative_box(self) -> tuple[float, float, float, float] | None:
        """Box around the lungs as (top, left, bottom, right), each 0 to 1 of the film; None if they were not found."""
        return box_of(self.probability, self.lung)

    @property
    def found(self) -> bool:
        """Whether there are lungs to frame."""
        return self.relative_box is not None

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """The box in film pixels."""
        box = self.relative_box
        if box is None:
            return None
        return (box[0] * self.rows, box[1] * self.columns, box[2] * self.rows, box[3] * self.columns)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Bool [rows, columns], at the film's own size."""
        kept = np.where(self.lung, self.probability, 0.0)
        raised = resize(np.rint(kept * 255).astype(np.uint8), self.rows, self.columns)
        mask: NDArray[np.bool_] = raised >= _LUNG * 255
        return mask

    def within(self, frame: tuple[float, float, float, float], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Share of each place of a grid over a part of the film that is lung.

        Args:
            frame: (top, left, bottom, right) in film pixels.
            shape: (h, w) of the grid.

        Returns:
            float32 [h, w], 0 to 1.
        """
        h, w = self.probability.shape
        down = triangle(h, shape[0], frame[0] / self.rows, frame[2] / self.rows)
        across = triangle(w, shape[1], frame[1] / self.columns, frame[3] / self.columns)
        share: NDArray[np.float32] = down @ self.lung.astype(np.float32) @ across.T
        return share


def box_of(
    probability: NDArray[np.float32], lung: NDArray[np.bool_] | None = None
) -> tuple[float, float, float, float] | None:
    """Box around the lungs, so that ``_TAIL`` of their area lies beyond each side.

    Args:
        probability: float32 [h, w].
        lung: Bool [h, w], which places are lung, if that is known already.

    Returns:
        (top, left, bottom, right), each 0 to 1 of the film; None if there is too little lung.
    """
    on = two_largest(probability >= _LUNG) if lung is None else lung
    if not _enough(on):
        return None
    weights = probability * on
    top, bottom = _ends(weights.sum(axis=1, dtype=np.float64).tolist())
    left, right = _ends(weights.sum(axis=0, dtype=np.float64).tolist())
    if bottom - top < _LEAST_SIDE or right - left < _LEAST_SIDE:
        return None
    return (top, left, bottom, right)


def _enough(lung: NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(lung) >= _LEAST_AREA * lung.size)


def _ends(profile: list[float]) -> tuple[float, float]:
    """Where the tails of a profile end, 0 to 1, between cells by linear interpolation."""
    below = list(accumulate(profile))
    low, high = (_place(below, tail * below[-1]) / len(below) for tail in _TAILS)
    return low, high


def _place(below: list[float], amount: float) -> float:
    """In how many cells, fractions counted, an amount lies; ``below`` are the sums up to and with each cell."""
    cell = bisect_left(below, amount)
    before = below[cell - 1] if cell else 0.0
    return cell + (amount - before) / (below[cell] - before)
