"""Films in, a table of predictions out: with a bundle, or with any ONNX classifier and a small spec file."""

from pneumoscope.evaluation.predicting.bundle import BundleSystem
from pneumoscope.evaluation.predicting.films import films_to_judge
from pneumoscope.evaluation.predicting.foreign import ForeignSystem
from pneumoscope.evaluation.predicting.matching import match_films
from pneumoscope.evaluation.predicting.predict import predict
from pneumoscope.evaluation.predicting.seen import seen_notes

__all__ = ["BundleSystem", "ForeignSystem", "films_to_judge", "match_films", "predict", "seen_notes"]
