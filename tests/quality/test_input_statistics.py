"""Input statistics: of the film as it was decoded, in shares of white, whatever its depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.films.load import load
from pneumoscope.quality.measures import INPUT_STATISTICS, input_statistics
from pneumoscope.server.store.tables import film

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_a_slope_by_hand() -> None:
    slope = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    found = input_statistics(load(slope))
    assert tuple(found) == INPUT_STATISTICS
    assert found["mean"] == pytest.approx(99.5 / 255)
    assert found["std"] == pytest.approx(np.std(np.arange(200)) / 255, rel=1e-5)
    assert found["p1"] == pytest.approx(np.percentile(np.arange(200), 1) / 255, abs=0.002)
    assert found["p99"] == pytest.approx(np.percentile(np.arange(200), 99) / 255, abs=0.002)
    assert found["aspect"] == 2


@pytest.mark.parametrize("size", [(90, 120), (700, 900)])
def test_a_deep_film_has_the_numbers_of_a_shallow_one(size: tuple[int, int]) -> None:
    coarse: NDArray[np.uint8] = np.random.default_rng(3).integers(0, 256, size, dtype=np.uint8)
    shallow, deep = (input_statistics(load(pixels)) for pixels in (coarse, coarse.astype(np.uint16) * 257))
    assert deep == pytest.approx(shallow, abs=1e-3)


def test_they_are_of_the_film_before_anything_is_put_right() -> None:
    slope = np.tile(np.arange(200, dtype=np.uint8), (100, 1))
    upright, turned, inverted = (input_statistics(load(each)) for each in (slope, slope.T.copy(), 255 - slope))
    assert turned["aspect"] == 1 / upright["aspect"]
    assert inverted["mean"] == pytest.approx(1 - upright["mean"])


def test_the_worklist_has_a_column_for_each() -> None:
    assert set(INPUT_STATISTICS) <= set(film.c.keys())
