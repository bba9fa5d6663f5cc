"""The slim network keeps the features of the large one, and learns to draw its masks."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from lung_field import slim
from lung_field.network import LungField, lungs_to_onnx
from lung_field.slim import large_of, no_films, slimmed
from pneumoscope.errors import TrainingError
from pneumoscope.lungs.segmentation import segmenter_input
from pneumoscope.phantom.draw import draw_phantom
from quality_head.kinds import KINDS, Kind

FILMS = np.stack([segmenter_input(draw_phantom(seed, "normal", rows=160).radiograph(), 128) for seed in range(6)])


def seen_by(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        mask, features = network((torch.from_numpy(FILMS)[:, None].float() / 255 - 0.5) / 0.25)
    return torch.sigmoid(mask), features


@pytest.fixture(scope="module")
def large() -> LungField:
    """Untrained, with normalisations that do something, so that leaving one out is seen."""
    torch.manual_seed(3)
    network = LungField()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.4)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.2, 0.6)
    return network.eval()


def test_a_graph_gives_back_its_network(large: LungField) -> None:
    again = large_of(lungs_to_onnx(large, FILMS))
    for one, other in zip(seen_by(large), seen_by(again), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_another_graph_is_refused() -> None:
    film = onnx.helper.make_tensor_value_info("film", onnx.TensorProto.UINT8, [1])
    empty = onnx.helper.make_model(onnx.helper.make_graph([], "another", [film], [film]))
    with pytest.raises(TrainingError, match="has no"):
        large_of(empty.SerializeToString())


def test_the_features_are_kept_and_the_masks_are_learned(large: LungField, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_CHANGED", "_PLAIN", "_MOVED", "_OTHERS"):
        monkeypatch.setattr(slim, name, 1)
    monkeypatch.setattr(slim, "_DECAY", 0.5)
    before = deepcopy(large.state_dict())
    masks, features = seen_by(large)
    off = []
    for steps in (1, 40):
        network = slimmed(large, FILMS, FILMS, steps=steps, progress=False)
        found, kept = seen_by(network)
        assert torch.equal(kept, features)
        off.append(float((found - masks).abs().mean()))
    assert off[1] < 0.6 * off[0]
    assert all(torch.equal(value, before[name]) for name, value in large.state_dict().items())


def test_kinds_that_the_gate_holds_out_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def watched(kind: Kind, _rng: np.random.Generator, films: list[np.ndarray]) -> np.ndarray:
        drawn.append(kind.name)
        return films[0]

    monkeypatch.setattr(slim, "draw_kind", watched)
    assert len(no_films(FILMS, 2, seed=0, progress=False)) == len(drawn)
    assert drawn == [kind.name for kind in KINDS if not kind.held_out for _ in range(2)]
