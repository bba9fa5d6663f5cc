from __future__ import annotations

from pathlib import Path

import pytest

from pneumoscope.dataset import FilmRow, Manifest
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.folder import RunFolder


def manifest(count: int = 3) -> Manifest:
    rows = [FilmRow(f"{i}.png", "0" * 64, "normal", str(i), "table", 10, 10, "L") for i in range(count)]
    return Manifest(rows, Path())


def test_the_same_run_is_gone_on_with(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not folder.open(TrainConfig(), manifest(), fresh=False)
    assert folder.open(TrainConfig(), manifest(), fresh=False)


def test_another_configuration_or_other_films_are_another_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(TrainConfig(), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="--fresh"):
        folder.open(TrainConfig(seed=1), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="other films"):
        folder.open(TrainConfig(), manifest(4), fresh=False)
    assert not folder.open(TrainConfig(seed=1), manifest(), fresh=True)


def test_a_run_from_before_a_key_was_there_is_gone_on_with(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(TrainConfig(), manifest(), fresh=False)
    lines = folder.config.read_text().splitlines()
    folder.config.write_text("\n".join(line for line in lines if not line.startswith("ages")))
    assert folder.open(TrainConfig(), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="another configuration"):
        folder.open(TrainConfig.load(None, ["data.ages=[1, 5]"]), manifest(), fresh=False)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    for fresh in (False, True):
        with pytest.raises(UsageError, match="not empty"):
            RunFolder(tmp_path).open(TrainConfig(), manifest(), fresh=fresh)
    assert (tmp_path / "thesis.docx").exists()
    with pytest.raises(UsageError, match="a file"):
        RunFolder(tmp_path / "thesis.docx").open(TrainConfig(), manifest(), fresh=False)
