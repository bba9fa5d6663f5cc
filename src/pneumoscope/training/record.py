"""What a run leaves in its bundle and beside it: figures, predictions, samples, and where it all came from."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from pneumoscope.bundle import Figure
from pneumoscope.domain.provenance import Provenance
from pneumoscope.reading.calibrate import calibrate
from pneumoscope.reading.evidence import finding_map
from pneumoscope.storage import open_atomically, write_atomically
from pneumoscope.training.export import Exported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.dataset import Manifest, Split
    from pneumoscope.networks import Network
    from pneumoscope.statistics.metrics import Metric
    from pneumoscope.training.config import TrainConfig

__all__ = ["headline", "provenance", "save_predictions", "save_samples"]

_SAMPLES = 24


def headline(table: Sequence[Metric]) -> dict[str, Figure]:
    """The figures that stand in the bundle; what could not be computed on these films is left out."""
    return {
        metric.name: Figure(value=metric.value, low=metric.low, high=metric.high, n=metric.n)
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
        labels: int64 [N].
    """
    with torch.inference_mode():
        seen = [Exported(network)(torch.from_numpy(images[i : i + 32])[:, None]) for i in range(0, len(images), 32)]
    logits, maps = (torch.cat(part).numpy() for part in zip(*seen, strict=True))
    probabilities = calibrate(logits, meta.calibrator)
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
        data=config.data.description,
        data_licence=config.data.licence,
        citation=config.data.citation,
        machine=f"{device}, {torch.get_num_threads()} threads of {os.cpu_count()}",
        minutes=round(minutes, 2),
    )
