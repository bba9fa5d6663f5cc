from __future__ import annotations

import pytest
import torch
from torch import nn

from pneumoscope.errors import ConfigError
from pneumoscope.networks.registry import build, default_size


def layers(network: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize(
    ("name", "convolutions", "poolings", "norms", "dense"),
    [
        ("classic-2conv", 6, 3, 0, [128]),
        ("classic-4conv", 4, 2, 2, [128]),
        ("classic-3conv", 3, 1, 0, [64]),
        ("dilated-5", 10, 5, 0, [64]),
        ("separable-5", 2 + 8 * 2, 5, 4, [512, 128, 64]),
    ],
)
def test_each_is_what_its_name_says(name: str, convolutions: int, poolings: int, norms: int, dense: list[int]) -> None:
    network = build(name, classes=3, size=64)
    assert len(layers(network, nn.Conv2d)) == convolutions
    assert len(layers(network, nn.MaxPool2d)) == poolings
    assert len(layers(network, nn.BatchNorm2d)) == norms
    assert [layer.out_features for layer in layers(network, nn.Linear)] == [*dense, 3]
    assert default_size(name) == 150


def test_the_dilated_network_is_the_field_s() -> None:
    network = build("dilated-5", classes=2, size=150, options={"dense": [256], "dense_dropout": 0.5})
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [16, 16, 32, 32, 64, 64, 96, 96, 128, 128]
    assert [c.dilation[0] for c in convolutions] == [1] * 7 + [2, 1, 2]
    with torch.no_grad():
        assert network.eval().explain(torch.zeros(1, 1, 150, 150))[1].shape == (1, 2, 4, 4)
    assert [layer.p for layer in network.head.modules() if isinstance(layer, nn.Dropout)] == [0.5]


def test_a_size_that_vanishes_is_refused() -> None:
    build("dilated-5", classes=2, size=32)
    with pytest.raises(ConfigError, match=r"5 poolings leave nothing of 31 pixels.*32 or more"):
        build("dilated-5", classes=2, size=31)
