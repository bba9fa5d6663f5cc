"""Thresholds chosen on the lowest film numbers of each site, by a network that has not learned from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.data.scan import scan
from pneumoscope.data.sites import join_sites
from pneumoscope.data.split import Split
from pneumoscope.errors import ConfigError, TrainingError, UsageError
from pneumoscope.model.bundle import read_bundle
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.across_sites import calibrate_across_sites, choose_across_sites, read_left_out_sites
from pneumoscope.training.config import CalibrationConfig, TrainConfig
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.run import train

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest

# torch's exporter speaks to its own developers, and Lightning asks for worker processes that we do not need.
pytestmark = pytest.mark.filterwarnings("ignore")

_QUICK = [
    "data.size=64",
    "data.fractions=[0.6,0.2,0.2]",
    "data.keep_official=false",
    "network.options.width=8",
    "optim.epochs=1",
    "optim.batch=16",
    "calibration.shifted_copies=1",
]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Phantoms of two hospitals."""
    folder = tmp_path_factory.mktemp("sites")
    for seed, name in enumerate(("east", "west")):
        write_phantoms(folder / name, count=60, seed=seed, size=64)
    return join_sites({name: scan(folder / name) for name in ("east", "west")})


@pytest.fixture(scope="module")
def run(sites: Manifest, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("run") / "whole"
        return train(sites, out, TrainConfig.load(None, [*_QUICK, "calibration.block=0.3"]), progress=False).folder


def test_the_bundle_decides_by_films_of_both_sites_that_were_left_out(run: RunFolder, sites: Manifest) -> None:
    meta = read_bundle(run.bundle)[1]
    assert {expected.basis for expected in meta.expected} == {"blocks"}
    assert [rate.site for rate in meta.expected[0].sites] == ["east", "west"]
    block = RunFolder(run.path / "block")
    left = Split.load(block.split, sites).parts["test"]
    assert sum(rate.films for rate in meta.expected[0].sites) == len(left)
    assert meta.operating_points[0].chosen_on.startswith(f"{len(left)} films of the lowest numbers")
    learned = Split.load(block.split, sites).parts["train"]
    assert not {sites.films[row].patient for row in left} & {sites.films[row].patient for row in learned}
    assert meta.provenance.config["calibrated_across_sites"]["runs"] == [read_bundle(block.bundle)[2]]


def test_a_finished_bundle_is_calibrated_by_finished_runs_as_the_run_itself(run: RunFolder, tmp_path: Path) -> None:
    block = RunFolder(run.path / "block")
    once = calibrate_across_sites(block.bundle, [block.path], tmp_path / "new.onnx", version="9")
    assert once.version == "9"
    films = [rate.films for rate in once.expected[0].sites]
    mean = read_left_out_sites([block.path, block.path], mean=True)  # of a run and itself
    assert [len(site.logits) for site in mean] == films
    each = read_left_out_sites([block.path, block.path])
    assert [len(site.logits) for site in each] == [2 * count for count in films]
    (single, double) = (
        choose_across_sites(read_left_out_sites(runs), (False, True, True), CalibrationConfig()).expected[0]
        for runs in ([block.path], [block.path] * 2)
    )
    assert [site.films for site in double.sites] == films
    for one, two in zip(single.sites, double.sites, strict=True):
        assert two.sensitivity.high - two.sensitivity.low > 0.9 * (one.sensitivity.high - one.sensitivity.low)


def test_runs_that_left_nothing_out_or_other_films_are_refused(run: RunFolder) -> None:
    with pytest.raises(TrainingError):
        read_left_out_sites([run.path])


def test_a_block_takes_two_sites_and_no_other_way(sites: Manifest, tmp_path: Path) -> None:
    for change in ("calibration.sites=true", "calibration.folds=2", "data.leave_block=0.2"):
        with pytest.raises((ConfigError, UsageError)):
            train(
                sites,
                tmp_path / "no",
                TrainConfig.load(None, [*_QUICK, "calibration.block=0.3", change]),
                progress=False,
            )
    assert not (tmp_path / "no").exists()
