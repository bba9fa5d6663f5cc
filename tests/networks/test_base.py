from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pneumoscope.networks.base import parameters_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.networks.base import Network


def test_head_and_body_share_out_the_parameters(small: Callable[..., Network]) -> None:
    network = small()
    head = sum(p.numel() for p in network.head_parameters())
    body = sum(p.numel() for p in network.body_parameters())
    assert head > 0
    assert body > 0
    assert head + body == parameters_count(network)


def test_a_frozen_body_holds_still_and_the_head_learns(small: Callable[..., Network]) -> None:
    network = small().train()
    network.freeze()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    network.train()  # as a training loop does each epoch
    films = torch.randn(8, 1, network.size, network.size, generator=torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(network(films), torch.arange(8) % 3).backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert "head.linear.weight" in changed
    assert all(key.startswith("head.") for key in changed)


def test_a_thawed_body_learns_again(small: Callable[..., Network]) -> None:
    network = small().train()
    network.freeze()
    network.freeze(False)
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(module.training for module in network.modules())
