"""Every family goes to ONNX as the bundle wants it, and ONNX Runtime agrees with torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from pneumoscope.networks.base import Network


class Graph(nn.Module):
    """From uint8 films to logits and evidence."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, films: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.explain((films.float() / 255 - self.network.mean) / self.network.std)


# torch 2.13's exporter copies its own tree specs, which torch itself calls deprecated.
@pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")
def test_onnx_runtime_agrees(small: Callable[..., Network], shake: Callable[[Network], Network]) -> None:
    # 40 is no size that a checkpoint was trained at, and halves to odd numbers.
    graph = Graph(shake(small(size=40))).eval()
    program = torch.onnx.export(
        graph,
        (torch.zeros(2, 1, 40, 40, dtype=torch.uint8),),
        dynamo=True,
        dynamic_shapes={"films": {0: torch.export.Dim("batch", min=1)}},
        input_names=["films"],
        output_names=["logits", "evidence"],
        verbose=False,
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    for count in (1, 3):
        films = random.integers(0, 256, (count, 1, 40, 40), dtype=np.uint8)
        logits, evidence = session.run(None, {"films": films})
        with torch.no_grad():
            expected = graph(torch.from_numpy(films))
        # Float32 sums in another order differ by a share of the largest terms, here beyond 10.
        within = max(1e-4, 2e-5 * float(expected[1].abs().max()))
        np.testing.assert_allclose(logits, expected[0], atol=within)
        np.testing.assert_allclose(evidence, expected[1], atol=within)
