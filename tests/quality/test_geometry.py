"""Places of the film as it was read, found again in the stored picture."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.films.grayscale import apply_exif_orientation
from pneumoscope.quality.corrections import apply_corrections, film_geometry
from pneumoscope.types.correction import Correction, Crop, Invert, Rotate, Straighten
from pneumoscope.types.radiograph import FilmInfo, Radiograph

ROWS, COLUMNS = 300, 220


def brightest(pixels: np.ndarray) -> tuple[float, float]:
    """(x, y) of the middle of a bright spot."""
    weights = pixels.astype(np.float64) ** 2
    y, x = np.indices(pixels.shape)
    return float((weights * (x + 0.5)).sum() / weights.sum()), float((weights * (y + 0.5)).sum() / weights.sum())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "corrections",
    [
        (),
        (Invert(), Rotate(90)),
        (Rotate(180),),
        (Rotate(270), Crop(20, 30, 200, 280)),
        (Straighten(7.3),),
        (Straighten(-12.0), Crop(10, 15, 240, 210)),
        (Rotate(90), Straighten(5.0), Crop(5, 5, 200, 300)),
    ],
)
def test_a_spot_is_found_where_it_was_stored(orientation: int, corrections: tuple[Correction, ...]) -> None:
    stored = np.zeros((ROWS, COLUMNS), np.uint8)
    stored[120:126, 90:98] = 255
    upright = np.ascontiguousarray(apply_exif_orientation(stored, orientation))
    moves = tuple(each for each in corrections if not isinstance(each, Invert))
    read = apply_corrections(Radiograph(upright, 255, FilmInfo("spot")), moves)

    geometry = film_geometry(ROWS, COLUMNS, corrections, orientation=orientation)
    (place,) = geometry.to_stored([brightest(read.pixels)])

    assert place == pytest.approx(brightest(stored), abs=0.75)
    back = geometry.from_stored @ [*place, 1]
    assert back[:2] == pytest.approx(brightest(read.pixels), abs=1e-6)
