from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.faithfulness import rank_correlation
from pneumoscope.evaluation.explanation.localization import edge_weights, map_similarity, spread, summarize_mean_maps
from pneumoscope.evaluation.explanation.network import FilmEvidence

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seen(evidence: NDArray[np.floating], patient: str, *, positive: bool = True, gray: int = 100) -> FilmEvidence:
    pixels = np.full((64, 64), gray, np.uint8)
    return FilmEvidence(pixels, (0, 0, 64, 64), 0.9, evidence.astype(np.float32), patient, positive)


def test_a_map_that_is_hot_in_the_same_corner_is_found_out() -> None:
    rng = np.random.default_rng(0)
    corner = np.zeros((6, 6))
    corner[0, 5] = 9
    films = [seen(corner + 0.01 * rng.random((6, 6)), str(i)) for i in range(20)]
    found = summarize_mean_maps([*films, seen(-corner, "w", positive=False, gray=50)], "pneumonia", rng=rng)
    assert found is not None
    assert found.films == 20
    assert (found.same_peak.k, found.same_peak.n, found.peak, found.peaks) == (20, 20, (0, 5), 1)
    assert found.edge.value is not None
    assert found.edge.value > 0.7
    assert found.edge_area == pytest.approx(0.36)
    assert found.spread_of_mean == pytest.approx(found.spread.value, abs=0.01)
    assert [(mean.name, mean.films) for mean in found.means] == [("with pneumonia", 20), ("without pneumonia", 1)]
    assert np.array(found.means[1].evidence)[0, 5] == -9
    assert np.array(found.means[0].image).shape == (48, 48)
    assert np.allclose(found.means[0].image, 100, atol=0.1)


def test_maps_that_have_nothing_in_common() -> None:
    rng = np.random.default_rng(1)
    films = [seen(rng.normal(size=(6, 6)), str(i)) for i in range(60)]
    found = summarize_mean_maps(films, "pneumonia", rng=rng)
    assert found is not None
    assert found.alike.value == pytest.approx(0, abs=0.03)
    assert found.peaks > 20
    assert (found.same_peak.value or 1) < 0.15
    assert found.edge.value == pytest.approx(0.36, abs=0.04)
    assert found.spread_of_mean < 0.6  # what is left of noise around 0, cut at 0


def test_one_film_gives_no_mean() -> None:
    rng = np.random.default_rng(1)
    assert summarize_mean_maps([seen(rng.normal(size=(6, 6)), "a")], "pneumonia", rng=rng) is None


def test_alikeness_is_the_mean_over_all_pairs() -> None:
    maps = np.random.default_rng(2).normal(size=(5, 4, 4))
    maps[4] = 0.0
    by_hand = [np.mean([rank_correlation(a, b) for j, b in enumerate(maps) if j != i]) for i, a in enumerate(maps)]
    assert map_similarity(maps) == pytest.approx(by_hand)


def test_spread_of_a_point_and_of_a_plane() -> None:
    point = np.zeros((5, 5))
    point[2, 2] = 3
    assert spread(point) == pytest.approx(1 / 25)
    assert spread(np.full((5, 5), 0.1)) == pytest.approx(1)
    assert spread(np.zeros((5, 5))) == 0


def test_edge_weights_are_areas() -> None:
    for shape in ((5, 5), (12, 12), (7, 20)):
        assert edge_weights(*shape).mean() == pytest.approx(1 - 0.8 * 0.8)
    assert edge_weights(20, 20)[10, 10] == pytest.approx(0)
    assert edge_weights(20, 20)[0, 10] == 1
    assert edge_weights(5, 5)[0, 2] == pytest.approx(0.5)
