"""What is fitted on a site's films."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import SiteError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.stats.calibration import expected_calibration_error, fit_temperature_and_bias
from pneumoscope.training.site.fit import SiteOptions, check_enough, fit_site, relative_logits

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.training.site.films import SiteFilms

OPTIONS = SiteOptions("Ward", missed=0.05, false_calls=0.05, screening_recall=0.95)


@pytest.mark.parametrize("binary", [False, True])
def test_new_films_of_the_site_are_calibrated(drawn: Callable[..., SiteFilms], binary: bool) -> None:
    fitted = fit_site(drawn(800, binary=binary), OPTIONS)
    new = drawn(20_000, seed=1)
    before = new.probabilities[:, 1:].sum(axis=1)
    after = calibrated_probabilities(relative_logits(new.probabilities), fitted.calibrator)[:, 1:].sum(axis=1)
    was, now = (expected_calibration_error(new.truth, p) for p in (before, after))
    assert was > 0.06
    assert now < 0.6 * was  # not 0: no temperature and bias are just right for these films
    if binary:
        assert fitted.calibrator.bias[1] == fitted.calibrator.bias[2]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sets_of_new_films_hold_their_class_as_often_as_promised(drawn: Callable[..., SiteFilms], seed: int) -> None:
    fitted = fit_site(drawn(1000, seed), OPTIONS)
    new = drawn(10_000, seed=9)
    p, labels = (
        calibrated_probabilities(relative_logits(new.probabilities), fitted.calibrator),
        new.admitted.argmax(axis=1),
    )
    for level in fitted.conformal:
        held = 1 - p[np.arange(len(p)), labels] <= np.array(level.quantiles)[labels]
        for c in range(3):
            assert held[labels == c].mean() == pytest.approx(level.coverage, abs=0.045)


def test_few_films_move_a_calibration_little(drawn: Callable[..., SiteFilms]) -> None:
    """50 films that the bundle separates wholly would send a free temperature to 0."""
    films = drawn(50, apart=4.0)
    kept = fit_site(films, OPTIONS).calibrator
    free, _ = fit_temperature_and_bias(relative_logits(films.probabilities), films.admitted, l2=1e-6)
    assert free < 0.2
    assert kept.temperature > 0.3
    assert max(abs(bias) for bias in kept.bias) < 2


def test_a_promise_that_the_films_cannot_make_is_made_weaker(drawn: Callable[..., SiteFilms]) -> None:
    films = drawn(60)
    fitted = fit_site(films, SiteOptions("Ward", missed=0.01, false_calls=0.3))
    assert fitted.stated == (1 / (int(films.truth.sum()) + 1), 0.3)
    assert 0 < fitted.bounds.lower <= fitted.bounds.upper < 1


def test_a_prevalence_is_what_the_probabilities_then_hold_for(drawn: Callable[..., SiteFilms]) -> None:
    fitted = fit_site(drawn(3000), SiteOptions("Ward", prevalence=0.1))
    new = drawn(20_000, seed=1)
    p = calibrated_probabilities(relative_logits(new.probabilities), fitted.calibrator)[:, 1:].sum(axis=1)
    weight = np.where(new.truth, 0.1 / new.truth.mean(), 0.9 / (1 - new.truth.mean()))
    assert (weight * p).mean() == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("n", "with_it", "people", "message"),
    [(40, 20, 40, "too few: 40 were read"), (80, 5, 80, "5 with pneumonia"), (80, 40, 8, "of 4 patients only")],
)
def test_too_few_films_or_patients_are_told(n: int, with_it: int, people: int, message: str) -> None:
    truth, patients = np.arange(n) < with_it, (np.arange(n) * people // n).astype(np.str_)
    with pytest.raises(SiteError, match=message):
        check_enough(truth, patients, "pneumonia")
