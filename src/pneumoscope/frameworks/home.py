"""TensorFlow and Keras, imported when they are needed and kept quiet."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["installed_packages", "keras_home", "quiet_keras"]

_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")


def keras_home(threads: int = 0) -> Any:
    """The module keras, on TensorFlow.

    Args:
        threads: CPU threads of TensorFlow; 0 leaves them as they are, and so does a TensorFlow that already runs.

    Raises:
        MissingExtra: One of them is not installed.
    """
    for package in ("tensorflow", "keras", "tf2onnx"):
        if find_spec(package) is None:
            raise MissingExtra.named(package, extra="keras", needed_for="a Keras model")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the person's keras.json says: the exporter needs it
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # advice on speed, to TensorFlow's own users
    with quiet_keras():
        import keras  # noqa: PLC0415 - seconds, and only these functions need it
        import tensorflow as tf  # noqa: PLC0415

        if threads:
            with suppress(RuntimeError):  # it runs already
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras


def installed_packages() -> tuple[str, ...]:
    """The distributions that make up Keras here, by the names that pip knows them under."""
    found = []
    for name in _DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            version(name)
            found.append(name)
    return ("keras", *found[:1], "tf2onnx")


@contextmanager
def quiet_keras() -> Iterator[None]:
    """Without the notes of Keras and its exporter to their own developers; errors still come as exceptions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
