"""A Keras classifier that somebody brings, as ONNX: what it wants and gives is read off the model where it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from pneumoscope.errors import TrainingError, UsageError
from pneumoscope.frameworks.export import keras_to_onnx
from pneumoscope.frameworks.home import keras_home, quiet_keras

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Brought", "bring"]

_TOLERANCE = 1e-3
_PROBABILITIES = frozenset({"softmax", "sigmoid"})
_SCALING = frozenset({"Rescaling", "Normalization"})


@dataclass(frozen=True, slots=True)
class Brought:
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


def bring(path: Path, *, size: tuple[int, int] | None = None) -> Brought:
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
    keras = keras_home()
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
    return Brought(
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
