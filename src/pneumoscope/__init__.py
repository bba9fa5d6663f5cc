"""pneumoscope reads chest radiographs for pneumonia. Research use only; not a medical device.

    >>> import pneumoscope as ps
    >>> ps.read("film.jpeg").finding.call               # with the shipped bundle
    >>> manifest = ps.scan("films")                     # from labelled films ...
    >>> run = ps.train(manifest, "run")
    >>> ps.evaluate(run).metric("AUC")                  # ... to an evaluated bundle

Importing is instant: everything heavy waits until it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pneumoscope.api import audit, compare, evaluate, load, metrics, read, scan, split, train
    from pneumoscope.data.audit.run import Audit
    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.errors import PneumoscopeError
    from pneumoscope.evaluation.compare.result import Comparison
    from pneumoscope.evaluation.predictions import PredictionTable
    from pneumoscope.evaluation.result import EvaluationResult
    from pneumoscope.model.reader import Reader
    from pneumoscope.stats.metrics import Metric, Metrics
    from pneumoscope.training.run import Run
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = [
    "Audit",
    "Comparison",
    "EvaluationResult",
    "Manifest",
    "Metric",
    "Metrics",
    "PneumoscopeError",
    "PredictionTable",
    "Radiograph",
    "Reader",
    "Reading",
    "Run",
    "Split",
    "__version__",
    "audit",
    "compare",
    "evaluate",
    "load",
    "metrics",
    "read",
    "reader_study",
    "scan",
    "split",
    "train",
]

__version__ = "0.5.0"

_API = "pneumoscope.api"
_HOMES = {
    **dict.fromkeys(
        ("audit", "compare", "evaluate", "load", "metrics", "read", "reader_study", "scan", "split", "train"), _API
    ),
    "Audit": "pneumoscope.data.audit.run",
    "Comparison": "pneumoscope.evaluation.compare.result",
    "EvaluationResult": "pneumoscope.evaluation.result",
    "Manifest": "pneumoscope.data.manifest",
    "Metric": "pneumoscope.stats.metrics",
    "Metrics": "pneumoscope.stats.metrics",
    "PneumoscopeError": "pneumoscope.errors",
    "PredictionTable": "pneumoscope.evaluation.predictions",
    "Radiograph": "pneumoscope.types.radiograph",
    "Reader": "pneumoscope.model.reader",
    "Reading": "pneumoscope.types.reading",
    "Run": "pneumoscope.training.run",
    "Split": "pneumoscope.data.split",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    """Import a public name from its home at its first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pneumoscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
