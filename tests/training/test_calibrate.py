from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.errors import TrainingError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.training.calibration import CalibrationLogits, fit_calibration, weakened
from pneumoscope.training.config import AugmentConfig, CalibrationConfig

POSITIVE = (False, True, True)


def looks(count: int = 900, *, sharpness: float = 3.0, copies: int = 2, seed: int = 0) -> CalibrationLogits:
    """Logits whose true probabilities are softmax(logits / sharpness): over-sure by that factor."""
    generator = np.random.default_rng(seed)
    honest = generator.normal(size=(1 + copies, count, 3)) * 2
    honest[1:] = honest[0] + generator.normal(size=(copies, count, 3)) * 0.2
    p = np.exp(honest[0]) / np.exp(honest[0]).sum(1, keepdims=True)
    labels = np.array([generator.choice(3, p=row) for row in p])
    logits = (honest * sharpness).astype(np.float32)
    return CalibrationLogits(logits[0], logits[1:], labels.astype(np.int64))


def test_an_over_sure_network_is_cooled() -> None:
    fitted = fit_calibration(looks(sharpness=3.0, copies=0), POSITIVE, CalibrationConfig())
    assert fitted.calibrator.temperature == pytest.approx(3.0, rel=0.15)


def test_the_presets_are_what_they_promise_on_the_films_they_were_chosen_on() -> None:
    seen = looks()
    fitted = fit_calibration(seen, POSITIVE, CalibrationConfig(screening_recall=0.97))
    balanced, screening = fitted.operating_points
    assert (balanced.preset, screening.preset) == ("balanced", "screening")
    assert screening.threshold < balanced.threshold
    # Chosen on the plain films alone: the shifted looks, which are nearly always called here, have no part in it.
    score = calibrated_probabilities(seen.plain, fitted.calibrator)[:, 1:].sum(-1)
    truth = seen.labels > 0
    assert (score[truth] >= screening.threshold).mean() == pytest.approx(0.97, abs=0.002)
    youden = [2 * (score[truth] >= t).mean() + (score[~truth] < t).mean() for t in np.unique(score)]
    reached = 2 * (score[truth] >= balanced.threshold).mean() + (score[~truth] < balanced.threshold).mean()
    assert max(youden) - 0.06 < reached < max(youden)  # the middle of the plateau, whose height is one standard error
    called = score >= balanced.threshold
    assert balanced.sensitivity.n == int((seen.labels > 0).sum())
    assert balanced.sensitivity.k == int(called[seen.labels > 0].sum())
    assert balanced.specificity.k == int((~called)[seen.labels == 0].sum())
    assert balanced.sensitivity.low < balanced.sensitivity.value < balanced.sensitivity.high


def test_conformal_sets_cover_new_films_of_the_same_kind() -> None:
    fitted = fit_calibration(looks(seed=1), POSITIVE, CalibrationConfig(coverages=(0.9,)))
    new = looks(6000, seed=2)
    p = calibrated_probabilities(new.plain, fitted.calibrator)
    quantiles = np.array(fitted.conformal[0].quantiles)
    inside = 1 - p[np.arange(len(p)), new.labels] <= quantiles[new.labels]
    for label in range(3):
        assert inside[new.labels == label].mean() == pytest.approx(0.9, abs=0.04)


def test_the_band_keeps_its_stated_errors_and_its_rates_are_of_the_plain_films() -> None:
    seen = looks(sharpness=1.0)
    fitted = fit_calibration(seen, POSITIVE, CalibrationConfig(missed=0.05, false_calls=0.1))
    band = fitted.band
    assert band.stated == (0.05, 0.1)
    assert 0 < band.lower < band.upper < 1
    score = calibrated_probabilities(np.concatenate([seen.plain[None], seen.shifted]), fitted.calibrator)[..., 1:].sum(
        -1
    )
    truth = np.broadcast_to(seen.labels > 0, score.shape)
    # On the films as they are, and on these and the shifted looks together: on one of both as much as is stated.
    missed = [(score[0] < band.lower)[truth[0]].mean(), (score[truth] < band.lower).mean()]
    false_calls = [(score[0] >= band.upper)[~truth[0]].mean(), (score[~truth] >= band.upper).mean()]
    assert max(missed) == pytest.approx(0.05, abs=0.002)
    assert max(false_calls) == pytest.approx(0.1, abs=0.004)
    between = (score[0] >= band.lower) & (score[0] < band.upper)
    assert (band.between.k, band.between.n) == (int(between.sum()), len(seen.labels))
    assert band.missed.k == int((score[0] < band.lower)[truth[0]].sum())


def test_one_class_only_is_told() -> None:
    seen = looks(copies=0)
    only = CalibrationLogits(seen.plain, seen.shifted, np.ones_like(seen.labels))
    with pytest.raises(TrainingError, match="validation"):
        fit_calibration(only, POSITIVE, CalibrationConfig())


def test_a_shifted_look_hides_and_mirrors_nothing() -> None:
    milder = weakened(AugmentConfig(), 0.5)
    assert (milder.flip, milder.erase, milder.marker, milder.mixup) == (0, 0, 0, 0)
    assert milder.gamma == AugmentConfig().gamma / 2
    assert milder.jpeg == (100 + AugmentConfig().jpeg) / 2
    assert weakened(AugmentConfig(), 0.0).coarse == 1
    assert milder.blur_probability == AugmentConfig().blur_probability
