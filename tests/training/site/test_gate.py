"""The gate's limits for a site: they keep their promise, are never too loose, and say when films are too few."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.quality.checks import check_quality
from pneumoscope.quality.spec import shipped_quality_spec
from pneumoscope.training.site.films import (
    LOGIT,
    LOOSEST,
    SPREAD,
    SiteQualityLimits,
    film_strain,
    fit_quality_limits,
    limits_at,
)
from pneumoscope.types.radiograph import FilmInfo, Radiograph
from quality_head import bones, scenes, slices


def fitted(strains: np.ndarray, patients: np.ndarray | None = None, asked: float = 0.05) -> SiteQualityLimits:
    people = np.arange(len(strains)).astype(np.str_) if patients is None else patients
    return fit_quality_limits(strains, strains > 0, people, shipped_quality_spec(), asked=asked, site="Ward 3")


def picture(gray: np.ndarray) -> Radiograph:
    return Radiograph(np.rint(np.clip(gray, 0, 1) * 255).astype(np.uint8), 255, FilmInfo("picture"))


def test_the_promise_holds_for_films_that_chose_nothing() -> None:
    rng = np.random.default_rng(0)
    refused, stated = [], []
    for _ in range(300):
        site = fitted(rng.normal(0, 0.3, 60))
        refused.append(float((rng.normal(0, 0.3, 500) > site.strain).mean()))
        stated.append(site.after.value)
    assert np.mean(refused) == pytest.approx(0.05, abs=0.008)
    assert np.mean(stated) == pytest.approx(np.mean(refused), abs=0.01)


def test_the_limits_say_on_what_they_rest() -> None:
    strains = np.linspace(-3, 0.5, 100)
    site = fitted(strains)
    assert np.sort(strains)[94] < site.strain < np.sort(strains)[95]
    assert site.needed == 0
    assert (site.before.k, site.before.n) == (int((strains > 0).sum()), 100)
    assert site.after.value < site.before.value
    assert site.spec.fit == pytest.approx(shipped_quality_spec().fit - LOGIT * site.strain, abs=1e-3)
    assert site.spec.distance == pytest.approx(shipped_quality_spec().distance + SPREAD * site.strain, abs=1e-3)
    assert (site.spec.films, site.spec.false_refusals) == (100, round(site.after.value, 4))
    assert "100 films of 100 patients of Ward 3" in site.spec.chosen_on
    assert not list(site.remarks())


def test_too_few_films_are_told_and_never_tighten() -> None:
    site = fitted(np.full(50, -4.0), asked=0.01)
    assert site.strain == 0
    assert (site.needed, site.stated) == (99, 1 / 51)
    (told,) = site.remarks()
    assert "up to 2.0 % of good films, not the asked 1 %: 50 films can promise no less; 99 could." in told


def test_enough_films_never_ask_for_more_than_even_odds() -> None:
    site = fitted(np.full(200, -9.0), asked=0.01)
    assert site.spec.fit == 0
    assert site.spec.distance < shipped_quality_spec().distance


def test_films_that_are_no_chest_films_do_not_open_the_gate() -> None:
    site = fitted(np.r_[np.full(80, -5.0), np.full(10, 0.7), np.full(30, 9.0)])
    assert site.strain == 0.7  # as loose as helps a film, and no looser
    assert site.beyond == 30
    assert site.stated == pytest.approx(0.25)
    assert site.after.value == pytest.approx(0.25)
    assert "30 of 120 films look so unlike" in " ".join(site.remarks())


def test_one_wild_film_among_good_ones_opens_nothing() -> None:
    for count in (60, 120):
        site = fitted(np.r_[np.full(count, -5.0), 9.0], asked=0.01)
        assert site.strain <= 0
        assert site.beyond == 1
        assert site.spec.fit >= shipped_quality_spec().fit


def test_a_patient_does_not_choose_the_limits_for_himself() -> None:
    """Ten films of one patient at 0.9: with them the limits would pass them, without them they do not."""
    strains = np.r_[np.full(90, -2.0), np.full(10, 0.9)]
    alone = np.r_[np.arange(90), np.full(10, 90)].astype(np.str_)
    assert fitted(strains, alone, asked=0.02).after.k == 10
    assert fitted(strains, alone, asked=0.02).strain == pytest.approx(0.9)


@pytest.mark.parametrize(
    "draw",
    [bones.hand, bones.hip, bones.skull, bones.lateral, scenes.portrait, scenes.noise, scenes.page, slices.mr_knee],
)
def test_the_loosest_limits_refuse_what_is_no_chest_film(draw: object) -> None:
    assert callable(draw)
    loosest = limits_at(LOOSEST, shipped_quality_spec())
    for seed in range(5):
        passed = check_quality(picture(draw(np.random.default_rng(seed))), loosest)
        assert passed.refusal is not None, f"{draw} with seed {seed} was let through"


def test_the_strain_of_a_film_is_what_the_limits_take() -> None:
    film = draw_phantom(3, "normal", rows=256).radiograph()
    gate = shipped_quality_spec()
    found = film_strain(film, gate)
    assert found is not None
    strain, refused = found
    assert strain < 0
    assert not refused
    upside_down: Any = np.ascontiguousarray(np.rot90(film.pixels, 2))
    turned = replace(film, pixels=upside_down)
    assert film_strain(turned, gate) == found  # judged as mended
    tight = limits_at(strain - 0.01, replace(gate))
    assert (
        check_quality(film, replace(tight, fit=shipped_quality_spec().fit - LOGIT * (strain - 0.01))).refusal
        is not None
    )
    assert film_strain(picture(np.zeros((60, 200))), gate) is None
    noise = film_strain(picture(np.random.default_rng(0).random((200, 200))), gate)
    assert noise is not None
    assert noise[0] > LOOSEST
    assert noise[1]
