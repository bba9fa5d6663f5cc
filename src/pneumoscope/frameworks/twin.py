"""Keras, imported when needed, and Keras networks that are ours layer by layer."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from pneumoscope.errors import ConfigError, MissingExtra
from pneumoscope.networks.classic import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Twin", "installed_packages", "load_keras", "make_twin", "quiet_keras"]

_DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")


def load_keras(threads: int = 0) -> Any:
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


if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pneumoscope.networks.base import Network

    Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """A torch layer and its Keras twin.

    Attributes:
        ours: Whose weights are ``names``, in the order of the twin's.
        theirs: The Keras layer.
        names: Of our tensors.
        over: Our arrays as Keras lays them out.
        back: The reverse.
    """

    ours: nn.Module
    theirs: Any
    names: tuple[str, ...]
    over: Callable[[Weights], Weights]
    back: Callable[[Weights], Weights]


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """A Keras model and where its weights come from.

    Attributes:
        model: Takes normalised films float [N, S, S, 1], gives logits [N, C].
        features: The last feature map [N, h, w, K], a Keras tensor of the model's graph.
        dense: The head's hidden layers, then its last one.
        pairs: The layers that have weights.
    """

    model: Any
    features: Any
    dense: tuple[Any, ...]
    pairs: tuple[_Pair, ...]

    def take_over(self) -> None:
        """Give the Keras model the torch network's weights."""
        for pair in self.pairs:
            tensors = [_tensor(pair.ours, name).detach().cpu().numpy() for name in pair.names]
            pair.theirs.set_weights(pair.over(tensors))

    def give_back(self) -> None:
        """Give the torch network the Keras model's weights."""
        with torch.no_grad():
            for pair in self.pairs:
                arrays = pair.back([np.asarray(array) for array in pair.theirs.get_weights()])
                for name, array in zip(pair.names, arrays, strict=True):
                    _tensor(pair.ours, name).copy_(torch.from_numpy(np.ascontiguousarray(array)))


def make_twin(network: Network, *, seed: int = 0) -> Twin:
    """Build the Keras twin of a classic network, with the network's weights.

    Args:
        network: Of the family ``Plain``.
        seed: Of dropout; frameworks draw different numbers from one seed.

    Raises:
        ConfigError: It is of another family.
        MissingExtra: Keras is not installed.
    """
    if not isinstance(network, Plain):
        raise ConfigError(
            f"the network {network.name} has no twin in Keras",
            where="network.name",
            remedy="Take a classic one, like classic-3conv: `pneumoscope networks` lists them",
        )
    keras = load_keras()
    with quiet_keras():
        twin = _Builder(keras, seed).build(network)
    twin.take_over()
    return twin


class _Builder:
    """Translates layer by layer; the torch network's own modules are the plan."""

    def __init__(self, keras: Any, seed: int) -> None:
        self.keras = keras
        self.layers = keras.layers
        self.seed = seed
        self.pairs: list[_Pair] = []

    def build(self, network: Plain) -> Twin:
        films = self.keras.Input((network.size, network.size, 1), name="films")
        x = films
        for module in network.body:
            x = self._body(module, x)
        features = x
        x = self.layers.Flatten()(x)
        head = network.head
        dense = []
        places = (int(features.shape[3]), int(features.shape[1]), int(features.shape[2]))  # K, h, w
        for number, (layer, drop) in enumerate(zip(head.layers, head.dropouts, strict=True)):  # type: ignore[arg-type]  # Plain's head is a FlattenHead
            dense.append(self._dense(layer, places if number == 0 else None))
            x = self.layers.ReLU()(dense[-1](x))
            x = self._dropout(drop, x)
        dense.append(self._dense(head.linear, None if dense else places))  # type: ignore[arg-type]  # as above
        return Twin(self.keras.Model(films, dense[-1](x)), features, tuple(dense), tuple(self.pairs))

    def _body(self, module: nn.Module, x: Any) -> Any:
        match module:
            case nn.Conv2d():
                return self._convolution(module)(x)
            case nn.Sequential():  # depthwise, then pointwise
                depthwise, pointwise = module
                return self._convolution(pointwise)(self._depthwise(depthwise)(x))  # type: ignore[arg-type]  # as Plain makes them
            case nn.BatchNorm2d():
                return self._batch_norm(module)(x)
            case nn.ReLU():
                return self.layers.ReLU()(x)
            case nn.MaxPool2d():
                return self.layers.MaxPooling2D(2)(x)
            case nn.Dropout():
                return self._dropout(module, x)
            case _:
                raise ConfigError(f"the layer {type(module).__name__} has no twin in Keras", where="network.options")

    def _convolution(self, ours: nn.Conv2d) -> Any:
        theirs = self.layers.Conv2D(
            ours.out_channels, ours.kernel_size, padding="same", dilation_rate=ours.dilation, use_bias=True
        )
        return self._paired(
            ours,
            theirs,
            ("weight", "bias"),
            lambda w: [w[0].transpose(2, 3, 1, 0), w[1]],  # [O, I, 3, 3] -> [3, 3, I, O]
            lambda w: [w[0].transpose(3, 2, 0, 1), w[1]],
        )

    def _depthwise(self, ours: nn.Conv2d) -> Any:
        theirs = self.layers.DepthwiseConv2D(
            ours.kernel_size, padding="same", dilation_rate=ours.dilation, use_bias=False
        )
        return self._paired(
            ours,
            theirs,
            ("weight",),
            lambda w: [w[0].transpose(2, 3, 0, 1)],  # [C, 1, 3, 3] -> [3, 3, C, 1]
            lambda w: [w[0].transpose(2, 3, 0, 1)],
        )

    def _batch_norm(self, ours: nn.BatchNorm2d) -> Any:
        theirs = self.layers.BatchNormalization(momentum=1 - (ours.momentum or 0.1), epsilon=ours.eps)
        names = ("weight", "bias", "running_mean", "running_var")
        return self._paired(ours, theirs, names, list, list)

    def _dense(self, ours: nn.Linear, places: tuple[int, int, int] | None) -> Any:
        """A dense layer; the first one behind the feature map sees K, h, w in torch and h, w, K in Keras."""

        def over(weights: Weights) -> Weights:
            kernel, bias = weights
            if places is not None:
                kernel = kernel.reshape(-1, *places).transpose(0, 2, 3, 1).reshape(len(kernel), -1)
            return [kernel.T, bias]

        def back(weights: Weights) -> Weights:
            kernel, bias = weights[0].T, weights[1]
            if places is not None:
                channels, height, width = places
                kernel = kernel.reshape(-1, height, width, channels).transpose(0, 3, 1, 2).reshape(len(kernel), -1)
            return [kernel, bias]

        return self._paired(ours, self.layers.Dense(ours.out_features), ("weight", "bias"), over, back)

    def _dropout(self, module: nn.Dropout, x: Any) -> Any:
        if module.p == 0:
            return x
        self.seed += 1
        return self.layers.Dropout(module.p, seed=self.seed)(x)

    def _paired(
        self,
        ours: nn.Module,
        theirs: Any,
        names: tuple[str, ...],
        over: Callable[[Weights], Weights],
        back: Callable[[Weights], Weights],
    ) -> Any:
        self.pairs.append(_Pair(ours, theirs, names, over, back))
        return theirs


def _tensor(module: nn.Module, name: str) -> torch.Tensor:
    found: torch.Tensor = getattr(module, name)
    return found
