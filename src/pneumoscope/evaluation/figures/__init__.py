"""The figures of a run, one file a kind. Each takes arrays and a path, and writes SVG and PNG."""

from pneumoscope.evaluation.figures.confusion import confusion_matrix
from pneumoscope.evaluation.figures.curves import curves
from pneumoscope.evaluation.figures.evidence import evidence_gallery
from pneumoscope.evaluation.figures.histogram import score_histogram
from pneumoscope.evaluation.figures.reliability import reliability
from pneumoscope.evaluation.figures.samples import sample_inputs, sample_outputs
from pneumoscope.evaluation.figures.threshold import precision_recall, roc

__all__ = [
    "confusion_matrix",
    "curves",
    "evidence_gallery",
    "precision_recall",
    "reliability",
    "roc",
    "sample_inputs",
    "sample_outputs",
    "score_histogram",
]
