"""The learning verbs at the command line: what a person types, and what they are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cli.main import main
from pneumoscope.data.scan import scan
from pneumoscope.evaluation.result import EvaluationResult
from pneumoscope.model.bundle import read_bundle
from pneumoscope.model.reader import load
from pneumoscope.networks.registry import families
from pneumoscope.phantom.write import write_phantoms
from pneumoscope.training.config import TrainConfig


@pytest.fixture(scope="module")
def few_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few") / "set"
    write_phantoms(folder, count=12, seed=1, size=96)
    return folder


def test_the_shown_configuration_is_one_that_can_be_given_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--recipe", "shipped", "--set", "optim.epochs=3", "--seed", "9", "--show-config"]) == 0
    file = tmp_path / "shown.toml"
    file.write_text(capsys.readouterr().out)
    config = TrainConfig.load(file)
    assert (config.name, config.optim.epochs, config.seed) == ("standard", 3, 9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out RUN"),
        (["--recipe", "shipped", "--config", "x.toml", "--show-config"], "--set"),
        (["--set", "optim.epoch=3", "--show-config"], "epoch"),
        (["--recipe", "best-ever", "--show-config"], "shipped"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert told.count("\n") == 1


def test_an_unknown_network_names_the_known_ones(
    few_phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(few_phantoms), "--network", "resnet-9000", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in families())
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_data_set_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no films here")
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "NORMAL" in capsys.readouterr().err


def test_networks_lists_every_family(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in families())
    assert "width=32" in told


def test_the_augmentation_grid_starts_with_the_plain_film(few_phantoms: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    arguments = ["augment", str(few_phantoms), "--out", str(out), "--films", "3", "--looks", "2"]
    assert main([*arguments, "--set", "data.size=64"]) == 0
    grid = np.asarray(Image.open(out))
    assert grid.shape[0] > 3 * 68
    assert grid.shape[1] > 3 * 68
    plain, look = grid[18 : 18 + 64, 136 : 136 + 64], grid[18 : 18 + 64, 136 + 68 : 136 + 132]  # beside the words
    assert plain.std() > 20
    assert np.abs(plain.astype(int) - look).mean() > 2


@pytest.mark.slow
def test_several_diseases_train_and_are_judged_over_all_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No class is healthy: the first is the reference class, and everything that speaks of the finding says so."""
    monkeypatch.setenv("PNEUMOSCOPE_CACHE", str(tmp_path / "cache"))
    write_phantoms(tmp_path / "drawn", count=120, seed=3, size=96)
    for film in scan(tmp_path / "drawn").films:
        folder = tmp_path / "films" / ("tuberculosis" if film.label == "normal" else film.label)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Path(film.path).name).symlink_to(tmp_path / "drawn" / film.path)
    quick = ("--network", "classic-2conv", "--set", "optim.epochs=1", "--set", "data.size=32")
    assert main(["train", str(tmp_path / "films"), "--out", str(tmp_path / "run"), *quick]) == 0
    assert "bacterial" in capsys.readouterr().out
    meta = read_bundle(tmp_path / "run" / "bundle.onnx")[1]
    assert (meta.reference_class, meta.finding) == ("bacterial", "viral or tuberculosis")
    reading = load(tmp_path / "run" / "bundle.onnx").read(next((tmp_path / "films" / "viral").iterdir()))
    assert meta.reference_note in reading.warnings
    judged = [str(tmp_path / "run"), "--part", "test", "--out", str(tmp_path / "e"), "--no-stress", "--no-sanity"]
    assert main(["evaluate", *judged, "--draws", "100"]) == 0
    told = capsys.readouterr().out
    assert "macro AUC" in told
    assert "reference class" in told
    result = EvaluationResult.load(tmp_path / "e" / "judgement.json")
    assert result.over_classes is not None
    assert any("reference class" in limit for limit in result.limits)
    assert "reference class" in (tmp_path / "e" / "report.html").read_text()
