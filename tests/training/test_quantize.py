"""A graph in 8-bit integers says nearly the same, and its logits are still the mean of its evidence."""

from __future__ import annotations

import msgspec
import numpy as np
import onnxruntime as ort
import pytest

from pneumoscope.errors import ConfigError
from pneumoscope.networks.registry import build
from pneumoscope.training.config import TrainConfig
from pneumoscope.training.export import graph_logits, halved, to_onnx
from pneumoscope.training.quantize import quantized

pytestmark = pytest.mark.filterwarnings("ignore")  # the quantiser's own

FILMS = np.random.default_rng(0).integers(0, 256, size=(24, 48, 48), dtype=np.uint8)


@pytest.fixture(scope="module")
def graph() -> bytes:
    network = build("efficientnet-lite0", classes=3, size=48, options={"pretrained": False}, seed=1).eval()
    network.head.linear.weight.data.mul_(20)  # type: ignore[union-attr, operator]  # a fresh head is near 0
    return to_onnx(network)


def test_integers_say_nearly_the_same_in_a_quarter_of_the_bytes(graph: bytes) -> None:
    small = quantized(graph, FILMS[:16])
    assert len(small) < 0.4 * len(graph)
    whole, rounded = graph_logits(graph, FILMS), graph_logits(small, FILMS)
    assert not np.array_equal(whole, rounded)
    assert np.abs(rounded - whole).max() < 0.25 * (whole.max() - whole.min())
    assert quantized(graph, FILMS[:16]) == small


def test_the_logits_are_still_the_mean_of_the_evidence(graph: bytes) -> None:
    session = ort.InferenceSession(quantized(graph, FILMS[:8]), providers=["CPUExecutionProvider"])
    logits, evidence = session.run(["logits", "evidence"], {"film": FILMS[:5, None]})
    bias = logits - evidence.mean(axis=(2, 3))
    np.testing.assert_allclose(bias, np.broadcast_to(bias[0], bias.shape), atol=1e-5)


def test_two_kinds_of_rounding_are_not_asked_for_at_once() -> None:
    with pytest.raises(ConfigError, match="export"):
        TrainConfig.load(None, ["export.half=true", "export.int8=true"])
    assert msgspec.to_builtins(TrainConfig.load(None, ["export.int8=true"]).export) == {
        "half": False,
        "int8": True,
        "caution": "",
    }


def test_weights_in_16_bit_can_be_quantised_too(graph: bytes) -> None:
    np.testing.assert_allclose(
        graph_logits(quantized(halved(graph), FILMS[:8]), FILMS[:3]),
        graph_logits(quantized(graph, FILMS[:8]), FILMS[:3]),
        atol=0.5,
    )
