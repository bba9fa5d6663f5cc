from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

from pneumoscope.errors import ConfigError
from pneumoscope.networks.registry import build, default_size, families

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.networks.base import Network


def test_the_field_s_networks_are_there() -> None:
    assert families() == (
        "residual",
        "classic-2conv",
        "classic-4conv",
        "classic-3conv",
        "dilated-5",
        "separable-5",
        "efficientnet-lite0",
        "efficientnet-lite1",
        "efficientnet-lite2",
        "transfer",
    )
    assert default_size("residual") == 192
    assert default_size("dilated-5") == 150


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"no network 'resnet'.*residual, classic-2conv"):
        build("resnet", classes=3, size=32)
    with pytest.raises(ConfigError, match="residual"):
        default_size("resnet")


@pytest.mark.parametrize("name", families())
def test_an_unknown_option_lists_the_known(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no option widht.*options are: .*dropout"):
        build(name, classes=3, size=32, options={"widht": 16})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("residual", {"width": "wide"}, "Expected `int`"),
        ("residual", {"width": 0}, "1 or more"),
        ("residual", {"blocks": [2, 2]}, "one number a stage"),
        ("residual", {"strides": [2, 2, 2, 3]}, "strides 1 or 2"),
        ("residual", {"stem": "deep"}, "deep"),
        ("residual", {"dropout": 1.0}, "below 1"),
        ("classic-2conv", {"blocks": []}, "one convolution or more"),
        ("classic-2conv", {"dense": [0]}, "1 or more"),
        ("dilated-5", {"dilated": 6}, "0 to 5"),
        ("separable-5", {"dropout": [0.1, 0.2]}, "or 5 of them"),
        ("separable-5", {"dense_dropout": 1.5}, "below 1"),
        ("transfer", {"dropout": -0.1}, "below 1"),
    ],
)
def test_an_impossible_option_is_named(name: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build(name, classes=3, size=64, options=options)


def test_one_class_is_no_choice() -> None:
    with pytest.raises(ConfigError, match="2 classes or more"):
        build("residual", classes=1, size=32)


def test_the_seed_makes_the_weights_and_touches_nothing_else(small: Callable[..., Network]) -> None:
    before = torch.random.get_rng_state()
    first, same, other = small(seed=5), small(seed=5), small(seed=6)
    assert torch.equal(torch.random.get_rng_state(), before)
    weights, again = first.state_dict(), same.state_dict()
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    assert not torch.equal(first.head.linear.weight, other.head.linear.weight)  # type: ignore[arg-type, union-attr]


def test_a_network_tells_what_it_is_and_can_be_made_again(small: Callable[..., Network]) -> None:
    network = small(classes=4, size=40)
    assert (network.classes, network.size) == (4, 40)
    options = json.loads(json.dumps(network.options))
    again = build(network.name, classes=4, size=40, options=options)
    again.load_state_dict(network.state_dict())
    films = torch.randn(2, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.eval()(films), network.eval()(films))


def test_a_fresh_network_learns(small: Callable[..., Network]) -> None:
    """Bright against dark films, in a few steps: the gradient reaches every weight."""
    network = small(classes=2).train()
    films = torch.cat([torch.full((4, 1, 32, 32), -1.0), torch.full((4, 1, 32, 32), 1.0)])
    films = films + torch.randn(films.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    labels = torch.tensor([0] * 4 + [1] * 4)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        for _ in range(30):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(films), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    assert torch.equal(network.eval()(films).argmax(dim=1), labels)
