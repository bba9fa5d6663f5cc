"""What a configuration makes of the films: their labels, the class without the finding, and the finding's name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pneumoscope.data.manifest import FilmRow, Manifest
from pneumoscope.errors import ConfigError, DatasetError, TrainingError
from pneumoscope.networks import registry
from pneumoscope.networks.registry import Family, build, default_size, families, register_network
from pneumoscope.networks.residual import Residual, ResidualOptions
from pneumoscope.training.baselines import finished_runs, plan_runs
from pneumoscope.training.config import TrainConfig, find_recipe
from pneumoscope.training.folder import RunFolder
from pneumoscope.training.learner import _recall_at_90, find_loss, register_loss
from pneumoscope.training.setup import finding_for, manifest_for, reference_class_for

if TYPE_CHECKING:
    from collections.abc import Sequence

import numpy as np
import torch


def films(*labels: str, each: int = 4) -> Manifest:
    rows = [
        FilmRow(f"{label}{i}.png", "0" * 64, label, f"{label}{i}", "table", 10, 10, "L")
        for label in labels
        for i in range(each)
    ]
    return Manifest(rows, Path())


@pytest.mark.parametrize(
    ("classes", "finding"),
    [
        (["healthy", "cancer"], "cancer"),
        (["normal", "bacterial", "viral"], "pneumonia"),
        (["normal", "pneumonia"], "pneumonia"),
        (["normal", "tuberculosis", "cancer"], "cancer or tuberculosis"),
        (["normal", "a", "b", "c", "d", "e"], "abnormality"),
        (["0", "1"], "finding"),
    ],
)
def test_the_finding_is_named_after_the_classes(classes: Sequence[str], finding: str) -> None:
    assert finding_for(TrainConfig(), films(*classes)) == finding
    assert finding_for(TrainConfig(finding="opacity"), films(*classes)) == "opacity"


def test_the_class_without_the_finding_can_be_named(tmp_path: Path) -> None:
    config = TrainConfig.load(None, ["data.negative=Clean Lungs"])
    manifest = manifest_for(films("cancer", "clean lungs"), config)
    assert manifest.classes == ("clean lungs", "cancer")
    assert manifest.positive == (False, True)
    manifest.save(tmp_path / "m.parquet")
    assert Manifest.load(tmp_path / "m.parquet").positive == (False, True)
    with pytest.raises(DatasetError, match=r"data\.negative"):
        manifest_for(films("cancer", "clean lungs"), TrainConfig())
    with pytest.raises(DatasetError, match="cancer"):
        manifest_for(films("cancer", "normal"), TrainConfig.load(None, ["data.negative=clear lungs"]))


def test_several_classes_without_a_healthy_one_are_told_from_each_other() -> None:
    diseases = films("viral", "bacterial", "tuberculosis", "edema", "effusion")
    assert reference_class_for(diseases, TrainConfig()) == "bacterial"
    manifest = manifest_for(diseases, TrainConfig())
    assert manifest.classes[0] == "bacterial"
    assert manifest.positive == (False, True, True, True, True)
    assert finding_for(TrainConfig(), manifest) == "a class other than bacterial"
    assert reference_class_for(diseases, TrainConfig.load(None, ["data.negative=edema"])) == ""
    assert reference_class_for(films("normal", "a", "b"), TrainConfig()) == ""


def test_a_saved_manifest_gets_the_labels_that_the_configuration_asks_for() -> None:
    binary = TrainConfig.load(None, ["data.labels=binary"])
    merged = manifest_for(films("normal", "bacterial", "viral"), binary)
    assert merged.classes == ("normal", "pneumonia")
    assert manifest_for(merged, binary) is merged
    with pytest.raises(DatasetError, match="binary labels"):
        manifest_for(films("normal", "bacterial", "cancer"), binary)


def test_an_own_network_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._OTHERS, "_registered", {})  # the other tests of this process do not know it
    register_network("small-residual", Family(Residual, ResidualOptions(width=8), 64))
    assert "small-residual" in families()
    assert default_size("small-residual") == 64
    assert build("small-residual", classes=2, size=64).options["width"] == 8
    with pytest.raises(ConfigError, match="built in"):
        register_network("residual", Family(Residual, ResidualOptions(), 64))
    with pytest.raises(ConfigError, match="small-residual"):
        build("smal-residual", classes=2, size=64)


def test_an_own_loss_is_known_by_its_name() -> None:
    def brier(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (logits.softmax(1) - torch.nn.functional.one_hot(labels, logits.shape[1])).square().sum(1)

    register_loss("brier", brier)
    assert find_loss("brier") is brier
    assert find_loss("cross_entropy") is None
    with pytest.raises(ConfigError, match="brier"):
        find_loss("brie")


def test_an_epoch_that_calls_everything_is_none_to_keep() -> None:
    """At even odds its recall is 1; at a specificity of 90 % it is what its order is worth."""
    truth = np.arange(100) % 2 == 0
    everything = np.linspace(5, 6, 100)[np.random.default_rng(0).permutation(100)].astype(np.float32)
    good = np.where(truth, 1.0, -1.0).astype(np.float32)
    good[:4:2] = -2.0
    assert _recall_at_90(truth, everything) < 0.5 < _recall_at_90(truth, good)


def test_other_settings_are_another_run_beside_the_first(tmp_path: Path) -> None:
    light = ["data.size=32", "optim.epochs=1", "data.fractions=[0.5,0.25,0.25]"]
    manifest, protocol = films("normal", "pneumonia", each=12), TrainConfig.load(None, light)
    first = plan_runs(manifest, tmp_path, protocol, ["residual"], [0])[0]
    assert first.name == "residual-seed0"
    with RunFolder(first.folder).claimed(first.config, manifest, fresh=False):
        RunFolder(first.folder).summary.write_text("{}")
    assert finished_runs(manifest, tmp_path) == [first.folder]
    longer = TrainConfig.load(None, [*light, "optim.learning_rate=0.003"])
    second = plan_runs(manifest, tmp_path, longer, ["residual"], [0])[0]
    assert second.name == "residual-seed0-learning_rate=0.003"
    assert not second.finished
    with RunFolder(second.folder).claimed(second.config, manifest, fresh=False):
        pass
    assert plan_runs(manifest, tmp_path, protocol, ["residual"], [0])[0].finished
    with (
        pytest.raises(TrainingError, match="learning_rate"),
        RunFolder(first.folder).claimed(second.config, manifest, fresh=False),
    ):
        pass


def test_keys_by_their_old_names_are_read_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[data]\nguests = "adults"\n[augment]\noutside = 0.5\n')
    config = TrainConfig.load(file, ["augment.guests=0.5"])
    assert (config.data.unlabelled, config.augment.background_swap, config.augment.unlabelled) == ("adults", 0.5, 0.5)
    assert "augment.background_swap" in caplog.text
    assert "guests" not in config.to_toml()
    assert TrainConfig.load(find_recipe("guests")).augment.background_swap == 0.5
