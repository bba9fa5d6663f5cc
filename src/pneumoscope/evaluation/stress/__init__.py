"""Films made worse on purpose: how the figures fall with the severity of a corruption."""

from __future__ import annotations

from pneumoscope.evaluation.stress.corruptions import CORRUPTIONS, Corruption, corrupt
from pneumoscope.evaluation.stress.result import StressCell, StressPoint, StressResult, StressSummary
from pneumoscope.evaluation.stress.sweep import run_stress

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "StressCell",
    "StressPoint",
    "StressResult",
    "StressSummary",
    "corrupt",
    "run_stress",
]
