"""The lung-field network as an ONNX graph."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, cast

import numpy as np
import onnxruntime as ort
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pneumoscope.errors import TrainingError
from pneumoscope.gate.inputs import GRID
from pneumoscope.training.export import without_traces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.networks.lungfield import LungField, SlimLungField

__all__ = ["lungs_to_onnx"]

_TOLERANCE = 1e-3  # of a probability


class _Exported(nn.Module):
    """uint8 films in; probabilities of lung and features out, as ``pneumoscope.gate.inputs`` tells."""

    def __init__(self, network: LungField | SlimLungField) -> None:
        super().__init__()
        self.network = deepcopy(network).eval()
        self.middle = 255 * network.mean
        first = cast("nn.Conv2d", self.network.stem[0])
        # The division is the first layer's, which has the time; the border of noughts stays mid-gray.
        first.weight.data /= 255 * network.std

    def forward(self, film: Tensor) -> tuple[Tensor, Tensor]:
        gray = film.to(torch.float32)
        logits, means = self.network(gray - self.middle)
        lungs = torch.sigmoid(logits)
        small = (F.avg_pool2d(each, each.shape[-1] // GRID).flatten(1) for each in (lungs, gray / 255))
        return lungs, torch.cat([torch.log1p(means), *small], dim=1)


def lungs_to_onnx(network: LungField | SlimLungField, films: NDArray[np.uint8]) -> bytes:
    """The network with a free batch size: ``film`` -> ``lungs`` and ``features``.

    Args:
        network: Trained.
        films: uint8 [N, S, S], to hold ONNX Runtime to torch on.

    Raises:
        TrainingError: The graph says something else than the network.
    """
    module = _Exported(network.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]  # torch's stub lacks it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes of the exporter to its own developers
        program = torch.onnx.export(
            module,
            (torch.zeros(2, 1, network.size, network.size, dtype=torch.uint8),),
            input_names=["film"],
            output_names=["lungs", "features"],
            dynamic_shapes={"film": {0: torch.export.Dim("films", min=1, max=4096)}},
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    if program is None:  # pragma: no cover - the exporter gives a program or raises
        raise TrainingError("the lung-field network could not be exported to ONNX", remedy="Report it with the seed")
    graph = without_traces(program.model_proto)
    with torch.inference_mode():
        expected = module(torch.from_numpy(films)[:, None])[0].numpy()
    found = ort.InferenceSession(graph, providers=["CPUExecutionProvider"]).run(["lungs"], {"film": films[:, None]})[0]
    gap = float(np.abs(found - expected).max())
    if not gap <= _TOLERANCE:
        raise TrainingError(
            f"the exported lung-field network differs from torch by {gap:.2g}", remedy="Report it with the seed"
        )
    return graph
