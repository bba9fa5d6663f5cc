from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.evidence import finding_evidence, finding_map
from pneumoscope.model.schema import Calibrator, ClassSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta

SIDE = 4


def log_odds(maps: NDArray[np.float64], meta: BundleMeta) -> float:
    """The finding's calibrated log-odds, straight from the maps and by another way than the code's."""
    logits = maps.mean(axis=(1, 2)) + np.array(meta.evidence_bias)
    probabilities = calibrated_probabilities(logits, meta.calibrator)
    positive = list(meta.positive)
    negative = [i for i in range(len(meta.classes)) if i not in positive]
    return float(np.log(probabilities[positive].sum()) - np.log(probabilities[negative].sum()))


@pytest.mark.parametrize("seed", range(5))
def test_the_map_is_the_slope_of_the_log_odds_at_every_place(tiny_meta: BundleMeta, seed: int) -> None:
    """Scale all maps at one place by 1 + e: the log-odds change by e times the map there, over the number of places."""
    maps = np.random.default_rng(seed).normal(size=(3, SIDE, SIDE)) * 3
    logits = maps.mean(axis=(1, 2)) + np.array(tiny_meta.evidence_bias)

    joined = finding_map(maps.astype(np.float32), logits.astype(np.float32), tiny_meta)

    small = 1e-5
    for row in range(SIDE):
        for column in range(SIDE):
            more, less = maps.copy(), maps.copy()
            more[:, row, column] *= 1 + small
            less[:, row, column] *= 1 - small
            change = (log_odds(more, tiny_meta) - log_odds(less, tiny_meta)) / (2 * small)
            assert joined[row, column] / SIDE**2 == pytest.approx(change, rel=1e-3, abs=1e-5)


def test_with_one_class_on_each_side_it_is_exact(tiny_meta: BundleMeta) -> None:
    """Then the mean of the map is the log-odds itself, but for the constants."""
    two = replace(
        tiny_meta,
        classes=(ClassSpec("normal", False), ClassSpec("pneumonia", True)),
        evidence_bias=(0.3, -0.7),
        calibrator=Calibrator(1.6, (0.1, -0.2)),
        conformal=(),
    )
    maps = np.random.default_rng(1).normal(size=(2, SIDE, SIDE))
    logits = maps.mean(axis=(1, 2)) + np.array(two.evidence_bias)

    joined = finding_map(maps.astype(np.float32), logits.astype(np.float32), two)

    constants = (-0.7 - 0.3) / 1.6 + (-0.2 - 0.1)
    assert joined.mean() + constants == pytest.approx(log_odds(maps, two), rel=1e-5)


def test_what_speaks_for_normal_speaks_against_the_finding(tiny_meta: BundleMeta) -> None:
    maps = np.zeros((3, SIDE, SIDE), np.float32)
    maps[0, 0, 0] = 5  # normal, in the patient's right upper zone
    maps[1, 3, 3] = 5  # bacterial, in the left lower

    evidence = finding_evidence(maps, np.zeros(3, np.float32), tiny_meta, (0, 0, 8, 8))

    assert evidence.map[0, 0] < 0 < evidence.map[3, 3]
    assert evidence.zones["left lower"] == pytest.approx(1)
    assert evidence.zones["right upper"] == 0
    assert evidence.frame == (0, 0, 8, 8)
