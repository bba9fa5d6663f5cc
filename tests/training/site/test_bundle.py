"""The new bundle, its record, and the sentences beside it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.errors import SiteError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import SCHEMA_VERSION
from pneumoscope.stats.drift import drift_from_quantiles, quantiles_of
from pneumoscope.training.drift_baseline import FilmStatistics
from pneumoscope.training.site.bundle import compose, recalibrate
from pneumoscope.training.site.fit import SiteOptions, fit_site, relative_logits

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.model.schema import BundleMeta, DriftBaseline
    from pneumoscope.training.site.films import SiteFilms

OPTIONS = SiteOptions("Ward 3, East", by="A. Person", repeats=1, precision=0.02)


def test_the_composed_calibrator_is_the_one_after_the_other(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta
) -> None:
    """The bundle's logits by the new calibrator are its old probabilities by the fitted change."""
    logits = np.random.default_rng(5).normal(size=(100, 3)) * 4
    old = calibrated_probabilities(logits, tiny_meta.calibrator)
    change = fit_site(drawn(100), OPTIONS).calibrator
    composed = compose(tiny_meta.calibrator, change)
    np.testing.assert_allclose(
        calibrated_probabilities(logits, composed), calibrated_probabilities(relative_logits(old), change), atol=1e-12
    )
    assert recalibrate(tiny_meta, "", drawn(100), OPTIONS).meta.calibrator == composed


