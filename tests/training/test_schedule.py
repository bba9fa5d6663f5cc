from __future__ import annotations

import pytest
import torch

from pneumoscope.networks.registry import build
from pneumoscope.training.config import OptimConfig
from pneumoscope.training.learner import make_optimizer, make_schedule


@pytest.mark.parametrize("name", ["adamw", "adam", "rmsprop", "sgd"])
def test_every_optimiser_learns_every_weight_once(name: str) -> None:
    network = build("residual", classes=2, size=32, options={"width": 16})
    optimizer = make_optimizer(network, OptimConfig(optimizer=name))  # type: ignore[arg-type]  # parametrised
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert all(p.ndim > 1 for p in network.parameters() if id(p) in decayed)


def test_cosine_rises_then_falls_to_a_hundredth() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = make_schedule(optimizer, OptimConfig(warmup=0.1), steps=100)
    assert schedule is not None
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule["scheduler"].step()
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) in (9, 10)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.01)


def test_constant_has_no_schedule() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    assert make_schedule(optimizer, OptimConfig(schedule="constant"), steps=10) is None
