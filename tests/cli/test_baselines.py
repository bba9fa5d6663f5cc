"""``pneumoscope baselines``: one protocol for all, nothing twice, and one that fails does not stop the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.cli.baselines import format_duration
from pneumoscope.data.scan import scan
from pneumoscope.networks.efficientnet import EFFICIENTNETS
from pneumoscope.networks.registry import families
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.baselines import DEFAULT_NETWORKS, plan_runs, run_planned
from pneumoscope.training.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.data.manifest import Manifest

LIGHT = [
    "data.size=32",
    "optim.epochs=1",
    "optim.batch=8",
    "calibration.shifted_copies=0",
    "data.fractions=[0.6,0.2,0.2]",
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("films") / "set"
    write_phantoms(folder, count=45, seed=3, size=64)
    return scan(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def test_all_families_but_transfer_are_trained() -> None:
    assert {*DEFAULT_NETWORKS, *EFFICIENTNETS, "transfer"} == set(families())


def test_the_runs_differ_in_network_and_seed_and_nothing_else(manifest: Manifest, tmp_path: Path) -> None:
    protocol = TrainConfig.load(None, LIGHT)
    planned = plan_runs(manifest, tmp_path, protocol, ["classic-3conv", "residual"], [0, 4])
    assert [run.name for run in planned] == [
        "classic-3conv-seed0", "classic-3conv-seed4", "residual-seed0", "residual-seed4"
    ]  # fmt: skip
    assert all(run.seconds > 0 and not run.finished for run in planned)
    plain = [TrainConfig.load(None, [*LIGHT, f"seed={seed}", f"name={name}", f"network.name={name}"])
             for name in ("classic-3conv", "residual") for seed in (0, 4)]  # fmt: skip
    assert [run.config for run in planned] == plain
    assert not list(tmp_path.iterdir())  # a plan claims nothing


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--networks", "resnet-9000"], "classic-2conv"),
        (["--networks", "residual,residual"], "named once"),
        (["--seeds", "one"], "0,1,2"),
        (["--size", "20"], "poolings"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_is(
    run: Callable[..., Any], manifest: Manifest, tmp_path: Path, arguments: list[str], words: str
) -> None:
    ran = run("baselines", manifest.root, "--out", tmp_path / "runs", "--epochs", 1, "--estimate", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_table_goes_on_and_a_failed_run_stops_no_other(
    run: Callable[..., Any], manifest: Manifest, tmp_path: Path
) -> None:
    line = ["baselines", manifest.root, "--out", tmp_path, "--networks", "classic-2conv,classic-4conv", "--epochs", 1]
    line += ["--size", 32, "--no-augment", "--set", "calibration.shifted_copies=0", "--set", "optim.batch=8"]
    line += ["--set", "data.fractions=[0.6,0.2,0.2]"]
    ran = run(*line)
    assert ran.code == 0
    document = json.loads((tmp_path / "comparison" / "comparison.json").read_text())
    assert {row["name"] for row in document["rows"]} == {"classic-2conv-seed0", "classic-4conv-seed0"}
    assert all(row["train_accuracy"] is not None and row["films_a_second"] > 0 for row in document["rows"])
    for name in ("classic-2conv-seed0", "classic-4conv-seed0"):  # all of a run's figures for each
        drawn = {path.name for path in (tmp_path / name / "figures").iterdir()}
        assert {"curves.svg", "confusion_test.svg", "confusion_val.svg", "roc_test.svg"} <= drawn
    overlaid = {path.name for path in (tmp_path / "comparison").iterdir()}
    assert {"learning_curves.svg", "confusion.svg", "roc.svg"} <= overlaid
    assert 'id="figure-learning-curves"' in (tmp_path / "comparison" / "comparison.html").read_text()
    first = tmp_path / "classic-2conv-seed0" / "bundle.onnx"
    before = first.stat().st_mtime_ns
    (tmp_path / "classic-4conv-seed0" / "summary.json").unlink()  # killed just before its end
    again = run(*line)
    assert again.code == 0
    assert "finished before" in again.out
    assert first.stat().st_mtime_ns == before
    assert (tmp_path / "classic-4conv-seed0" / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_fails_is_told_and_the_next_goes_on(manifest: Manifest, tmp_path: Path) -> None:
    protocol = TrainConfig.load(
        None, [*LIGHT, "optim.learning_rate=1e30", "optim.optimizer=sgd", "optim.clip=0", "optim.warmup=0"]
    )
    planned = plan_runs(manifest, tmp_path, protocol, ["classic-2conv", "classic-4conv"], [0])
    told: list[str] = []
    reasons = [reason for _, reason in run_planned(manifest, planned, progress=False, tell=told.append)]
    assert len(reasons) == 2
    assert reasons[0] is not None
    assert "learning_rate" in reasons[0]
    assert told[1].startswith("2 of 2")


def test_times_are_spoken_as_people_do() -> None:
    assert [format_duration(seconds) for seconds in (40, 600, 11_100)] == ["40 s", "10 min", "3 h 05 min"]
