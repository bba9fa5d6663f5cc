"""A network and its Keras twin are one function, and Keras's graph keeps the bundle's contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from pneumoscope.errors import ConfigError
from pneumoscope.frameworks.twin import make_twin
from pneumoscope.networks.classic import BASELINES
from pneumoscope.networks.registry import build
from pneumoscope.training.export import parity

if TYPE_CHECKING:
    from pneumoscope.networks.base import Network

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # TensorFlow speaks to its own developers

SMALL = {
    "classic-2conv": {"blocks": [[4, 4], [6]], "dense": [8, 5]},
    "classic-4conv": {"blocks": [[4, 4], [6, 6]], "dense": [8]},
    "classic-3conv": {"blocks": [[4, 4, 4]], "dense": [8]},
    "dilated-5": {"blocks": [[3, 3], [4, 4], [5, 5]], "dense": [6]},
    "separable-5": {"blocks": [[3, 3], [4, 4], [5, 5], [6, 6], [7, 7]], "dense": [8, 6, 5]},
}
"""Every kind of layer, and few weights."""


def network(name: str, size: int = 36) -> Network:
    """With batch statistics that are not the trivial ones."""
    made = build(name, classes=3, size=size, options=SMALL[name], seed=1)
    generator = torch.Generator().manual_seed(0)
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
    return made.eval()


def test_every_baseline_has_a_small_one_here() -> None:
    assert set(SMALL) == set(BASELINES)


@pytest.mark.parametrize("name", BASELINES)
def test_the_twin_says_the_same_and_gives_the_weights_back(name: str) -> None:
    ours = network(name)
    twin = make_twin(ours)
    films = torch.randn(5, 1, 36, 36, generator=torch.Generator().manual_seed(1))
    said = np.asarray(twin.model(films.numpy().transpose(0, 2, 3, 1), training=False))
    assert said == pytest.approx(ours(films).detach().numpy(), abs=1e-4)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    for parameter in ours.parameters():
        parameter.data.zero_()
    twin.give_back()
    after = ours.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@pytest.mark.parametrize("name", ["classic-4conv", "separable-5"])
def test_the_graph_of_keras_is_a_bundles(name: str) -> None:
    from pneumoscope.frameworks.export import network_to_onnx

    ours = network(name)
    films = np.random.default_rng(0).integers(0, 256, (6, 36, 36), dtype=np.uint8)
    graph = network_to_onnx(ours)
    assert parity(ours, graph, films) < 1e-4  # of the logits; and the evidence sums to them, or it raises
    assert len(graph) < 4 * sum(p.numel() for p in ours.parameters()) + 40_000  # each weight once


def test_the_house_network_has_no_twin() -> None:
    with pytest.raises(ConfigError, match="residual"):
        make_twin(build("residual", classes=3, size=32, options={"width": 8}))
