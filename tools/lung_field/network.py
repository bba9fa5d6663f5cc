"""The lung-field networks (a small U-Net and a slim one) and their ONNX graph."""

from __future__ import annotations

import warnings
from copy import deepcopy
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import onnxruntime as ort
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from pneumoscope.errors import TrainingError
from pneumoscope.quality.head import GRID
from pneumoscope.training.export import without_traces

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LungField", "SlimLungField", "lungs_to_onnx"]

_WIDTHS = (16, 32, 48, 64, 96)
_SLIM = (32, 16, 16)  # multiples of 16: what a vector of the processor holds


class LungField(nn.Module):
    """Ronneberger et al., "U-Net", MICCAI 2015, slim: 16 to 96 channels, half of the input's resolution.

    The mask frames the film and weighs the evidence, and neither needs more than 64 x 64. The upward path adds
    where U-Net concatenates (Lin et al., "Feature pyramid networks", CVPR 2017): half of the work.

    Attributes:
        size: Side of the input in pixels.
        mean: The input is ``x = (gray / 255 - mean) / std``.
        std: Likewise.
    """

    def __init__(self, size: int = 128) -> None:
        super().__init__()
        self.size = size
        self.mean, self.std = 0.5, 0.25
        self.stem = _convolve(1, _WIDTHS[0], stride=2)
        self.down = nn.ModuleList(
            nn.Sequential(_convolve(inside, outside, stride=2), _convolve(outside, outside))
            for inside, outside in pairwise(_WIDTHS)
        )
        self.bridge = nn.ModuleList(nn.Conv2d(upper, lower, 1) for lower, upper in pairwise(_WIDTHS))
        self.merge = nn.ModuleList(_convolve(lower, lower) for lower in _WIDTHS[:-1])
        self.last = nn.Conv2d(_WIDTHS[0], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised films [N, 1, S, S] -> logits of lung [N, 1, S / 2, S / 2], features [N, 256].

        The features are the mean of each channel over the film, from every stage of the downward path.
        """
        steps, features = _downward(self.stem, self.down, x)
        x = steps[-1]
        for level in reversed(range(len(self.bridge))):
            raised = F.interpolate(self.bridge[level](x), scale_factor=2.0, mode="nearest")
            x = self.merge[level](raised + steps[level])
        logits: Tensor = self.last(x)
        return logits, features


class SlimLungField(nn.Module):
    """The downward path of a ``LungField`` as it is, and a slim upward path: six tenths of the time.

    The features are those of the larger network, so a gate that reads them reads on. The upward path ends at a quarter
    of the input's resolution, where each place answers for four.

    Args:
        large: Whose downward path it takes over; it is shared and not copied.

    Attributes:
        size: Side of the input in pixels.
        mean: The input is ``x = (gray / 255 - mean) / std``.
        std: Likewise.
    """

    def __init__(self, large: LungField) -> None:
        super().__init__()
        self.size, self.mean, self.std = large.size, large.mean, large.std
        self.stem, self.down = large.stem, large.down
        inside = (_SLIM[0], *_SLIM[:-1])
        self.top = nn.Conv2d(_WIDTHS[-1], inside[0], 1)
        self.bridge = nn.ModuleList(
            nn.Conv2d(skip, width, 1) for skip, width in zip(_WIDTHS[3:0:-1], inside, strict=True)
        )
        self.merge = nn.ModuleList(_convolve(width, outside) for width, outside in zip(inside, _SLIM, strict=True))
        self.last = nn.Conv2d(_SLIM[-1], 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As ``LungField``: logits of lung [N, 1, S / 2, S / 2], features [N, 256]."""
        steps, features = _downward(self.stem, self.down, x)
        x = self.top(steps[-1])
        for bridge, merge, step in zip(self.bridge, self.merge, steps[3:0:-1], strict=True):
            x = merge(F.relu(bridge(step) + F.interpolate(x, scale_factor=2.0, mode="nearest")))
        return F.pixel_shuffle(self.last(x), 2), features


def _downward(stem: nn.Module, down: nn.ModuleList, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """Every stage of the downward path, and the mean of each of their channels over the film [N, 256]."""
    steps = [stem(x)]
    for stage in down:
        steps.append(stage(steps[-1]))
    # A pooling and no plain mean: ONNX Runtime then leaves the channels in the order in which it computes them.
    return steps, torch.cat([F.avg_pool2d(step, step.shape[-1]) for step in steps], dim=1).flatten(1)


def _convolve(inside: int, outside: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


_TOLERANCE = 1e-3  # of a probability


class _Exported(nn.Module):
    """uint8 films in; probabilities of lung and features out, as ``pneumoscope.quality.head`` tells."""

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
