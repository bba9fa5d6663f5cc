from __future__ import annotations

import json
from pathlib import Path

import pytest

from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.folder import MARK, RunFolder


def manifest(count: int = 3) -> Manifest:
    rows = [FilmRow(f"{i}.png", "0" * 64, "normal", str(i), "table", 10, 10, "L") for i in range(count)]
    return Manifest(rows, Path())


def claim(folder: RunFolder, config: TrainConfig, films: Manifest, *, fresh: bool) -> bool:
    """A start that ends at once; whether it went on with an earlier one."""
    with folder.claimed(config, films, fresh=fresh) as resumed:
        return resumed


def test_the_same_run_is_gone_on_with(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert not claim(folder, TrainConfig(), manifest(), fresh=False)
    assert claim(folder, TrainConfig(), manifest(), fresh=False)


def test_another_configuration_or_other_films_are_another_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim(folder, TrainConfig(), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="--fresh"):
        claim(folder, TrainConfig(seed=1), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="other films"):
        claim(folder, TrainConfig(), manifest(4), fresh=False)
    assert not claim(folder, TrainConfig(seed=1), manifest(), fresh=True)


def test_a_run_from_before_a_key_was_there_is_gone_on_with(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim(folder, TrainConfig(), manifest(), fresh=False)
    lines = folder.config.read_text().splitlines()
    folder.config.write_text("\n".join(line for line in lines if not line.startswith("ages")))
    assert claim(folder, TrainConfig(), manifest(), fresh=False)
    with pytest.raises(TrainingError, match="ages is"):
        claim(folder, TrainConfig.load(None, ["data.ages=[1, 5]"]), manifest(), fresh=False)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    for fresh in (False, True):
        with pytest.raises(UsageError, match="not empty"):
            claim(RunFolder(tmp_path), TrainConfig(), manifest(), fresh=fresh)
    assert (tmp_path / "thesis.docx").exists()
    with pytest.raises(UsageError, match="a file"):
        claim(RunFolder(tmp_path / "thesis.docx"), TrainConfig(), manifest(), fresh=False)


def test_a_website_with_a_configuration_of_its_own_survives(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('baseURL = "https://example.org/"\ntitle = "My site"\n')
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "thesis.tex").write_text("years of work")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for fresh in (False, True):
        with pytest.raises(UsageError):
            claim(RunFolder(tmp_path), TrainConfig(), manifest(), fresh=fresh)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_configuration_of_ours_beside_own_files_is_no_run(tmp_path: Path) -> None:
    """A valid configuration that a person put beside own files says nothing of whose the folder is."""
    (tmp_path / "config.toml").write_text(TrainConfig().to_toml())
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(UsageError):
        claim(RunFolder(tmp_path), TrainConfig(), manifest(), fresh=True)
    assert (tmp_path / "thesis.docx").exists()


def test_only_what_the_run_wrote_is_thrown_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claim(folder, TrainConfig(), manifest(), fresh=False)
    own = ["manifest.parquet", "checkpoints/last.ckpt", "figures/roc_test.svg", ".summary.json.x1.part"]
    others = ["thesis.docx", "checkpoints/mine.ckpt", "figures/of_the_paper.svg", "notes/roc_test.svg"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "events.out.tfevents.1").touch()
    for name in own + others:
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).touch()
    (folder.path / "tensorboard").symlink_to(elsewhere)
    inner = RunFolder(folder.path / "folds" / "0")
    claim(inner, TrainConfig(seed=3), manifest(), fresh=False)
    assert not claim(folder, TrainConfig(seed=1), manifest(), fresh=True)
    assert not any((folder.path / name).exists() for name in [*own, "folds"])
    assert all((folder.path / name).exists() for name in others)
    assert (elsewhere / "events.out.tfevents.1").exists()
    assert claim(folder, TrainConfig(seed=1), manifest(), fresh=False)


def test_a_folder_with_nothing_else_is_empty_afterwards(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claim(folder, TrainConfig(), manifest(), fresh=False)
    for name in ("checkpoints/best.ckpt", "checkpoints/last.ckpt", "history.csv"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).touch()
    claim(folder, TrainConfig(seed=1), manifest(), fresh=True)
    assert {path.name for path in folder.path.iterdir()} == {MARK, "config.toml", ".lock"}
    mark = json.loads((folder.path / MARK).read_text())
    assert mark["format"] == "pneumoscope run"
    assert "bundle.onnx" in mark["files"]


def test_a_run_from_before_there_were_marks_is_known_by_its_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim(folder, TrainConfig(), manifest(), fresh=False)
    (tmp_path / MARK).unlink()
    with pytest.raises(UsageError):  # a configuration alone is too little to throw anything away
        claim(folder, TrainConfig(seed=1), manifest(), fresh=True)
    manifest().save(folder.manifest)
    assert claim(folder, TrainConfig(), manifest(), fresh=False)
    assert (tmp_path / MARK).exists()
    (tmp_path / MARK).unlink()
    assert not claim(folder, TrainConfig(seed=1), manifest(), fresh=True)
    assert not folder.manifest.exists()


def test_what_differs_is_named_with_both_values(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim(folder, TrainConfig(), manifest(), fresh=False)
    other = TrainConfig.load(None, ["optim.epochs=7", "seed=3"])
    with pytest.raises(TrainingError) as caught:
        claim(folder, other, manifest(), fresh=False)
    assert "optim.epochs is 30 there, and 7 was asked" in str(caught.value)
    assert "seed is 0 there, and 3 was asked" in str(caught.value)


def test_two_trainings_do_not_work_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.claimed(TrainConfig(), manifest(), fresh=False):
        (folder.path / "history.csv").touch()
        for fresh in (False, True):
            with pytest.raises(TrainingError, match="another process"):
                claim(folder, TrainConfig(), manifest(), fresh=fresh)
        assert (folder.path / "history.csv").exists()
    assert claim(folder, TrainConfig(), manifest(), fresh=False)


def test_a_finished_run_is_opened_where_nobody_may_write(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    claim(folder, TrainConfig(), manifest(), fresh=False)
    folder.summary.write_text("{}")
    (folder.path / ".lock").unlink()
    assert claim(folder, TrainConfig(), manifest(), fresh=False)
    assert not (folder.path / ".lock").exists()


def test_a_kill_between_lock_and_mark_is_no_strangers_folder(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    assert not claim(RunFolder(tmp_path), TrainConfig(), manifest(), fresh=False)
