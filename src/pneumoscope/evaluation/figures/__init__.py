"""The figures of a run, one file a kind. Each takes arrays and a path, and writes SVG and PNG."""

from pneumoscope.evaluation.figures.confusion import confusion_matrix
from pneumoscope.evaluation.figures.curves import curves
from pneumoscope.evaluation.figures.decision import decision_curve
from pneumoscope.evaluation.figures.deletion import PerturbationLine, deletion_insertion
from pneumoscope.evaluation.figures.evidence import evidence_gallery
from pneumoscope.evaluation.figures.forest import ForestCell, ForestRow, forest
from pneumoscope.evaluation.figures.histogram import score_histogram
from pneumoscope.evaluation.figures.mean_evidence import MeanMap, mean_evidence
from pneumoscope.evaluation.figures.prevalence import prevalence_curves
from pneumoscope.evaluation.figures.randomised import randomised_weights
from pneumoscope.evaluation.figures.reliability import reliability
from pneumoscope.evaluation.figures.samples import sample_inputs, sample_outputs
from pneumoscope.evaluation.figures.stress import StressPanel, stress_curves
from pneumoscope.evaluation.figures.threshold import ReaderPoint, precision_recall, roc

__all__ = [
    "ForestCell",
    "ForestRow",
    "MeanMap",
    "PerturbationLine",
    "ReaderPoint",
    "StressPanel",
    "confusion_matrix",
    "curves",
    "decision_curve",
    "deletion_insertion",
    "evidence_gallery",
    "forest",
    "mean_evidence",
    "precision_recall",
    "prevalence_curves",
    "randomised_weights",
    "reliability",
    "roc",
    "sample_inputs",
    "sample_outputs",
    "score_histogram",
    "stress_curves",
]
