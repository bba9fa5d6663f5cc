"""The lung-field network as an ONNX graph."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import TYPE_CHECKING, cast

import numpy as np
import onnxruntime as ort
import torch
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
        mask = _cells(lungs.shape[-1]) @ lungs @ _cells(lungs.shape[-1]).T
        small = (_cells(self.network.size) / 255) @ gray @ _cells(self.network.size).T
        return lungs, torch.cat([torch.log1p(means), mask.flatten(1), small.flatten(1)], dim=1)


def _cells(side: int) -> Tensor:
    """Share of each of so many places in the mean over each cell of the gate's grid: float32 [GRID, side].

    Two small products take a fifth of the time of a pooling whose cells are so large.
    """
    return torch.eye(GRID).repeat_interleave(side // GRID, dim=1) * GRID / side


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
