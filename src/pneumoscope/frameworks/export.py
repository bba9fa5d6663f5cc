"""Keras models as ONNX: the twins of our networks, and models that people bring."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.frameworks.twin import load_keras, make_twin, quiet_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.networks.base import Network

__all__ = ["ImportedModel", "import_keras_model", "keras_to_onnx", "network_to_onnx"]

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
    keras = load_keras()
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

    keras = load_keras()
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


_TOLERANCE = 1e-3
_PROBABILITIES = frozenset({"softmax", "sigmoid"})
_SCALING = frozenset({"Rescaling", "Normalization"})


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A model as ONNX, and what was read off it.

    Attributes:
        graph: Serialised ONNX; input ``films`` [N, rows, columns, channels], output ``said`` [N, outputs].
        rows: Of the input.
        columns: Of the input.
        channels: 1 or 3.
        outputs: Numbers a film.
        activation: What the outputs have still to go through: "none" if they are probabilities already, else
            "softmax" (or "sigmoid" of one output).
        scales_itself: It has a layer that brings gray levels of 0 to 255 into its own range.
        parameters: Number of weights.
        difference: The largest between Keras and ONNX Runtime on made-up films.
    """

    graph: bytes
    rows: int
    columns: int
    channels: int
    outputs: int
    activation: str
    scales_itself: bool
    parameters: int
    difference: float


def import_keras_model(path: Path, *, size: tuple[int, int] | None = None) -> ImportedModel:
    """Load a ``.keras`` or ``.h5`` classifier and export it.

    Code that hides in the file (Lambda layers) is not run: Keras's safe mode stays on.

    Args:
        path: The file.
        size: Rows and columns, of a model that leaves them open.

    Raises:
        UsageError: The file is no Keras classifier of gray or colour films, or leaves its size open.
        MissingExtra: Keras is not installed.
        TrainingError: Keras cannot export it, or the graph says something else than Keras.
    """
    keras = load_keras()
    model = _loaded(keras, path)
    rows, columns, channels = _input(model, path, size)
    with quiet_keras():
        films = keras.Input((rows, columns, channels), name="films")
        said = model(films)
        if not hasattr(said, "shape") or len(said.shape) != 2 or said.shape[1] is None:
            raise UsageError("the model gives something else than one row of numbers a film", where=path)
        graph = keras_to_onnx(keras.Model(films, said), ["films"], ["said"])
    generator = np.random.default_rng(0)
    some = generator.uniform(0, 1, (4, rows, columns, channels)).astype(np.float32)
    difference = _difference(model, graph, some)
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"the exported graph differs from Keras by {difference:.2g}", where=path, remedy="Use layers tf2onnx knows"
        )
    layers = list(_layers(model))
    return ImportedModel(
        graph=graph,
        rows=rows,
        columns=columns,
        channels=channels,
        outputs=int(said.shape[1]),
        activation=_activation(layers, int(said.shape[1])),
        scales_itself=any(type(layer).__name__ in _SCALING for layer in layers),
        parameters=int(model.count_params()),
        difference=difference,
    )


def _loaded(keras: Any, path: Path) -> Any:
    try:
        with quiet_keras():
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what its many formats' readers raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(
            f"Keras cannot load the model ({reason})",
            where=path,
            remedy="Give a .keras or .h5 file of a whole model, without layers of your own code",
        ) from error


def _input(model: Any, path: Path, size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Rows, columns and channels."""
    inputs = getattr(model, "inputs", None) or []
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    if len(shape) != 4 or shape[3] not in {1, 3}:
        raise UsageError(
            f"the model takes {[tuple(entry.shape) for entry in inputs]}, and not films of one or three channels",
            where=path,
            remedy="Give a classifier of [N, rows, columns, 1 or 3]",
        )
    rows, columns = (have or want for have, want in zip(shape[1:3], size or (None, None), strict=True))
    if rows is None or columns is None:
        raise UsageError("the model leaves its size open", where=path, remedy="Give it: size = 224, in the spec")
    return int(rows), int(columns), int(shape[3])


def _layers(model: Any) -> list[Any]:
    """All layers, those of models inside it too."""
    found = []
    for layer in model.layers:
        found += _layers(layer) if hasattr(layer, "layers") else [layer]
    return found


def _activation(layers: list[Any], outputs: int) -> str:
    """What the outputs have still to go through."""
    last = layers[-1]
    own = getattr(getattr(last, "activation", None), "__name__", type(last).__name__.lower())
    if own in _PROBABILITIES:
        return "none"
    return "softmax" if outputs > 1 else "sigmoid"


def _difference(model: Any, graph: bytes, films: NDArray[np.float32]) -> float:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    theirs = np.asarray(model(films, training=False))
    return float(np.abs(np.asarray(session.run(["said"], {"films": films})[0]) - theirs).max())
