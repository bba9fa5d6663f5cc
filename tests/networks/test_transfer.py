from __future__ import annotations

import json
import sys
from shutil import copytree
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pneumoscope.errors import ConfigError, MissingExtra, TrainingError
from pneumoscope.networks.registry import build

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.networks.base import Network


def transfer(checkpoint: Path | str, *, size: int = 32, **options: Any) -> Network:
    return build("transfer", classes=3, size=size, options={"checkpoint": str(checkpoint), **options})


@pytest.mark.parametrize("kind", ["resnet", "convnextv2", "mobilenet", "vit", "dinov2", "registers", "backbone"])
@pytest.mark.parametrize("size", [32, 48])
def test_every_kind_has_a_map_of_its_own(checkpoints: dict[str, Path], kind: str, size: int) -> None:
    network = transfer(checkpoints[kind], size=size).eval()
    with torch.no_grad():
        _, evidence = network.explain(torch.zeros(1, 1, size, size))
    assert evidence.shape == (1, 3, size // 8, size // 8)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "registers"])
def test_patch_tokens_keep_their_places(checkpoints: dict[str, Path], kind: str) -> None:
    """A bright patch moves its own place of the map most: rows are rows, and no token is off by one."""
    network = transfer(checkpoints[kind]).eval()
    film = torch.zeros(1, 1, 32, 32)
    film[:, :, 8:16, 24:32] = 4.0
    with torch.no_grad():
        change = (network.features(film) - network.features(torch.zeros(1, 1, 32, 32))).abs().sum(dim=1)[0]
    assert divmod(int(change.argmax()), 4) == (1, 3)


def test_the_weights_are_the_checkpoint_s(checkpoints: dict[str, Path]) -> None:
    transformers = pytest.importorskip("transformers")
    network = transfer(checkpoints["dinov2"]).eval()
    original = transformers.AutoModel.from_pretrained(checkpoints["dinov2"]).eval()
    film = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = original((film - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)).last_hidden_state[:, 1:]
        features = network.features((film - network.mean) / network.std)
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), expected)


@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        ({"image_mean": [0.5307] * 3, "image_std": [0.2583] * 3}, 0.5307, 0.2583),
        ({"do_normalize": False, "image_mean": [0.1] * 3}, 0.0, 1.0),
        ({"image_mean": [0.3], "image_std": [0.2]}, 0.3, 0.2),
    ],
)
def test_the_checkpoint_s_normalisation_is_taken(
    checkpoints: dict[str, Path], tmp_path: Path, settings: dict[str, Any], mean: float, std: float
) -> None:
    folder = copytree(checkpoints["resnet"], tmp_path / "copy")
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    network = transfer(folder)
    assert network.mean == pytest.approx(mean)
    assert network.std == pytest.approx(std)


def test_without_pretraining_the_weights_are_fresh(checkpoints: dict[str, Path]) -> None:
    loaded, fresh = transfer(checkpoints["vit"]), transfer(checkpoints["vit"], pretrained=False)
    key = "body.embeddings.patch_embeddings.projection.weight"
    assert not torch.equal(loaded.state_dict()[key], fresh.state_dict()[key])
    assert loaded.state_dict().keys() == fresh.state_dict().keys()


@pytest.mark.parametrize("pretrained", [True, False])
def test_only_a_body_with_weights_from_elsewhere_is_pretrained(
    checkpoints: dict[str, Path], *, pretrained: bool
) -> None:
    assert transfer(checkpoints["resnet"], pretrained=pretrained).pretrained is pretrained


def test_batch_statistics_outlast_a_batch(checkpoints: dict[str, Path]) -> None:
    """transformers gives MobileNetV2 TensorFlow's decay for torch's momentum: one batch would be all that counts."""
    network = transfer(checkpoints["mobilenet"]).train()
    key = "body.conv_stem.first_conv.normalization.running_mean"
    before = network.state_dict()[key].clone()
    draws = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    network(draws)
    once = network.state_dict()[key].clone()
    network(draws)
    twice = network.state_dict()[key]
    # Each look moves a tenth of what is left.
    torch.testing.assert_close(twice - once, 0.9 * (once - before))
    assert not torch.equal(once, before)


def test_a_size_between_patches_is_refused(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"36 is no multiple of the checkpoint's patch of 8.*Take 32 or 40"):
        transfer(checkpoints["dinov2"], size=36)


def test_tokens_without_a_grid_are_refused(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.SwinConfig(
        embed_dim=8, depths=[1, 1], num_heads=[2, 2], image_size=32, patch_size=4, window_size=4
    )
    transformers.SwinModel(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="do not lie on the grid"):
        transfer(tmp_path)


def test_a_checkpoint_must_be_named() -> None:
    with pytest.raises(ConfigError, match="checkpoint is missing"):
        build("transfer", classes=2, size=32)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        transfer(tmp_path / "nothing")


def test_a_hub_out_of_reach_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingError, match="hf download nobody/no-such-model --local-dir"):
        transfer("nobody/no-such-model")


@pytest.mark.parametrize("damage", ["empty", "no config", "no weights", "cut short", "half the weights"])
def test_a_damaged_folder_is_one_clear_error(checkpoints: dict[str, Path], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    if damage != "empty":
        folder = copytree(checkpoints["resnet"], tmp_path / "copy")
    weights = folder / "model.safetensors"
    if damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "no weights":
        weights.unlink()
    elif damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "half the weights":
        from safetensors.torch import load_file, save_file

        tensors = load_file(weights)
        save_file({key: tensors[key] for key in sorted(tensors)[: len(tensors) // 2]}, weights, {"format": "pt"})
    with pytest.raises(TrainingError, match=r"(cannot be loaded|lacks \d+ of its weights).*"):
        transfer(folder)


def test_nothing_is_unpickled_unless_told(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = copytree(checkpoints["resnet"], tmp_path / "copy")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(TrainingError, match="safetensors"):
        transfer(folder)
    assert transfer(folder, allow_pickle=True).classes == 3


def test_without_transformers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pneumoscope\[transfer\]"):
        transfer(tmp_path)
