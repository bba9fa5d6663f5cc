"""The law of the house, for every family: the evidence's mean and the bias make the logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.networks.base import Network


def check(network: Network) -> None:
    films = torch.randn(5, 1, network.size, network.size, generator=torch.Generator().manual_seed(1))
    network.eval()
    with torch.no_grad():
        logits, evidence = network.explain(films)
        learned = network(films)
    assert evidence.shape[:2] == logits.shape == (5, network.classes)
    assert min(evidence.shape[2:]) > 1
    summed = evidence.mean(dim=(2, 3)) + torch.tensor(network.evidence_bias())
    torch.testing.assert_close(summed, logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits, learned, atol=1e-5, rtol=1e-5)


def test_at_first_weights(small: Callable[..., Network]) -> None:
    check(small())


def test_at_shaken_weights_and_statistics(small: Callable[..., Network], shake: Callable[[Network], Network]) -> None:
    network = shake(small(classes=4))
    check(network)
    films = torch.randn(2, 1, network.size, network.size, generator=torch.Generator().manual_seed(2))
    assert not torch.equal(*network(films))  # the check is of something that depends on the film


def test_after_training(small: Callable[..., Network]) -> None:
    network = small().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(3)
    with torch.random.fork_rng(devices=()):  # dropout
        torch.default_generator.manual_seed(3)
        for _ in range(4):
            films = torch.randn(8, 1, network.size, network.size, generator=generator)
            loss = torch.nn.functional.cross_entropy(network(films), torch.randint(0, 3, (8,), generator=generator))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    check(network)
