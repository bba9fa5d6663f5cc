"""What is wrong with a data set, asked before anybody trains on it."""

from pneumoscope.dataset.audit.acquisition import FEATURES, GROUPS, acquisition_features
from pneumoscope.dataset.audit.clustering import choose_k, clusters
from pneumoscope.dataset.audit.measured import Measured, measure
from pneumoscope.dataset.audit.predictions import Predictions, read_predictions
from pneumoscope.dataset.audit.report import AuditReport, report_schema
from pneumoscope.dataset.audit.run import Audit, audit, parts_of

__all__ = [
    "FEATURES",
    "GROUPS",
    "Audit",
    "AuditReport",
    "Measured",
    "Predictions",
    "acquisition_features",
    "audit",
    "choose_k",
    "clusters",
    "measure",
    "parts_of",
    "read_predictions",
    "report_schema",
]
