"""The shipped bundle is what it says it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from pneumoscope import load
from pneumoscope.cli.train import load_manifest
from pneumoscope.model.bundle import read_bundle, shipped_bundles
from pneumoscope.stats.roc import roc_auc
from pneumoscope.training.config import CalibrationConfig, TrainConfig, find_recipe
from pneumoscope.training.setup import split_for

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_default_bundle_is_small_and_whole() -> None:
    path = shipped_bundles()["standard"]
    assert path.stat().st_size <= 12_000_000
    _, meta, _ = read_bundle(path)
    assert meta.class_names == ("normal", "bacterial", "viral")
    assert {point.preset for point in meta.operating_points} == {"balanced", "screening"}
    assert "Research use only" in meta.notice
    assert b"site-packages" not in path.read_bytes()


@pytest.mark.parametrize(("bundle", "name"), [("standard", "shipped"), ("guangzhou", "guangzhou")])
def test_its_provenance_is_its_recipe(bundle: str, name: str) -> None:
    """Anybody can make it again: what the bundle says it was trained with is what the recipe says."""
    _, meta, _ = read_bundle(shipped_bundles()[bundle])
    recipe = TrainConfig.load(find_recipe(name))
    said = meta.provenance.config
    assert (said["network"]["name"], said["network"]["options"]) == (recipe.network.name, recipe.network.options)
    for key in ("epochs", "epoch_films", "learning_rate", "label_smoothing", "ema"):
        assert said["optim"][key] == getattr(recipe.optim, key)
    assert said["seed"] == recipe.seed
    assert msgspec.convert(said["calibration"], CalibrationConfig) == recipe.calibration
    assert said["data"]["size"] == recipe.data.size == meta.preprocess.size
    assert len(meta.provenance.manifest_sha256) == len(meta.provenance.split_sha256) == 64


def test_the_bundles_say_where_they_learned_and_what_nobody_knows_of_them() -> None:
    """The licence of the reads is not that of the films, and the next hospital is not home."""
    _, standard, _ = read_bundle(shipped_bundles()["standard"])
    _, guangzhou, _ = read_bundle(shipped_bundles()["guangzhou"])
    assert [site.name for site in standard.learned_from] == ["chest_xray", "nih_rsna"]
    assert "non-commercial" in standard.learned_from[1].licence
    assert [site.name for site in guangzhou.learned_from] == ["chest_xray"]
    assert "third hospital" in standard.intended_use
    assert guangzhou.figures["AUC"].n == 5010  # all of the hospital that was left out
    assert guangzhou.figures["AUC"].value < standard.figures["AUC"].value
    assert all(len(films) > 200 for films in (*standard.learned_films, *guangzhou.learned_films))


@pytest.mark.parametrize("bundle", ["standard", "best", "guangzhou"])
@pytest.mark.parametrize("name", ["normal", "bacterial", "viral"])
def test_it_reads_the_examples(name: str, bundle: str) -> None:
    reading = load(bundle).read(EXAMPLES / f"phantom-{name}.png")
    assert reading.status == "read"
    assert reading.probabilities is not None
    assert sum(reading.probabilities.values()) == pytest.approx(1)


@pytest.mark.real
@pytest.mark.slow
def test_its_figures_are_found_again_on_the_held_out_films(real_data: Path) -> None:
    """The films are those that it never saw, and reading them from their files gives the figures that it states."""
    reader = load("standard")
    meta = reader.meta
    config = TrainConfig.load(find_recipe("shipped"))
    manifest = load_manifest([str(real_data / "chest_xray"), str(real_data / "nih_rsna")], config)
    assert manifest.sha256 == meta.provenance.manifest_sha256
    split = split_for(manifest, config)
    assert split.sha256 == meta.provenance.split_sha256
    rows = [manifest.films[int(row)] for row in split.parts["test"]]
    readings = list(reader.read_many([manifest.root / row.path for row in rows]))
    score = np.array([reading.finding.probability for reading in readings if reading.finding])
    truth = np.array([row.label != "normal" for row, reading in zip(rows, readings, strict=True) if reading.finding])
    assert roc_auc(truth, score) == pytest.approx(meta.figures["AUC"].value, abs=5e-3)
