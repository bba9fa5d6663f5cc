"""What a bundle's graph may not hold: data of other files, foreign operators, loops, what swells."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from pneumoscope.errors import BundleDamaged
from pneumoscope.model.bundle import read_bundle, shipped_bundles, write_bundle
from pneumoscope.model.graph import check_graph
from pneumoscope.model.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.model.schema import BundleMeta


def external(tensor: TensorProto, file: Path) -> None:
    """Let a tensor's data be those of a file."""
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=file.name)


def a_tensor(file: Path) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "secret")
    external(tensor, file)
    return tensor


def in_an_initializer(model: onnx.ModelProto, file: Path) -> None:
    external(model.graph.initializer[0], file)


def in_an_initializer_without_its_location(model: onnx.ModelProto, file: Path) -> None:
    external(model.graph.initializer[0], file)
    model.graph.initializer[0].ClearField("data_location")


def in_a_constant(model: onnx.ModelProto, file: Path) -> None:
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=a_tensor(file)))


def in_a_subgraph(model: onnx.ModelProto, file: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["secret"], ["out"])],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [4])],
        [a_tensor(file)],
    )
    model.graph.node.append(helper.make_node("If", ["film"], ["c"], then_branch=branch, else_branch=branch))


def in_a_subgraphs_constant(model: onnx.ModelProto, file: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["out"], value=a_tensor(file))],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [4])],
    )
    model.graph.node.append(helper.make_node("If", ["film"], ["c"], then_branch=branch, else_branch=branch))


def in_sparse_weights(model: onnx.ModelProto, file: Path) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(a_tensor(file))


def in_a_function(model: onnx.ModelProto, file: Path) -> None:
    constant = helper.make_node("Constant", [], ["out"], value=a_tensor(file))
    model.functions.append(helper.make_function("own", "F", [], ["out"], [constant], [helper.make_opsetid("", 17)]))


def an_operator_that_reads_files(model: onnx.ModelProto, file: Path) -> None:
    model.graph.node.append(
        helper.make_node("EPContext", ["film"], ["c"], domain="com.microsoft", ep_cache_context=file.name, embed_mode=0)
    )


def a_loop(model: onnx.ModelProto, _: Path) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["film", "film"], ["c"], body=body))


def a_tensor_of_a_terabyte(model: onnx.ModelProto, _: Path) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 19, 1 << 19], np.int64), "shape"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["c"]))


def repeats_by_a_constant(model: onnx.ModelProto, _: Path) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["times"], value_ints=[1, 1, 1 << 16, 1 << 16]))
    model.graph.node.append(helper.make_node("Tile", ["film", "times"], ["c"]))


def more_nodes_than_any_network(model: onnx.ModelProto, _: Path) -> None:
    model.graph.node.extend([helper.make_node("Identity", ["film"], ["c"])] * 20_001)


CHANGES: list[Any] = [
    in_an_initializer,
    in_an_initializer_without_its_location,
    in_a_constant,
    in_a_subgraph,
    in_a_subgraphs_constant,
    in_sparse_weights,
    in_a_function,
    an_operator_that_reads_files,
    a_loop,
    a_tensor_of_a_terabyte,
    repeats_by_a_constant,
    more_nodes_than_any_network,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_it_is_refused_when_read_and_when_loaded(
    change: Callable[[onnx.ModelProto, Path], None],
    tiny_graph: bytes,
    tiny_meta: BundleMeta,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = tmp_path / "secret.key"
    secret.write_bytes(b"\x00\x00\x80\x3f" * 64)
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string(tiny_graph)
    change(model, secret)
    graph = model.SerializeToString()
    write_bundle(tmp_path / "bad.onnx", graph, tiny_meta)

    with pytest.raises(BundleDamaged, match="may not be run"):
        read_bundle(tmp_path / "bad.onnx")
    with pytest.raises(BundleDamaged, match="may not be run"):
        Session(graph, tiny_meta, where="bad")


def test_it_is_found_in_a_graph_that_is_given_in_two_pieces(tiny_graph: bytes, tmp_path: Path) -> None:
    """Protobuf joins what is written twice."""
    model = onnx.ModelProto()
    model.graph.initializer.append(a_tensor(tmp_path / "secret.key"))

    check_graph(tiny_graph, where="tiny")
    with pytest.raises(BundleDamaged, match="outside the file"):
        check_graph(tiny_graph + model.SerializeToString(), where="tiny")


def test_the_shipped_bundles_pass() -> None:
    for path in shipped_bundles().values():
        read_bundle(path)


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_a_graph_or_are_refused(data: bytes) -> None:
    with suppress(BundleDamaged):  # and nothing else
        check_graph(data, where="made")


@settings(deadline=None, max_examples=200)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_changed_byte_is_no_crash(tiny_graph: bytes, place: float, byte: int) -> None:
    changed = bytearray(tiny_graph)
    changed[int(place * len(changed))] = byte
    with suppress(BundleDamaged):
        check_graph(bytes(changed), where="made")
