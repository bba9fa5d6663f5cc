"""The stated rates are those of films that did not choose the threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.training import operating_points as decisions
from pneumoscope.training.site.fit import SiteOptions, cross_fitted_metrics, fit_site, metrics_before, relative_logits

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.model.schema import BundleMeta, ThreeWayPoint
    from pneumoscope.training.site.films import SiteFilms

OPTIONS = SiteOptions("Ward", missed=0.05, false_calls=0.05, screening_recall=0.95, repeats=1)


@pytest.mark.slow
def test_the_intervals_hold_what_new_films_then_show(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    """Over 40 hospitals of 100 films: the true rate lies in the interval about as often as it says, and no bias."""
    new = drawn(20_000, seed=1000)
    held, stated, true = [], [], []
    for seed in range(40):
        films = drawn(100, seed)
        fitted, judged = fit_site(films, OPTIONS), cross_fitted_metrics(films, tiny_meta, OPTIONS)
        score = calibrated_probabilities(relative_logits(new.probabilities), fitted.calibrator)[:, 1:].sum(axis=1)
        for preset, threshold in fitted.thresholds.items():
            called = score >= threshold.value
            rates = (called[new.truth].mean(), (~called)[~new.truth].mean())
            for rate, interval in zip(rates, (judged.sensitivity[preset], judged.specificity[preset]), strict=True):
                held.append(interval.low <= rate <= interval.high)
                stated.append(interval.value)
                true.append(rate)
    assert np.mean(held) > 0.9
    assert np.mean(stated) == pytest.approx(np.mean(true), abs=0.012)


def test_what_is_stated_is_not_what_the_films_themselves_show(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels without any relation to the films: Youden's threshold finds something, cross-fitted it finds nothing."""
    monkeypatch.setattr(decisions, "_MISSED_WEIGHS", 1)  # with 2, the best is to call nearly every film
    films = drawn(120, apart=0.0)
    fitted, judged = fit_site(films, OPTIONS), cross_fitted_metrics(films, tiny_meta, replace(OPTIONS, repeats=4))
    score = calibrated_probabilities(relative_logits(films.probabilities), fitted.calibrator)[:, 1:].sum(axis=1)
    called = score >= fitted.thresholds["balanced"].value
    youden = called[films.truth].mean() + (~called)[~films.truth].mean() - 1
    honest = judged.sensitivity["balanced"].value + judged.specificity["balanced"].value - 1
    assert youden > 0.1
    assert honest < youden - 0.08


def test_patients_stay_together(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    """Four copies of each of 60 films tell what the 60 tell: no copy is judged by a threshold that another chose."""
    alone = drawn(60, apart=0.6)
    copies = alone.take(np.repeat(np.arange(60), 4))
    one, four = (cross_fitted_metrics(films, tiny_meta, replace(OPTIONS, repeats=5)) for films in (alone, copies))
    for first, second in ((one.sensitivity, four.sensitivity), (one.specificity, four.specificity)):
        assert second["balanced"].n == 4 * first["balanced"].n
        assert second["balanced"].value == pytest.approx(first["balanced"].value, abs=0.06)
        widths = [each["balanced"].high - each["balanced"].low for each in (first, second)]
        assert widths[1] == pytest.approx(widths[0], rel=0.3)


def test_the_bundle_as_it_is_has_its_own_thresholds(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta, tiny_band: ThreeWayPoint
) -> None:
    films = drawn(150)
    judged = metrics_before(films, replace(tiny_meta, band=tiny_band))
    score = films.probabilities[:, 1:].sum(axis=1)
    assert judged.sensitivity["balanced"].k == int((score[films.truth] >= 0.6).sum())
    assert judged.specificity["screening"].k == int((score[~films.truth] < 0.2).sum())
    assert judged.band is not None
    assert judged.band.between.k == int(((score >= 0.3) & (score < 0.7)).sum())
    assert metrics_before(films, tiny_meta).band is None
    inside = 1 - films.probabilities <= np.array(tiny_meta.conformal[1].quantiles)
    normal = films.admitted[:, 0]
    assert judged.coverage[0.9]["normal"].k == int(inside[normal, 0].sum())
    assert judged.size[0.9] == pytest.approx(inside.sum(axis=1).mean())


def test_films_of_a_known_side_are_covered_as_a_side(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    judged = cross_fitted_metrics(drawn(200, binary=True), tiny_meta, OPTIONS)
    assert set(judged.coverage[0.9]) == {"normal", "bacterial or viral"}
    assert judged.coverage[0.9]["bacterial or viral"].value > 0.8
