"""Networks whose evidence is known by construction."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.evaluation.dataset import LabelledFilm, phantom_films
from pneumoscope.evaluation.explanation.network import OpenBundle, open_bundle
from pneumoscope.model.bundle import write_bundle
from pneumoscope.model.schema import BundleMeta, Calibrator, ClassSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 8
"""Places a side of the map; the picture has 32 pixels a side."""


@pytest.fixture
def tiny(tiny_bundle: Path) -> OpenBundle:
    return open_bundle(tiny_bundle)


@pytest.fixture
def linear(tmp_path: Path, tiny_meta: BundleMeta) -> Callable[..., Path]:
    """A bundle of two classes whose evidence for the finding is ``weight[place] * mean gray of the place + bias``.

    ``linear(weight, gain)``: weight [8, 8]; the finding's logit is the mean of the evidence, the other's is 0.
    """

    def make(weight: NDArray[np.floating], *, bias: float = 0.0, name: str = "linear") -> Path:
        from onnx import TensorProto, helper, numpy_helper

        zero = np.zeros((1, 1, SIDE, SIDE), np.float32)
        weights = {
            "scale": np.array(255, np.float32),
            "mean": np.full((1, 1, 4, 4), 1 / 16, np.float32),
            "places": np.asarray(weight, np.float32).reshape(1, 1, SIDE, SIDE),
            "bias": np.array(bias, np.float32),
            "zero": zero,
        }
        nodes = [
            helper.make_node("Cast", ["film"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "scale"], ["scaled"]),
            helper.make_node("Conv", ["scaled", "mean"], ["grid"], strides=[4, 4]),
            helper.make_node("Mul", ["grid", "places"], ["weighted"]),
            helper.make_node("Add", ["weighted", "bias"], ["sick"]),
            helper.make_node("Mul", ["grid", "zero"], ["well"]),
            helper.make_node("Concat", ["well", "sick"], ["evidence"], axis=1),
            helper.make_node("GlobalAveragePool", ["evidence"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["logits"]),
        ]
        graph = helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("film", TensorProto.UINT8, ["N", 1, 32, 32])],
            [
                helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2]),
                helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["N", 2, SIDE, SIDE]),
            ],
            [numpy_helper.from_array(value, key) for key, value in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        meta = replace(
            tiny_meta,
            classes=(ClassSpec("normal", positive=False), ClassSpec("pneumonia", positive=True)),
            evidence_bias=(0.0, 0.0),
            calibrator=Calibrator(1.0, (0.0, 0.0)),
            conformal=(),
        )
        path = tmp_path / f"{name}.onnx"
        write_bundle(path, model.SerializeToString(), meta)
        return path

    return make


@pytest.fixture(scope="session")
def films() -> list[LabelledFilm]:
    drawn = phantom_films(range(12), ("normal", "bacterial", "viral"), rows=64)
    opened = {film.path: film.open() for film in drawn}  # drawing is slow
    return [replace(film, open=partial(opened.__getitem__, film.path)) for film in drawn]
