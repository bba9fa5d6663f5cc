"""What was read of a film, laid over its stored pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pneumoscope.reports.overlay import resampled_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.film_geometry import FilmGeometry
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["stored_evidence", "stored_mask"]

_GRID = 512  # places of the longer side of the film as it was read


def stored_mask(mask: NDArray[np.bool_], geometry: FilmGeometry) -> NDArray[np.bool_]:
    """A mask of the film as it was read, over the stored pixels.

    Args:
        mask: bool [rows, columns] as read.
        geometry: Of the film.

    Returns:
        bool [rows, columns] as stored.
    """
    values = _laid(mask.astype(np.float32), np.eye(3), geometry, (geometry.rows, geometry.columns))
    placed: NDArray[np.bool_] = values >= 0.5
    return placed


def stored_evidence(
    evidence: Evidence, film: Radiograph, geometry: FilmGeometry, size: tuple[int, int]
) -> NDArray[np.float32]:
    """The evidence over the whole stored picture, 0 where the network did not look.

    Args:
        evidence: With its map.
        film: As it was read.
        geometry: Of it.
        size: (rows, columns) of the result, which covers the stored picture whatever they are.

    Returns:
        float32 [rows, columns], in log-odds.
    """
    scale = _GRID / max(film.rows, film.columns)
    columns, rows = max(1, round(film.columns * scale)), max(1, round(film.rows * scale))
    values = resampled_map(evidence, (columns, rows), scale)
    return _laid(values, np.diag([columns / film.columns, rows / film.rows, 1.0]), geometry, size)


def _laid(
    values: NDArray[np.float32], grid: NDArray[np.float64], geometry: FilmGeometry, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Values on a grid over the film as it was read, on a grid over the stored picture.

    Args:
        values: float32 [h, w].
        grid: float64 [3, 3], places of the film as read to those of ``values``.
        geometry: Of the film.
        size: (rows, columns) of the result.
    """
    whole = np.diag([geometry.columns / size[1], geometry.rows / size[0], 1.0])
    back = grid @ geometry.from_stored @ whole
    moved = Image.fromarray(values).transform(
        (size[1], size[0]), Image.Transform.AFFINE, back[:2].ravel().tolist(), Image.Resampling.BILINEAR
    )
    return np.asarray(moved, dtype=np.float32)
