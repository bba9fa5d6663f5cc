"""A bundle calibrated out of fold: chosen on all films, by networks that had not learned from them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.cli.main import main
from pneumoscope.data.cache import Cache
from pneumoscope.data.manifest import Manifest
from pneumoscope.data.scan import scan
from pneumoscope.data.split import Split
from pneumoscope.errors import ConfigError, TrainingError, UsageError
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.session import Session
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.settings import Settings
from pneumoscope.stats.drift import quantiles_of
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.ensemble import ensemble
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.out_of_fold import cross_calibrate, find_folds, out_of_fold_logits
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

# torch's exporter speaks to its own developers, and Lightning asks for worker processes that we do not need.
pytestmark = pytest.mark.filterwarnings("ignore")

_QUICK = [
    "data.size=64",
    "data.fractions=[0.5,0.25,0.25]",
    "data.keep_official=false",  # the phantoms' own parts are other fractions
    "network.options.width=8",
    "optim.epochs=1",
    "optim.batch=16",
    "calibration.shifted_copies=1",
]
_FOLDED = ["data.folds=2", "data.hold_test=true"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run ("whole"), runs on two folds without its test part, and one on folds that kept nothing out."""
    folder = tmp_path_factory.mktemp("cross")
    write_phantoms(folder / "set", count=120, seed=3, size=64)
    manifest = scan(folder / "set")
    plans = {
        "whole": [],
        "fold0": [*_FOLDED, "data.fold=0"],
        "fold1": [*_FOLDED, "data.fold=1", "seed=1"],
        "open0": ["data.folds=2", "data.fold=0"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(folder / "cache"))
        for name, changes in plans.items():
            train(manifest, folder / name, TrainConfig.load(None, [*_QUICK, *changes]), progress=False)
    return folder


@pytest.fixture(autouse=True)
def _cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(home / "cache"))


def test_the_folds_hold_all_films_but_those_that_judge(home: Path) -> None:
    folds = find_folds([home / "fold1", home / "fold0"])
    whole = Split.load(RunFolder(home / "whole").split, folds.manifest)
    assert np.array_equal(folds.test, whole.parts["test"])
    everything = np.sort(np.concatenate([folds.films, folds.test]))
    assert np.array_equal(everything, np.arange(len(folds.manifest)))
    assert [len(fold.runs) for fold in folds.folds] == [1, 1]


def test_what_is_said_of_a_film_is_said_by_the_network_that_has_not_seen_it(home: Path) -> None:
    folds = find_folds([home / "fold0", home / "fold1"])
    config = TrainConfig.load(RunFolder(home / "whole").config)
    _, meta, _ = read_bundle(home / "whole" / "bundle.onnx")
    images = Cache.build(folds.manifest, meta.preprocess, Settings.from_environment().cache, progress=False).images
    looks = out_of_fold_logits(folds, images, config, progress=False)
    assert looks.shifted.shape == (1, len(folds.films), 3)
    assert np.array_equal(looks.labels, folds.manifest.targets[folds.films])
    start = 0
    for fold in folds.folds:
        graph, own, _ = read_bundle(fold.runs[0].bundle)
        session = Session(graph, own, where=fold.runs[0].bundle)
        said = np.array([session.run(np.ascontiguousarray(images[row]))[0] for row in fold.films])
        # Each in its own temperature and bias, which are those that its run has fitted on the same films.
        p = np.exp(looks.plain[start : start + len(said)].astype(np.float64))
        np.testing.assert_allclose(
            p / p.sum(axis=1, keepdims=True), calibrated_probabilities(said, own.calibrator), atol=1e-3
        )
        start += len(said)


def test_the_bundle_decides_by_the_folds_and_keeps_its_graph(home: Path, tmp_path: Path) -> None:
    old = home / "whole" / "bundle.onnx"
    made = cross_calibrate(old, [home / "fold0", home / "fold1"], tmp_path / "new.onnx", version="9", progress=False)
    graph, meta, _ = read_bundle(tmp_path / "new.onnx")
    before_graph, before, sha256 = read_bundle(old)
    assert graph == before_graph
    assert meta.version == "9"
    assert made.films == sum(len(fold.films) for fold in find_folds([home / "fold0", home / "fold1"]).folds)
    # Temperature and bias are the network's own, of its validation part; all else is of the folds.
    assert meta.calibrator.temperature == pytest.approx(before.calibrator.temperature, rel=1e-3)
    assert meta.operating_points[0].chosen_on.startswith(f"{made.films} out-of-fold films of ")
    assert meta.operating_points[0].sensitivity.n > before.operating_points[0].sensitivity.n
    note = meta.provenance.config["calibrated_out_of_fold"]
    assert note["bundle"] == sha256
    assert note["runs"] == [read_bundle(home / name / "bundle.onnx")[2] for name in ("fold0", "fold1")]
    assert {name: figure.value for name, figure in meta.figures.items()} == {
        each.name: each.value for each in made.figures["test", "after"] if each.value is not None
    }
    assert meta.figures["AUC"] == before.figures["AUC"]  # the order of the films is the graph's
    # The reference is of the validation films as the new bundle reads them.
    manifest = Manifest.load(RunFolder(home / "whole").manifest)
    rows = Split.load(RunFolder(home / "whole").split, manifest).parts["val"]
    images = Cache.build(manifest, meta.preprocess, Settings.from_environment().cache, progress=False).images
    session = Session(graph, meta, where=old)
    logits = np.array([session.run(np.ascontiguousarray(images[row]))[0] for row in rows])
    score = calibrated_probabilities(logits, meta.calibrator)[:, list(meta.positive)].sum(axis=1)
    assert meta.reference is not None
    np.testing.assert_allclose(meta.reference.score, quantiles_of(score), atol=1e-6)


