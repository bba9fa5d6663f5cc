"""A graph in 8-bit integers: static quantisation, with ranges that films have shown.

Kernels are signed, each output channel with a scale of its own; activations are unsigned, with the smallest and the
largest value that they take on films of the training part (Jacob et al., CVPR 2018; Krishnamoorthi, arXiv:1806.08342).
The first sixth of the convolutions, whose rounding all later ones see, and all from the one that makes the evidence
on stay in 32 bit; so the logits remain the mean of the evidence. Kernels take 7 bits, not 8: processors without VNNI
add two products in 16 bit, where 8 bits can overflow, and the same film must read the same everywhere.
"""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from pneumoscope.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["CALIBRATION_FILMS", "quantized"]

CALIBRATION_FILMS = 384
"""How many films show the ranges; more do not change the figures (docs/performance.md)."""

_FIRST = 1 / 6  # of the convolutions
_OPERATORS = ["Conv", "Add", "Clip", "Relu", "MaxPool", "Concat"]


def quantized(graph: bytes, films: NDArray[np.uint8]) -> bytes:
    """Compute a graph in 8-bit integers.

    Args:
        graph: What ``to_onnx`` made.
        films: uint8 [N, S, S], as the network takes them, of those that it learned from.

    Returns:
        A graph of the same inputs and outputs. The same films give the same bytes.

    Raises:
        TrainingError: The graph has no convolutions.
    """
    import onnx  # noqa: PLC0415 - heavy
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole.onnx", Path(folder) / "int8.onnx"
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC  # constants and norms folded
        options.optimized_model_filepath = str(whole)
        ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        model: Any = onnx.load(whole)
        kept = _kept_whole(model)
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)  # it advises on the root logger to fold constants, which was done above
        try:
            quantize_static(
                whole,
                small,
                _Films(films),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                op_types_to_quantize=_OPERATORS,
                nodes_to_exclude=kept,
            )
        finally:
            logging.root.setLevel(level)
        made: Any = onnx.load(small)
    made.producer_name, made.producer_version = model.producer_name, model.producer_version
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString(deterministic=True))


def _kept_whole(model: Any) -> list[str]:
    """Names of the first convolutions, and of what makes the evidence and comes after it.

    Raises:
        TrainingError: There is no convolution.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    if not convolutions:
        raise TrainingError("the network has no convolutions to quantise", remedy="Set export.int8=false")
    producers = {output: node for node in model.graph.node for output in node.output}
    last = producers["evidence"]
    while last.op_type not in {"Conv", "Gemm", "MatMul"} and last.input[0] in producers:
        last = producers[last.input[0]]
    made = {*last.output}
    head = [last.name]
    for node in model.graph.node:  # in the order of what depends on what
        if made & {*node.input}:
            made |= {*node.output}
            head.append(node.name)
    first = convolutions[: max(1, round(_FIRST * len(convolutions)))]
    return [*(node.name for node in first), *head]


class _Films:
    """Films one by one, as ``onnxruntime.quantization`` asks for them (its ``CalibrationDataReader``)."""

    def __init__(self, films: NDArray[np.uint8]) -> None:
        self._films: Iterator[NDArray[np.uint8]] = iter(films)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next film, as the graph's input; None after the last."""
        film = next(self._films, None)
        return None if film is None else {"film": np.ascontiguousarray(film)[None, None]}

    def set_range(self, *, start_index: int, end_index: int) -> None:
        """Not asked for: all films are taken at once."""
        raise NotImplementedError
