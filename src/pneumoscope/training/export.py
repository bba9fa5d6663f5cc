"""What a run leaves: the ONNX graph and its parity with torch, provenance, figures, predictions, samples."""

from __future__ import annotations

import logging
import os
import platform
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from pneumoscope.errors import TrainingError
from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.evidence import finding_map
from pneumoscope.model.schema import BundleMetric
from pneumoscope.storage import open_atomically, write_atomically
from pneumoscope.types.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest
    from pneumoscope.data.split import Split
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.networks.base import Network
    from pneumoscope.stats.metrics import Metric
    from pneumoscope.training.config import TrainConfig

__all__ = [
    "TOLERANCE",
    "Exported",
    "graph_logits",
    "halved",
    "headline_figures",
    "parity",
    "provenance",
    "save_predictions",
    "save_samples",
    "to_onnx",
]

TOLERANCE = 1e-3
"""Largest difference of any logit between torch and ONNX Runtime, in logits: far below what a person could see."""


class Exported(nn.Module):
    """What the graph computes: uint8 films in, logits and evidence out.

    Args:
        network: Trained, in eval mode.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, film: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 1, S, S] -> logits [N, C], evidence [N, C, h, w]."""
        x = (film.to(torch.float32) / 255 - self.network.mean) / self.network.std
        return self.network.explain(x)


def to_onnx(network: Network) -> bytes:
    """The network as a serialised ONNX model, with a free batch size.

    Args:
        network: Trained; it is put into eval mode.
    """
    size = network.size
    example = torch.zeros(2, 1, size, size, dtype=torch.uint8)
    module = Exported(network.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]  # torch's stub lacks it
    for name in ("onnxscript", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Notes of the exporter to its own developers; what matters is proved by ``parity``.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example,),
            input_names=["film"],
            output_names=["logits", "evidence"],
            dynamic_shapes={"film": {0: torch.export.Dim("films", min=1, max=4096)}},
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    if program is None:  # pragma: no cover - the exporter gives a program or raises
        raise TrainingError("the network could not be exported to ONNX", remedy="Report it with the run's config.toml")
    return without_traces(program.model_proto)


def halved(graph: bytes) -> bytes:
    """Keep a graph's kernels and matrices in 16 bit, each with a cast to 32 bit behind it: half the bytes.

    ONNX Runtime casts them once, when it loads the graph, and computes in 32 bit. What the rounding changes is to be
    measured; calibrate and judge the graph that is kept.

    Args:
        graph: What ``to_onnx`` made.
    """
    import onnx  # noqa: PLC0415 - heavy

    model: Any = onnx.load_from_string(graph)
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != onnx.TensorProto.FLOAT or len(initializer.dims) < 2:
            continue
        values, name = onnx.numpy_helper.to_array(initializer), initializer.name
        if np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            continue
        initializer.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def graph_logits(graph: bytes, films: NDArray[np.uint8], batch: int = 32) -> NDArray[np.float32]:
    """What a graph says of films: uint8 [N, S, S] -> float32 [N, C]."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    parts = [
        session.run(["logits"], {"film": np.ascontiguousarray(films[start : start + batch])[:, None]})[0]
        for start in range(0, len(films), batch)
    ]
    return np.concatenate(parts)


def without_traces(model: Any) -> bytes:
    """Serialise an ONNX model without the exporter's notes: they hold stack traces, with the paths of this machine."""
    model.ClearField("metadata_props")
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return bytes(model.SerializeToString(deterministic=True))


def parity(network: Network, graph: bytes, films: NDArray[np.uint8]) -> float:
    """Hold ONNX Runtime to torch on real films.

    Args:
        network: Trained.
        graph: What ``to_onnx`` made of it.
        films: uint8 [N, S, S].

    Returns:
        The largest difference of any logit.

    Raises:
        TrainingError: It is above ``TOLERANCE``, or the evidence does not sum to the logits.
    """
    with torch.inference_mode():
        expected = cast("Tensor", Exported(network)(torch.from_numpy(np.ascontiguousarray(films))[:, None])[0]).numpy()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits, evidence = session.run(["logits", "evidence"], {"film": films[:, None]})
    summed = evidence.mean(axis=(2, 3)) + np.array(network.evidence_bias(), dtype=np.float32)
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(logits - expected).max())
    for what, gap in (("differs from torch", difference), ("is not the sum of its evidence", _gap(summed, logits))):
        if not gap <= TOLERANCE * scale:
            raise TrainingError(
                f"the exported graph {what} by {gap:.2g} in a logit, more than {TOLERANCE * scale:.2g}",
                remedy="Report it with the run's config.toml; the checkpoint is kept",
            )
    return difference


def _gap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max())