@pytest.mark.slow
def test_a_run_that_learns_its_folds_comes_out_the_same(home: Path, tmp_path: Path) -> None:
    manifest = Manifest.load(RunFolder(home / "whole").manifest)
    config = TrainConfig.load(None, [*_QUICK, "calibration.folds=2"])
    run = train(manifest, tmp_path / "run", config, progress=False)
    made = cross_calibrate(
        home / "whole" / "bundle.onnx", [home / "fold0", home / "fold1"], tmp_path / "new.onnx", progress=False
    )
    assert run.meta.calibrator.temperature == pytest.approx(made.meta.calibrator.temperature, rel=1e-3)
    np.testing.assert_allclose(run.meta.calibrator.bias, made.meta.calibrator.bias, atol=1e-3)
    assert run.meta.operating_points == made.meta.operating_points
    assert run.meta.conformal == made.meta.conformal
    assert run.meta.provenance.config["calibrated_out_of_fold"]["films"] == made.films
    assert train(manifest, tmp_path / "run", config, progress=False).minutes == 0
    # What is joined of such runs is calibrated on the mean of what their folds say.
    other = TrainConfig.load(None, [*_QUICK, "calibration.folds=2", "seed=7"])
    train(manifest, tmp_path / "other", other, progress=False)
    both = ensemble([tmp_path / "run", tmp_path / "other"], tmp_path / "both", name="both", version="1")
    note = both.meta.provenance.config["calibrated_out_of_fold"]
    assert (note["folds"], note["runs_a_fold"], note["films"]) == (2, 2, made.films)
    assert both.meta.calibrator != run.meta.calibrator


@pytest.mark.parametrize(
    "change", ["data.folds=3", "data.clusters=2", "data.fractions=[0.8,0.2,0]", "calibration.folds=1"]
)
def test_folds_of_folds_and_runs_without_a_test_part_are_refused(home: Path, tmp_path: Path, change: str) -> None:
    manifest = Manifest.load(RunFolder(home / "whole").manifest)
    config = TrainConfig.load(None, [*_QUICK, "calibration.folds=2", change])
    with pytest.raises(ConfigError, match="two folds or more"):
        train(manifest, tmp_path / "run", config, progress=False)
    assert not (tmp_path / "run").exists()


def test_the_command_tells_what_changed(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new.onnx"
    line = ["cross-calibrate", str(home / "whole" / "bundle.onnx"), str(home / "fold0"), str(home / "fold1")]
    assert main([*line, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "out-of-fold films" in told
    for words in ("temperature", "threshold, screening", "90% set, normal", "sets hold viral", "Research use only"):
        assert words in told
    assert main([*line, "--out", str(out), "--set", "calibration.shifted_copies=0"]) == 0
    meta = read_bundle(out)[1]
    assert meta.provenance.config["calibration"]["shifted_copies"] == 0
    assert meta.band is not None
    assert "shifted" not in meta.band.chosen_on
    assert main([*line, "--out", str(out), "--set", "calibration.shift=far"]) == 2
    capsys.readouterr()
    assert main([*line, "--out", line[1]]) == 2
    assert "over itself" in capsys.readouterr().err


def test_runs_that_do_not_belong_together_are_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="held the same films out"):
        find_folds([home / "fold0"])
    with pytest.raises(TrainingError, match="kept other films out"):
        find_folds([home / "fold0", home / "open0"])
    with pytest.raises(TrainingError, match="no finished run"):
        find_folds([home / "fold0", tmp_path])
    shutil.copytree(home / "fold0", tmp_path / "again")
    with pytest.raises(TrainingError, match="is one of 1 of its fold"):
        find_folds([home / "fold0", tmp_path / "again", home / "fold1"])
    with pytest.raises(TrainingError, match="held out films that another one held out too"):
        find_folds([home / "fold0", home / "whole"])


def test_a_bundle_of_other_parts_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="did not keep out the films"):
        cross_calibrate(
            home / "open0" / "bundle.onnx", [home / "fold0", home / "fold1"], tmp_path / "x.onnx", progress=False
        )
    with pytest.raises(TrainingError, match="not trained on the folds' films"):
        cross_calibrate(find_bundle("standard"), [home / "fold0", home / "fold1"], tmp_path / "x.onnx", progress=False)
    assert not (tmp_path / "x.onnx").exists()
