"""From a trained network to an ONNX graph, and the proof that both say the same."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from pneumoscope.errors import TrainingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.networks import Network

__all__ = ["TOLERANCE", "Exported", "parity", "to_onnx"]

TOLERANCE = 1e-3
"""Largest difference of any logit between torch and ONNX Runtime, in logits: far below what a person could see."""


class Exported(nn.Module):
    """What the graph computes: uint8 films in, logits and evidence out.

    Args:
        network: Trained, in eval mode.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, film: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 1, S, S] -> logits [N, C], evidence [N, C, h, w]."""
        x = (film.to(torch.float32) / 255 - self.network.mean) / self.network.std
        return self.network.explain(x)


def to_onnx(network: Network) -> bytes:
    """The network as a serialised ONNX model, with a free batch size.

    Args:
        network: Trained; it is put into eval mode.
    """
    size = network.size
    example = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    module = Exported(network.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]  # torch's stub lacks it
    for name in ("onnxscript", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Notes of the exporter to its own developers; what matters is proved by ``parity``.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            input_names=["film"],
            output_names=["logits", "evidence"],
            dynamic_shapes={"film": {0: torch.export.Dim("films", min=1, max=4096)}},
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    if program is None:  # pragma: no cover - the exporter gives a program or raises
        raise TrainingError("the network could not be exported to ONNX", remedy="Report it with the run's config.toml")
    return without_traces(program.model_proto)


def without_traces(model: Any) -> bytes:
    """Serialise an ONNX model without the exporter's notes: they hold stack traces, with the paths of this machine."""
    model.ClearField("metadata_props")
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return bytes(model.SerializeToString(deterministic=True))


def parity(network: Network, graph: bytes, films: NDArray[np.uint8]) -> float:
    """Hold ONNX Runtime to torch on real films.

    Args:
        network: Trained.
        graph: What ``to_onnx`` made of it.
        films: uint8 [N, S, S].

    Returns:
        The largest difference of any logit.

    Raises:
        TrainingError: It is above ``TOLERANCE``, or the evidence does not sum to the logits.
    """
    with torch.inference_mode():
        expected = cast("Tensor", Exported(network)(torch.from_numpy(np.ascontiguousarray(films))[:, None])[0]).numpy()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits, evidence = session.run(["logits", "evidence"], {"film": films[:, None]})
    summed = evidence.mean(axis=(2, 3)) + np.array(network.evidence_bias(), dtype=np.float32)
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(logits - expected).max())
    for what, gap in (("differs from torch", difference), ("is not the sum of its evidence", _gap(summed, logits))):
        if not gap <= TOLERANCE * scale:
            raise TrainingError(
                f"the exported graph {what} by {gap:.2g} in a logit, more than {TOLERANCE * scale:.2g}",
                remedy="Report it with the run's config.toml; the checkpoint is kept",
            )
    return difference


def _gap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())
