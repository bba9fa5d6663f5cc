"""What a bundle's network makes of films before it decides: the features that its evidence maps are a linear map of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.data.pixels import read_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import BundleDamaged, MissingExtra
from pneumoscope.model.bundle import find_bundle, read_bundle
from pneumoscope.model.preprocess import preprocess
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest

__all__ = ["NetworkFeatures", "network_features"]

NetworkFeatures = tuple[str, "NDArray[np.float64]"]
"""Of which bundle, and float64 [N, F] in the manifest's order of films."""

_HEADS = frozenset({"Conv", "Gemm", "MatMul", "Einsum"})


def network_features(model: str, manifest: Manifest, *, progress: bool = False) -> NetworkFeatures:
    """The penultimate features of each film, averaged over the places of the map.

    Args:
        model: The name of a shipped bundle or a path; of an ensemble the members' features stand side by side.
        manifest: The films.
        progress: Show a bar.

    Raises:
        BundleError: The bundle cannot be used.
        FilmError: A film cannot be read any more.
        MissingExtra: onnx is not installed.
    """
    path = find_bundle(model)
    graph, meta, _ = read_bundle(path)
    session, names = _session(graph, path)

    def seen(row: FilmRow) -> NDArray[np.float64]:
        pixels = preprocess(read_film(manifest, row), meta.preprocess)
        outputs = session.run(names, {"film": pixels[None, None]})
        return np.concatenate([_pooled(np.asarray(output, dtype=np.float64)[0]) for output in outputs])

    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        rows = pool.map(seen, manifest.films)
        found = np.stack(list(track_progress(rows, total=len(manifest), title="Network features", show=progress)))
    return f"{meta.name} {meta.version}", found


def _session(graph: bytes, path: Path) -> tuple[Any, list[str]]:
    """A session whose outputs are what the last linear layers take."""
    try:
        import onnx  # noqa: PLC0415 - not of the base install
    except ImportError as error:
        raise MissingExtra.named("onnx", extra="train", needed_for="the network's features") from error
    import onnxruntime as ort  # noqa: PLC0415 - heavy

    model = onnx.load_from_string(graph)
    names = _head_inputs(model.graph)
    if not names:
        raise BundleDamaged("the graph has no linear layer before its evidence", where=path, remedy="Export it again")
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]), names


def _head_inputs(graph: Any) -> list[str]:
    """Names of what the linear layers nearest to the evidence take, one for each member of an ensemble."""
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {entry.name for entry in graph.initializer}
    found: dict[str, None] = {}
    waiting, known = ["evidence"], set()
    while waiting:
        name = waiting.pop(0)
        node = made_by.get(name)
        if node is None or name in known:
            continue
        known.add(name)
        inputs = [each for each in node.input if each and each not in constants]
        if node.op_type in _HEADS and inputs:
            found[inputs[0]] = None
        else:
            waiting += inputs
    return list(found)


def _pooled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map [F, h, w] as its mean over the places; anything else flat."""
    pooled: NDArray[np.float64] = values.mean(axis=(1, 2)) if values.ndim == 3 else values.ravel()
    return pooled
