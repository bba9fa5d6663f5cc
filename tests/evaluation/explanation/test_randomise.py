from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.stats import spearmanr

from pneumoscope.errors import MissingExtra, UsageError
from pneumoscope.evaluation.explanation.faithfulness import (
    parameter_randomization,
    rank_correlation,
    shuffled,
    weights_from_the_top,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.evaluation.dataset import LabelledFilm
    from pneumoscope.evaluation.explanation.network import FilmEvidence, OpenBundle


def seen_of(network: OpenBundle, films: list[LabelledFilm]) -> list[FilmEvidence]:
    return [network.see(film.open(), patient=film.patient, positive=film.positive) for film in films]


def test_the_topmost_weights_come_first(tiny_graph: bytes) -> None:
    assert weights_from_the_top(tiny_graph) == [("second",), ("first",)]


def test_biases_go_with_their_kernels_and_casts_are_looked_through() -> None:
    """As in a bundle whose weights are stored as halves: the cast stands at the graph's head, the use at its end."""
    rng = np.random.default_rng(0)
    values: dict[str, NDArray[np.floating]] = {
        "late": rng.normal(size=(2, 3, 1, 1)).astype(np.float16),
        "late_bias": rng.normal(size=2).astype(np.float32),
        "early": rng.normal(size=(3, 1, 3, 3)).astype(np.float32),
        "unused": rng.normal(size=(3, 3)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["late"], ["raised"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "early"], ["a"]),
        helper.make_node("Conv", ["a", "raised", "late_bias"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "halves",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    data = helper.make_model(graph).SerializeToString()
    assert weights_from_the_top(data) == [("late", "late_bias"), ("early",)]
    mixed = onnx.load_from_string(shuffled(data, ("late", "late_bias"), rng))
    after = {tensor.name: numpy_helper.to_array(tensor) for tensor in mixed.graph.initializer}
    assert after["late"].dtype == np.float16
    for name in ("late", "late_bias"):
        assert np.array_equal(np.sort(after[name].ravel()), np.sort(values[name].ravel()))
    assert not np.array_equal(after["late"], values["late"])
    assert np.array_equal(after["early"], values["early"])


def test_rank_correlation_is_spearmans() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 9, (8, 8)).astype(float)  # with ties
    b = a + rng.normal(size=(8, 8)) * 4
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.zeros((8, 8))) == 0


def test_a_map_that_hangs_on_the_weights_passes(tiny: OpenBundle, films: list[LabelledFilm]) -> None:
    found = parameter_randomization(tiny, seen_of(tiny, films), rng=np.random.default_rng(0), draws=6)
    assert found.weights == 2
    assert [stage.layers for stage in found.stages] == [1, 2]
    assert [stage.name for stage in found.stages] == ["second", "first"]
    last = found.stages[-1]
    assert last.correlation.n == len(films)
    assert last.size.value is not None
    assert last.size.value < 0.9
    assert last.correlation.value is not None
    assert abs(last.correlation.value) <= last.size.value


def test_a_map_that_does_not_hang_on_the_weights_fails(
    linear: Callable[..., Path], films: list[LabelledFilm], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shuffling weights that are all alike changes nothing: the map shows the film, not what was learned."""
    from pneumoscope.evaluation.explanation.network import open_bundle

    network = open_bundle(linear(np.ones((8, 8))))
    found = parameter_randomization(network, seen_of(network, films), rng=np.random.default_rng(0), draws=2)
    assert found.stages[-1].correlation.value == pytest.approx(1)
    assert not found.passed
    differs = open_bundle(linear(np.random.default_rng(3).normal(size=(8, 8)), name="other"))
    assert parameter_randomization(differs, seen_of(differs, films), rng=np.random.default_rng(0), draws=6).passed
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pneumoscope\[train\]'"):
        weights_from_the_top(network.graph)


def test_threads_do_not_change_it(tiny: OpenBundle, films: list[LabelledFilm]) -> None:
    seen = seen_of(tiny, films)
    one, three = (parameter_randomization(tiny, seen, rng=np.random.default_rng(0), draws=1, threads=n) for n in (1, 3))
    assert one == three


def test_a_graph_without_weights_is_told() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    value = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [1])])
    with pytest.raises(UsageError, match="no weights"):
        weights_from_the_top(helper.make_model(graph).SerializeToString())
