"""A whole model in one ONNX file: the graph, and in its metadata all that a reading needs."""

from pneumoscope.bundle.container import read_bundle, write_bundle
from pneumoscope.bundle.registry import find_bundle, shipped_bundles
from pneumoscope.bundle.schema import BundleMeta, Calibrator, ClassSpec, Conformal, Figure, OperatingPoint, Rate

__all__ = [
    "BundleMeta",
    "Calibrator",
    "ClassSpec",
    "Conformal",
    "Figure",
    "OperatingPoint",
    "Rate",
    "find_bundle",
    "read_bundle",
    "shipped_bundles",
    "write_bundle",
]
