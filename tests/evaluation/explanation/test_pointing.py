from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.explanation.localization import cover_of, overlap_of, pointing_game
from pneumoscope.evaluation.explanation.network import open_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_cover_is_the_share_of_each_place() -> None:
    mask = np.zeros((80, 160), bool)
    mask[:40, :20] = True  # the upper half of the first of eight columns
    cover = cover_of(mask, (0, 0, 80, 160), (4, 8))
    expected = np.zeros((4, 8))
    expected[:2, 0] = 1
    assert np.abs(cover - expected).max() < 0.15  # the filter's own blur at the edge
    assert cover.mean() == pytest.approx(mask.mean(), abs=0.005)
    framed = cover_of(mask, (0, 0, 40, 20), (4, 8))
    assert framed.min() > 0.94
    assert np.median(framed) > 0.99


def test_a_perfect_map_and_a_wrong_one() -> None:
    lesion = np.zeros((6, 6))
    lesion[2:4, 2:4] = 1
    right, wrong = overlap_of(lesion * 5 - 1, lesion), overlap_of(1 - lesion * 5, lesion)
    assert (right.hit, right.share, right.iou) == (True, 1.0, 1.0)
    assert (wrong.hit, wrong.share, wrong.iou) == (False, 0.0, 0.0)
    assert right.touched == right.area == pytest.approx(4 / 36)
    assert overlap_of(-np.ones((6, 6)), lesion).share is None


def test_chance_is_what_random_maps_score() -> None:
    rng = np.random.default_rng(0)
    lesion = np.clip(rng.normal(size=(8, 8)), 0, 1)
    found = [overlap_of(rng.random((8, 8)), lesion) for _ in range(4000)]
    assert np.mean([o.hit for o in found]) == pytest.approx(found[0].touched, abs=0.03)
    assert np.mean([o.share for o in found if o.share is not None]) == pytest.approx(found[0].area, abs=0.01)
    assert np.mean([o.iou for o in found]) == pytest.approx(found[0].iou_by_chance, abs=0.01)


def test_a_network_that_sees_dense_places_points_better_than_one_that_sees_airy_ones(
    linear: Callable[..., Path],
) -> None:
    """From a child's healthy film to its diseased one, bright places gain evidence where the lesion is, for a network
    that likes them; for one that likes dark places it is gained elsewhere."""
    rng = np.random.default_rng(0)
    bright, dark = (
        pointing_game(open_bundle(linear(np.full((8, 8), w), name=str(w))), 6, rows=64, rng=rng) for w in (60.0, -60.0)
    )
    assert bright.films == dark.films == 6
    assert bright.auc.value is not None
    assert bright.auc.n == 12
    assert dark.auc.value == pytest.approx(1 - bright.auc.value)
    assert (bright.change_pointing.value or 0) > (dark.change_pointing.value or 0)
    assert (bright.change_share.value or 0) > 2 * (bright.share_by_chance.value or 1)
    assert (dark.change_share.value or 0) < (bright.change_share.value or 0)
