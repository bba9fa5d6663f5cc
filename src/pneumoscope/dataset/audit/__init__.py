"""What is wrong with a data set, asked before anybody trains on it."""

from pneumoscope.dataset.audit.acquisition import FEATURES, GROUPS, acquisition_features
from pneumoscope.dataset.audit.clustering import choose_k, clusters
from pneumoscope.dataset.audit.measured import Measured, measure

__all__ = ["FEATURES", "GROUPS", "Measured", "acquisition_features", "choose_k", "clusters", "measure"]
