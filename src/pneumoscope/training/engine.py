"""What learns a network: PyTorch here, or another framework with the same architecture, weights and films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.training.export import to_onnx
from pneumoscope.training.fit import fit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pneumoscope.networks import Network
    from pneumoscope.training.config import TrainConfig
    from pneumoscope.training.fit import Fitted, Parts

__all__ = ["TORCH", "Engine"]


@dataclass(frozen=True, slots=True)
class Engine:
    """The two steps of a run that belong to a framework; films, split, calibration and judgement belong to none.

    Attributes:
        name: For people: "PyTorch".
        fit: Learns from fresh weights, or goes on where an earlier start of the run stopped. It writes the run's
            history, and gives the network back with the weights of the chosen epoch.
        export: The network as an ONNX graph that keeps the bundle's contract; the run holds it to ``fit``'s network.
        packages: Whose versions stand in the provenance.
    """

    name: str
    fit: Callable[[Network, Parts, tuple[bool, ...], TrainConfig, Path], Fitted]
    export: Callable[[Network], bytes]
    packages: tuple[str, ...]


TORCH = Engine("PyTorch", fit, to_onnx, ("torch", "lightning"))
