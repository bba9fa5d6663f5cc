"""Training films a second: forward, backward and update of a network on films in memory; prints JSON.

python -m pneumoscope.bench.peers.training_step [NETWORK] [SIZE] [BATCH] [STEPS]
"""

from __future__ import annotations

import json
import sys
import time

import torch

from pneumoscope.networks.registry import build

__all__ = ["main"]


def main(network: str = "residual", size: str = "192", batch: str = "32", steps: str = "4") -> None:
    """Time steps of plain stochastic gradient descent in bf16, the first one left out."""
    pixels, count, many = int(size), int(batch), int(steps)
    model = build(network, classes=3, size=pixels).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    films = torch.zeros(count, 1, pixels, pixels).uniform_(generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 3
    seconds: list[float] = []
    for _ in range(many + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(films).float()
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"films": count * many, "seconds": sum(seconds[1:])}))  # noqa: T201 - the product


if __name__ == "__main__":
    main(*sys.argv[1:])
