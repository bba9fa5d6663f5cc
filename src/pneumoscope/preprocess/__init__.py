"""From a Radiograph to the network's input: one function, one spec, for training and reading alike."""

from pneumoscope.preprocess.apply import Prepared, prepare, preprocess
from pneumoscope.preprocess.spec import PreprocessSpec

__all__ = ["Prepared", "PreprocessSpec", "prepare", "preprocess"]
