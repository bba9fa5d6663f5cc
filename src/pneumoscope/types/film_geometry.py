"""Where the pixels of a film as it was read lie in the picture as it was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["FilmGeometry"]


@dataclass(frozen=True, slots=True, eq=False)
class FilmGeometry:
    """An affine map from the film as it was read (upright, corrected) to the stored picture.

    Places are (x, y) in pixels, x to the right and y down, from the outer corner of the first pixel: the middle of that
    pixel is (0.5, 0.5).

    Attributes:
        rows: Height of the stored picture.
        columns: Its width.
        matrix: float64 [3, 3], of homogeneous (x, y, 1) as read to those as stored.
    """

    rows: int
    columns: int
    matrix: NDArray[np.float64]

    def to_stored(self, places: ArrayLike) -> NDArray[np.float64]:
        """Places of the film as read, [N, 2], in the stored picture: float64 [N, 2]."""
        points = np.asarray(places, dtype=np.float64).reshape(-1, 2)
        moved: NDArray[np.float64] = points @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return moved

    @property
    def from_stored(self) -> NDArray[np.float64]:
        """The way back: float64 [3, 3]."""
        return np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
