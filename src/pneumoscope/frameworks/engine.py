"""Keras as the engine of an ordinary run."""

from __future__ import annotations

from pneumoscope.frameworks.export import network_to_onnx
from pneumoscope.frameworks.home import installed_packages, keras_home
from pneumoscope.frameworks.learn import fit_in_keras
from pneumoscope.training.engine import Engine

__all__ = ["keras_engine"]


def keras_engine() -> Engine:
    """The engine.

    Raises:
        MissingExtra: Keras, TensorFlow or tf2onnx is not installed.
    """
    keras = keras_home()
    return Engine(f"Keras {keras.__version__}", fit_in_keras, network_to_onnx, installed_packages())
