"""Chosen and stated on sites that were left out in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import Calibrator
from pneumoscope.training.across_sites import LeftOutSite, choose_across_sites, composed
from pneumoscope.training.config import CalibrationConfig

POSITIVE = (False, True, True)


def site(name: str, *, sick: int, well: int, shift: float, seed: int, partial: bool = False) -> LeftOutSite:
    """A site whose films all look more (or less) suspicious by a shift than those at home."""
    random = np.random.default_rng(seed)
    kind = np.repeat([0, 1, 2], [well, sick - sick // 2, sick // 2])
    logits = random.normal(0, 1, (len(kind), 3))
    logits[np.arange(len(kind)), kind] += 2.5
    logits[:, 1:] += shift
    allowed = np.eye(3, dtype=np.bool_)[kind]
    if partial:
        allowed[kind > 0] = [False, True, True]
    return LeftOutSite(name, logits, allowed, np.array([f"{name}/{number // 2}" for number in range(len(kind))]))


def test_the_correction_and_the_thresholds_take_a_common_shift_back() -> None:
    sites = [site(name, sick=300, well=200, shift=2.0, seed=seed) for seed, name in enumerate("ab")]
    found = choose_across_sites(sites, POSITIVE, CalibrationConfig())
    assert found.correction.bias[0] > 1
    assert found.correction.bias[1] == found.correction.bias[2]
    balanced = found.operating_points[0]
    assert balanced.preset == "balanced"
    assert balanced.specificity.value > 0.6
    for each in sites:
        p = calibrated_probabilities(each.logits, found.correction)
        score, truth = p[:, 1:].sum(axis=1), each.allowed[:, 1:].any(axis=1)
        weights = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
        assert (weights * score).sum() == pytest.approx(0.5, abs=0.05)


def test_what_is_stated_of_a_site_is_at_the_others_thresholds() -> None:
    """A site unlike the others is missed by them, and that is what a new hospital may meet."""
    alike = [site(name, sick=200, well=200, shift=0.0, seed=seed) for seed, name in enumerate("abc")]
    odd = site("odd", sick=200, well=200, shift=3.0, seed=9, partial=True)
    expected = choose_across_sites([*alike, odd], POSITIVE, CalibrationConfig()).expected[0]
    by_site = {rates.site: rates for rates in expected.sites}
    assert expected.worst == "odd"
    assert by_site["odd"].specificity.value < 0.6 < by_site["a"].specificity.value
    assert expected.specificity.predicted_low < by_site["odd"].specificity.value
    assert by_site["odd"].auc is not None
    assert by_site["odd"].auc.value > 0.85


def test_a_large_site_does_not_outvote_a_small_one() -> None:
    small, large = site("s", sick=60, well=60, shift=1.5, seed=1), site("l", sick=60, well=60, shift=-1.5, seed=2)
    many = LeftOutSite(
        "l",
        np.repeat(large.logits, 20, axis=0),
        np.repeat(large.allowed, 20, axis=0),
        np.repeat(large.patients, 20, axis=0),
    )
    once = choose_across_sites([small, large], POSITIVE, CalibrationConfig())
    often = choose_across_sites([small, many], POSITIVE, CalibrationConfig())
    assert often.correction.bias == pytest.approx(once.correction.bias, abs=1e-3)
    assert often.operating_points[0].threshold == pytest.approx(once.operating_points[0].threshold, abs=0.05)


def test_a_calibrator_and_a_correction_are_one_calibrator() -> None:
    home, correction = Calibrator(1.7, (0.2, -0.3, 0.1)), Calibrator(0.8, (-0.5, 0.25, 0.25))
    logits = np.random.default_rng(3).normal(0, 3, (20, 3))
    in_two = calibrated_probabilities(np.log(calibrated_probabilities(logits, home)), correction)
    np.testing.assert_allclose(calibrated_probabilities(logits, composed(home, correction)), in_two, atol=1e-9)


def test_one_site_or_films_of_one_kind_choose_nothing() -> None:
    one = site("a", sick=20, well=20, shift=0, seed=0)
    with pytest.raises(UsageError):
        choose_across_sites([one], POSITIVE, CalibrationConfig())
    with pytest.raises(TrainingError, match="healthy"):
        choose_across_sites([one, site("healthy", sick=0, well=20, shift=0, seed=1)], POSITIVE, CalibrationConfig())


def test_blocks_of_known_sites_are_called_so_and_not_mixed_with_sites() -> None:
    blocks = [replace(site(name, sick=80, well=80, shift=0, seed=seed), block=True) for seed, name in enumerate("ab")]
    found = choose_across_sites(blocks, POSITIVE, CalibrationConfig())
    assert {expected.basis for expected in found.expected} == {"blocks"}
    assert "lowest numbers" in found.operating_points[0].chosen_on
    with pytest.raises(UsageError, match="block"):
        choose_across_sites([blocks[0], site("b", sick=80, well=80, shift=0, seed=1)], POSITIVE, CalibrationConfig())


def test_two_sites_are_told_by_their_plain_mean_and_their_own_intervals() -> None:
    sites = [
        site(name, sick=100, well=100, shift=shift, seed=seed)
        for seed, (name, shift) in enumerate([("a", 0.5), ("b", -0.5)])
    ]
    expected = choose_across_sites(sites, POSITIVE, CalibrationConfig()).expected[0]
    own = [rates.specificity for rates in expected.sites]
    assert expected.specificity.value == pytest.approx(sum(rate.value for rate in own) / 2)
    assert (expected.specificity.low, expected.specificity.high) == (min(r.low for r in own), max(r.high for r in own))


def test_the_rates_of_blocks_are_counted_at_the_threshold_that_is_kept() -> None:
    blocks = [replace(site(name, sick=90, well=70, shift=0.3, seed=seed), block=True) for seed, name in enumerate("ab")]
    found = choose_across_sites(blocks, POSITIVE, CalibrationConfig())
    for point in found.operating_points:
        called = [
            calibrated_probabilities(each.logits, found.correction)[:, 1:].sum(axis=1) >= point.threshold
            for each in blocks
        ]
        truth = [each.allowed[:, 1:].any(axis=1) for each in blocks]
        hits = sum(int((c & t).sum()) for c, t in zip(called, truth, strict=True))
        passed = sum(int((~c & ~t).sum()) for c, t in zip(called, truth, strict=True))
        assert (point.sensitivity.k, point.sensitivity.n) == (hits, 180)
        assert (point.specificity.k, point.specificity.n) == (passed, 140)
