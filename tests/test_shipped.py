"""The shipped bundle is what it says it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from pneumoscope import load
from pneumoscope.data.scan import scan
from pneumoscope.data.split import make_split
from pneumoscope.model.bundle import read_bundle, shipped_bundles
from pneumoscope.stats.roc import roc_auc
from pneumoscope.training.config import CalibrationConfig, TrainConfig, find_recipe

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_default_bundle_is_small_and_whole() -> None:
    path = shipped_bundles()["standard"]
    assert path.stat().st_size <= 12_000_000
    _, meta, _ = read_bundle(path)
    assert meta.class_names == ("normal", "bacterial", "viral")
    assert {point.preset for point in meta.operating_points} == {"balanced", "screening"}
    assert "Research use only" in meta.notice
    assert b"site-packages" not in path.read_bytes()


def test_its_provenance_is_its_recipe() -> None:
    """Anybody can make it again: what the bundle says it was trained with is what the recipe says."""
    _, meta, _ = read_bundle(shipped_bundles()["standard"])
    recipe = TrainConfig.load(find_recipe("residual"))
    said = meta.provenance.config
    assert said["network"] == {"name": recipe.network.name, "options": recipe.network.options}
    assert said["optim"]["epochs"] == recipe.optim.epochs
    assert said["seed"] == recipe.seed
    assert msgspec.convert(said["calibration"], CalibrationConfig) == recipe.calibration
    assert said["data"]["size"] == recipe.data.size == meta.preprocess.size
    assert meta.provenance.citation == recipe.data.citation
    assert len(meta.provenance.manifest_sha256) == len(meta.provenance.split_sha256) == 64


def test_the_best_bundle_is_whole_and_made_of_what_it_says() -> None:
    """Its members are the recipes, and what they differ in is told; the guests are counted and hashed."""
    path = shipped_bundles()["best"]
    assert path.stat().st_size <= 45_000_000
    _, meta, _ = read_bundle(path)
    assert (meta.name, meta.class_names) == ("best", ("normal", "bacterial", "viral"))
    assert meta.gate is not None
    assert meta.reference is not None
    assert b"site-packages" not in path.read_bytes()
    one, other = meta.provenance.config["members"]
    shipped, guests = (TrainConfig.load(find_recipe(name)) for name in ("residual", "guests"))
    assert (one["seed"], one["epochs"]) == (shipped.seed, shipped.optim.epochs)
    assert (other["seed"], other["epochs"]) == (guests.seed, guests.optim.epochs)
    assert other["differs"]["network.options"] == guests.network.options
    for key in ("crop", "outside"):
        assert other["differs"][f"augment.{key}"] == getattr(guests.augment, key)
    assert other["guests"]["films"] == 426
    assert len(other["guests"]["sha256"]) == 64
    assert guests.calibration.folds == meta.provenance.config["calibrated_out_of_fold"]["folds"]
    assert meta.provenance.data == guests.data.description
    assert guests.data.trim == meta.preprocess.trim


@pytest.mark.parametrize(("bundle", "networks"), [("standard", 1), ("best", 2)])
def test_what_they_decide_by_was_chosen_out_of_fold(bundle: str, networks: int) -> None:
    """On all films but the test part, by networks that had not learned from them."""
    _, meta, _ = read_bundle(shipped_bundles()[bundle])
    note = meta.provenance.config["calibrated_out_of_fold"]
    assert (note["folds"], note["runs_a_fold"], len(note["runs"])) == (4, networks, 4 * networks)
    films = meta.provenance.films
    assert note["films"] == films["train"] + films["val"]
    for point in meta.operating_points:
        assert point.chosen_on.startswith(f"{note['films']:,} out-of-fold films")
        assert point.sensitivity.n + point.specificity.n == note["films"]


@pytest.mark.parametrize("bundle", ["standard", "best"])
@pytest.mark.parametrize("name", ["normal", "bacterial", "viral"])
def test_it_reads_the_examples(name: str, bundle: str) -> None:
    reading = load(bundle).read(EXAMPLES / f"phantom-{name}.png")
    assert reading.status == "read"
    assert reading.probabilities is not None
    assert sum(reading.probabilities.values()) == pytest.approx(1)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("bundle", ["standard", "best"])
def test_its_figures_are_found_again_on_the_held_out_films(real_data: Path, bundle: str) -> None:
    """The films are those that it never saw, and reading them from their files gives the figures that it states."""
    reader = load(bundle)
    meta = reader.meta
    data = TrainConfig.load(find_recipe("residual")).data
    manifest = scan(real_data / "chest_xray")
    split = make_split(manifest, seed=data.split_seed, fractions=data.fractions)
    assert manifest.sha256 == meta.provenance.manifest_sha256
    assert split.sha256 == meta.provenance.split_sha256
    rows = [manifest.films[int(row)] for row in split.parts["test"]]
    readings = list(reader.read_many([manifest.root / row.path for row in rows]))
    score = np.array([reading.finding.probability for reading in readings if reading.finding])
    truth = np.array([row.label != "normal" for row in rows])
    assert roc_auc(truth, score) == pytest.approx(meta.figures["AUC"].value, abs=5e-4)
    for point in meta.operating_points:
        called = score >= point.threshold
        assert called[truth].mean() == pytest.approx(meta.figures[f"recall ({point.preset})"].value, abs=5e-3)
        assert (~called)[~truth].mean() == pytest.approx(meta.figures[f"specificity ({point.preset})"].value, abs=8e-3)
