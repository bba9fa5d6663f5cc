"""From a Radiograph to the network's input: one function, one spec, for training and reading alike."""

from pneumoscope.preprocess.apply import preprocess
from pneumoscope.preprocess.spec import PreprocessSpec

__all__ = ["PreprocessSpec", "preprocess"]
