from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.errors import TrainingError
from pneumoscope.networks.registry import build
from pneumoscope.training.export import TOLERANCE, graph_logits, halved, parity, to_onnx

FILMS = np.random.default_rng(0).integers(0, 256, size=(5, 48, 48), dtype=np.uint8)


@pytest.mark.parametrize("family", ["residual", "classic-4conv"])
def test_onnx_says_what_torch_says(family: str) -> None:
    options = {"width": 16} if family == "residual" else {}
    network = build(family, classes=3, size=48, options=options, seed=1).eval()
    assert parity(network, to_onnx(network), FILMS) < TOLERANCE


def test_another_networks_graph_is_found_out() -> None:
    one, two = (build("residual", classes=3, size=48, options={"width": 16}, seed=seed).eval() for seed in (1, 2))
    for network in (one, two):
        network.head.linear.weight.data.mul_(50)  # type: ignore[union-attr, operator]  # a fresh head is near 0
    with pytest.raises(TrainingError, match="differs from torch"):
        parity(one, to_onnx(two), FILMS)


def test_the_graph_tells_nothing_of_the_machine_that_made_it() -> None:
    graph = to_onnx(build("residual", classes=3, size=48, options={"width": 16}, seed=1).eval())
    assert b"site-packages" not in graph
    assert b'.py"' not in graph


@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_weights_in_half_precision_give_the_same_and_take_half_the_bytes() -> None:
    network = build("efficientnet-lite0", classes=3, size=32, options={"pretrained": False}).eval()
    films = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    graph = to_onnx(network)
    half = halved(graph)
    assert len(half) < 0.55 * len(graph)
    whole, rounded = graph_logits(graph, films, batch=2), graph_logits(half, films, batch=2)
    np.testing.assert_allclose(rounded, whole, atol=0.05)
    assert not np.array_equal(rounded, whole)
