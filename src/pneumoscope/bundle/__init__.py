"""A whole model in one ONNX file: the graph, and in its metadata all that a reading needs."""

from pneumoscope.bundle.container import read_bundle, write_bundle
from pneumoscope.bundle.reference import Reference
from pneumoscope.bundle.registry import find_bundle, shipped_bundles
from pneumoscope.bundle.schema import (
    THREE_WAY,
    Band,
    BundleMeta,
    Calibrator,
    ClassSpec,
    Conformal,
    Figure,
    OperatingPoint,
    Rate,
    SiteCalibration,
)

__all__ = [
    "THREE_WAY",
    "Band",
    "BundleMeta",
    "Calibrator",
    "ClassSpec",
    "Conformal",
    "Figure",
    "OperatingPoint",
    "Rate",
    "Reference",
    "SiteCalibration",
    "find_bundle",
    "read_bundle",
    "shipped_bundles",
    "write_bundle",
]