def test_the_training_stays_and_the_site_is_added(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    made = recalibrate(replace(tiny_meta, schema_version=1), "cd" * 32, drawn(120), OPTIONS)
    meta, (record,) = made.meta, made.meta.sites
    assert (meta.provenance, meta.figures) == (tiny_meta.provenance, tiny_meta.figures)
    assert meta.figures_on == "nothing real, with the thresholds that it had before any re-calibration"
    assert meta.schema_version == SCHEMA_VERSION
    assert meta.version == "1+ward-3-east"
    assert [point.preset for point in meta.operating_points] == ["screening", "balanced"]  # the bundle's own order
    assert [level.coverage for level in meta.conformal] == [0.9, 0.95]
    assert meta.band is not None
    assert (record.site, record.by, record.films, record.patients) == ("Ward 3, East", "A. Person", 120, 120)
    assert (record.manifest_sha256, record.bundle_sha256) == ("ab" * 32, "cd" * 32)
    assert record.created.endswith("+00:00")
    point = meta.operating_points[1]
    assert point.sensitivity.value == made.after.sensitivity["balanced"].value
    assert "cross-fitted by patient" in point.chosen_on
    assert record.figures["sensitivity (balanced)"].value == point.sensitivity.value
    again = recalibrate(meta, "ef" * 32, drawn(120, seed=4), OPTIONS).meta
    assert again.figures_on == meta.figures_on
    assert [site.bundle_sha256 for site in again.sites] == ["cd" * 32, "ef" * 32]


def test_later_films_are_compared_with_the_sites_own(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta, tiny_reference: DriftBaseline
) -> None:
    """The new calibrator gives the validation films other scores, so that the old reference would be wrong."""
    films = drawn(120)
    old = replace(tiny_meta, reference=tiny_reference)
    assert recalibrate(old, "", films, OPTIONS).meta.reference is None
    brightness = np.random.default_rng(2).random(120)
    measured = FilmStatistics(
        np.ones(120, np.bool_), np.full((120, 2), 500), dict.fromkeys(tiny_reference.statistics, brightness)
    )
    made = recalibrate(old, "", replace(films, measured=measured), OPTIONS)
    found = made.meta.reference
    assert found is not None
    assert found.on == "120 films of 120 patients of Ward 3, East"
    assert (found.films, found.finding, found.size) == (120, int(films.truth.sum()), (500, 500))
    assert found.statistics["mean"] == quantiles_of(brightness)
    p = calibrated_probabilities(relative_logits(films.probabilities), fit_site(films, OPTIONS).calibrator)
    assert found.score == quantiles_of(p[:, 1:].sum(axis=1))
    assert drift_from_quantiles(found.score, 120, films.probabilities[:, 1:].sum(axis=1)).alarm  # the scores of before


def test_too_few_films_for_the_precision_are_told_with_how_many_are_needed(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta
) -> None:
    made = recalibrate(tiny_meta, "", drawn(80), OPTIONS)
    (said,) = [remark for remark in made.meta.sites[0].remarks if "too few for the asked precision" in remark]
    assert "precision of 2 points" in said
    wide = [each for each in made.precision if each.needed]
    assert wide
    for each in wide:
        assert each.needed > each.rate.n
        assert each.half_width > 0.02
    easy = recalibrate(tiny_meta, "", drawn(400), replace(OPTIONS, precision=0.2))
    assert not any(each.needed for each in easy.precision)
    assert not any("too few for the asked" in remark for remark in easy.meta.sites[0].remarks)


def test_what_the_films_cannot_promise_is_told(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    films = replace(
        drawn(60, binary=True), refused=(("a.png", "the film is blurred"),), unused={"hernia": 3, "mass": 9}
    )
    said = " ".join(recalibrate(tiny_meta, "", films, OPTIONS).meta.sites[0].remarks)
    assert "% missed, not the asked 1 %" in said
    assert "; 99 could." in said
    assert "The labels do not tell bacterial from viral" in said
    assert "calibrate again with --prevalence" in said
    assert "1 of 61 films were refused by the reader (2 %) and left out, the first because the film is blurred." in said
    assert "12 films have labels that say nothing of pneumonia and were left out: mass, hernia." in said
    told = recalibrate(tiny_meta, "", films, replace(OPTIONS, prevalence=0.2)).meta.sites[0]
    assert told.prevalence == 0.2
    assert not any("--prevalence" in remark for remark in told.remarks)


def test_a_class_with_too_few_films_for_a_set_is_told(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    made = recalibrate(tiny_meta, "", drawn(70), OPTIONS)
    (said,) = [remark for remark in made.meta.sites[0].remarks if remark.startswith("Every 95 % set holds viral")]
    assert "takes 19 films" in said


@pytest.mark.parametrize(
    ("apart", "floor", "words"),
    [
        (-1.0, 0.75, "worse than a coin"),
        (0.15, 0.95, "all of it below the floor of 0.95"),
        (0.0, 0.505, "does not exclude a coin's 0.5"),
    ],
)
def test_a_ranking_that_fails_is_refused_with_the_reason(
    drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta, apart: float, floor: float, words: str
) -> None:
    with pytest.raises(SiteError, match="re-calibration cannot help: the ranking fails") as caught:
        recalibrate(tiny_meta, "", drawn(200, apart=apart), replace(OPTIONS, floor=floor))
    assert words in caught.value.what
    assert caught.value.exit_code == 6


def test_a_ranking_in_doubt_is_told_and_goes_on(drawn: Callable[..., SiteFilms], tiny_meta: BundleMeta) -> None:
    sound = recalibrate(tiny_meta, "", drawn(150, apart=0.5), replace(OPTIONS, floor=0.6))
    auc = sound.ranking.auc
    made = recalibrate(tiny_meta, "", drawn(150, apart=0.5), replace(OPTIONS, floor=auc.value))
    assert (sound.ranking.verdict, made.ranking.verdict) == ("holds", "doubtful")
    assert made.meta.sites[0].remarks[0].startswith("The ranking is in doubt: the AUC on these films is ")


def test_no_torch_is_needed() -> None:
    """Every module of the room, and the verb, where torch and what comes with it cannot be imported."""
    code = (
        "import sys\n"
        "for name in ('torch', 'lightning', 'transformers', 'pyarrow', 'matplotlib'): sys.modules[name] = None\n"
        "import pneumoscope.training.site.bundle, pneumoscope.training.site.films, pneumoscope.cli.calibrate_site\n"
        "import pneumoscope.cli.calibrate_site, pneumoscope.data\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
