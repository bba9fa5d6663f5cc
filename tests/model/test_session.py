from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper, load_from_string

from pneumoscope.errors import BundleDamaged
from pneumoscope.model.preprocess import PreprocessSpec
from pneumoscope.model.schema import Calibrator, ClassSpec
from pneumoscope.model.session import Session

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta


def make_graph(
    *, film: str = "film", logits: str = "logits", evidence: str = "evidence", kind: int = TensorProto.UINT8
) -> bytes:
    """A graph whose evidence is the film itself, once a class, with the names that are asked for."""
    nodes = [
        helper.make_node("Cast", [film], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["float", "float", "float"], [evidence], axis=1),
        helper.make_node("GlobalAveragePool", [evidence], ["mean"]),
        helper.make_node("Flatten", ["mean"], [logits]),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info(film, kind, ["N", 1, 32, 32])],
        [
            helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info(evidence, TensorProto.FLOAT, ["N", 3, 32, 32]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data: bytes = model.SerializeToString()
    return data


def test_the_evidence_sums_to_the_logits(tiny_graph: bytes, tiny_meta: BundleMeta) -> None:
    session = Session(tiny_graph, tiny_meta, where="tiny")
    film = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)

    logits, evidence = session.run(film)

    assert logits.shape == (3,)
    assert evidence.shape == (3, 8, 8)
    np.testing.assert_allclose(evidence.mean(axis=(1, 2)) + np.array(tiny_meta.evidence_bias), logits, atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (make_graph(film="image"), "no input film"),
        (make_graph(logits="scores"), "no output logits"),
        (make_graph(evidence="heat"), "no output evidence"),
        (make_graph(kind=TensorProto.FLOAT), "tensor\\(float\\)"),
        (b"not a graph at all", "no ONNX model"),
        (b"", "cannot load"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_told(graph: bytes, message: str, tiny_meta: BundleMeta) -> None:
    with pytest.raises(BundleDamaged, match=message) as caught:
        Session(graph, tiny_meta, where="made.onnx")

    assert caught.value.where == "made.onnx"
    assert "\n" not in str(caught.value)


def test_another_size_or_number_of_classes_is_told(tiny_graph: bytes, tiny_meta: BundleMeta) -> None:
    with pytest.raises(BundleDamaged, match="input film"):
        Session(tiny_graph, replace(tiny_meta, preprocess=PreprocessSpec(size=64)), where="x")

    two = replace(
        tiny_meta,
        classes=(ClassSpec("normal", False), ClassSpec("pneumonia", True)),
        evidence_bias=(0.0, 0.0),
        calibrator=Calibrator(1.0, (0.0, 0.0)),
        conformal=(),
    )
    with pytest.raises(BundleDamaged, match="output logits"):
        Session(tiny_graph, two, where="x")


def test_a_result_that_is_no_number_is_told(tiny_meta: BundleMeta) -> None:
    model = load_from_string(make_graph())
    model.graph.node[0].output[0] = "cast"
    model.graph.node.insert(1, helper.make_node("Log", ["cast"], ["float"]))  # the logarithm of black is no number
    session = Session(model.SerializeToString(), tiny_meta, where="x")

    with pytest.raises(BundleDamaged, match="not a number"):
        session.run(np.zeros((32, 32), np.uint8))