_SAMPLES = 24


def headline_figures(table: Sequence[Metric]) -> dict[str, BundleMetric]:
    """The figures that stand in the bundle; what could not be computed on these films is left out."""
    return {
        metric.name: BundleMetric(value=metric.value, low=metric.low, high=metric.high, n=metric.n)
        for metric in table
        if metric.value is not None
    }


def save_predictions(path: Path, manifest: Manifest, split: Split, predicted: dict[str, NDArray[np.float64]]) -> None:
    """One row a film: path, patient, part, label, p_<class>.

    Args:
        path: The Parquet file.
        manifest: The films.
        split: Which part each is in.
        predicted: By part, calibrated probabilities float64 [n, C].
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("path", "patient", "part", "label")}
    for part in predicted:
        films = [manifest.films[int(row)] for row in split.parts[part]]
        columns["path"] += [film.path for film in films]
        columns["patient"] += [film.patient for film in films]
        columns["part"] += [part] * len(films)
        columns["label"] += [film.label for film in films]
    table = np.concatenate(list(predicted.values()))
    for index, name in enumerate(manifest.classes):
        columns[f"p_{name}"] = table[:, index].tolist()
    with open_atomically(path) as file:
        pq.write_table(pa.table(columns), file)


def save_samples(
    path: Path,
    meta: BundleMeta,
    network: Network,
    *,
    names: Sequence[str],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> None:
    """Films for the sample pictures: a third of them the worst mistakes, the others evenly taken.

    Args:
        path: The .npz file.
        meta: The bundle's.
        network: Trained.
        names: Of the films, N.
        images: uint8 [N, S, S].
        labels: int64 [N]; -1 where the class is not known, and such films are left out.
    """
    known = np.flatnonzero(labels >= 0)
    if not len(known):
        known = np.arange(len(labels))
    names, images, labels = [names[i] for i in known.tolist()], images[known], labels[known]
    with torch.inference_mode():
        seen = [Exported(network)(torch.from_numpy(images[i : i + 32])[:, None]) for i in range(0, len(images), 32)]
    logits, maps = (torch.cat(part).numpy() for part in zip(*seen, strict=True))
    probabilities = calibrated_probabilities(logits, meta.calibrator)
    surprise = 1 - probabilities[np.arange(len(labels)), labels]
    worst = np.argsort(-surprise, kind="stable")[: _SAMPLES // 3]
    others = np.setdiff1d(np.linspace(0, len(labels) - 1, _SAMPLES - len(worst)).astype(np.int64), worst)
    chosen = np.concatenate([worst, others])
    out = BytesIO()
    np.savez_compressed(
        out,
        images=images[chosen],
        labels=labels[chosen],
        probabilities=probabilities[chosen],
        evidence=np.stack([finding_map(maps[i], logits[i], meta) for i in chosen]),
        classes=np.array(meta.class_names),
        paths=np.array([names[i] for i in chosen]),
    )
    write_atomically(path, out.getvalue())


def provenance(
    config: TrainConfig,
    manifest: Manifest,
    split: Split,
    minutes: float,
    learned_with: Sequence[str] = ("torch", "lightning"),
    *,
    note: Mapping[str, Any] | None = None,
) -> Provenance:
    """Where a bundle came from.

    Args:
        config: The run's.
        manifest: The films.
        split: Their parts.
        minutes: Of learning.
        learned_with: Packages of the framework.
        note: What is to be said besides the configuration.
    """
    packages = ("pneumoscope", *learned_with, "numpy", "pillow", "onnx", "onnxruntime")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU ({platform.machine()})"
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software={name: version(name) for name in packages} | {"python": platform.python_version()},
        manifest_sha256=manifest.sha256,
        split_sha256=split.sha256,
        films={part: len(rows) for part, rows in split.parts.items()} | manifest.counts(),
        seed=config.seed,
        config={**msgspec.to_builtins(config), **(note or {})},
        data=_of_sites(config.data.description, manifest, split, "description"),
        data_licence=_of_sites(config.data.licence, manifest, split, "licence"),
        citation=_of_sites(config.data.citation, manifest, split, "citation"),
        machine=f"{device}, {torch.get_num_threads()} threads of {os.cpu_count()}",
        minutes=round(minutes, 2),
    )


def _of_sites(text: str, manifest: Manifest, split: Split, field: str) -> str:
    """What the configuration says of all films, then what is known of each site that was learned from, once each."""
    used = {manifest.films[int(row)].site for part in ("train", "val") for row in split.parts[part]}
    told = [text, *(getattr(site, field) for name, site in sorted(manifest.sites.items()) if name in used)]
    return ("; " if field == "licence" else " ").join(dict.fromkeys(filter(None, told)))
