"""Keras models as ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import TrainingError
from pneumoscope.frameworks.home import keras_home, quiet_keras
from pneumoscope.frameworks.twin import make_twin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.networks import Network

__all__ = ["keras_to_onnx", "network_to_onnx"]

_OPSET = 17


def network_to_onnx(network: Network) -> bytes:
    """The graph of a network's Keras twin, exported by Keras: film in, logits and evidence out, as a bundle wants it.

    Args:
        network: A classic network with its learned weights.

    Raises:
        ConfigError: The network has no twin.
        MissingExtra: Keras is not installed.
        TrainingError: Keras cannot export it.
    """
    keras = keras_home()
    twin = make_twin(network)
    with quiet_keras():
        films = keras.Input((1, network.size, network.size), dtype="uint8", name="film")
        gray = keras.ops.transpose(keras.ops.cast(films, "float32"), (0, 2, 3, 1))
        body = keras.Model(twin.model.inputs, twin.features)
        features = body((gray / 255.0 - network.mean) / network.std)
        logits, evidence = _explained(keras, features, twin.dense)
        model = keras.Model(films, [logits, evidence])
    return keras_to_onnx(model, ["film"], ["logits", "evidence"])


def _explained(keras: Any, features: Any, dense: Sequence[Any]) -> tuple[Any, Any]:
    """Logits [N, C] and evidence [N, C, h, w] of a feature map [N, h, w, K]: ``FlattenHead.explain`` in Keras."""
    ops = keras.ops
    *hidden, last = dense

    class Explain(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types; a layer, so that it knows the weights
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.last = hidden, last

        def call(self, features: Any) -> tuple[Any, Any]:
            _, height, width, channels = features.shape
            x = ops.reshape(features, (-1, height * width * channels))
            masks = []
            for layer in self.hidden:
                x = layer(x)
                masks.append(ops.cast(x > 0, "float32"))
                x = ops.relu(x)
            logits = self.last(x)
            # W_eff [N, units, C] and b_eff [N, C], from the last layer down; the kernels stand on the left, as they
            # are, so that the graph holds each of them once.
            weight = self.last.kernel[None]
            constant = self.last.bias[None]
            for layer, mask in zip(reversed(self.hidden), reversed(masks), strict=True):
                weight = weight * mask[:, :, None]
                constant = constant + ops.matmul(layer.bias[None, None], weight)[:, 0]
                weight = ops.matmul(layer.kernel, weight)
            laid = ops.reshape(weight, (-1, height, width, channels, logits.shape[1]))
            by_place = ops.transpose(ops.sum(laid * features[..., None], axis=-2), (0, 3, 1, 2))
            return logits, by_place * float(height * width) + constant[:, :, None, None]

    logits, evidence = Explain()(features)
    return logits, evidence


def keras_to_onnx(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
    """A Keras model as a serialised ONNX model with a free batch size.

    Args:
        model: With fixed sizes but for the batch.
        inputs: Names that its inputs get.
        outputs: Names that its outputs get.

    Raises:
        TrainingError: Keras or tf2onnx cannot export it.
    """
    import onnx  # noqa: PLC0415 - only learning needs it

    keras = keras_home()
    with quiet_keras(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            # A model that was never called has no shapes for the exporter.
            model([keras.ops.zeros((1, *entry.shape[1:]), dtype=entry.dtype) for entry in model.inputs])
            model.export(path, format="onnx", verbose=False, opset_version=_OPSET)
        except Exception as error:  # keras, tensorflow and tf2onnx share no base class but Exception
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(
                f"Keras cannot export the model to ONNX ({reason})",
                remedy="Use layers that tf2onnx knows",
            ) from error
        graph = onnx.load(path)
    _rename(graph.graph, [entry.name for entry in graph.graph.input], inputs)
    _rename(graph.graph, [entry.name for entry in graph.graph.output], outputs)
    return bytes(graph.SerializeToString(deterministic=True))


def _rename(graph: Any, old: Sequence[str], new: Sequence[str]) -> None:
    """Give the graph's inputs or outputs other names, wherever they stand."""
    names = dict(zip(old, new, strict=True))
    for entry in (*graph.input, *graph.output, *graph.value_info):
        entry.name = names.get(entry.name, entry.name)
    for node in graph.node:
        for side in (node.input, node.output):
            for place, name in enumerate(side):
                side[place] = names.get(name, name)
