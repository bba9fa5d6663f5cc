"""A finished run's folder, read back: what training wrote, as arrays."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pneumoscope.bundle import read_bundle
from pneumoscope.errors import DatasetError, MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta

__all__ = ["FinishedRun", "Predictions", "Samples", "chosen_epoch"]

_T = TypeVar("_T")
_AGAIN = "Run the same `pneumoscope train` again: it goes on where it stopped and writes what is missing"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The films of one part, with what they are and what the bundle says.

    Attributes:
        paths: N.
        patients: str [N].
        labels: int64 [N], in the bundle's order of classes.
        probabilities: Calibrated, float64 [N, C].
    """

    paths: list[str]
    patients: NDArray[np.str_]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Some films as the network saw them.

    Attributes:
        images: uint8 [K, S, S].
        paths: K, as in the manifest; empty if the file does not tell.
        labels: int64 [K].
        probabilities: Calibrated, float64 [K, C].
        evidence: For the finding, float32 [K, h, w].
    """

    images: NDArray[np.uint8]
    paths: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    evidence: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FinishedRun:
    """All that the figures and the table need.

    Attributes:
        folder: Of the run.
        bundle: Its metadata.
        history: Columns of history.csv, float64 [epochs]; none for an ensemble.
        parts: Predictions by part ("val", "test").
        samples: For the picture grids.
    """

    folder: Path
    bundle: BundleMeta
    history: dict[str, NDArray[np.float64]]
    parts: dict[str, Predictions]
    samples: Samples

    @classmethod
    def load(cls, run: str | PathLike[str]) -> FinishedRun:
        """Read a run's folder.

        Raises:
            UsageError: It is no finished run: a file is missing.
            BundleError: The bundle cannot be used.
            DatasetError: A file is damaged, or does not fit the bundle.
            MissingExtra: pyarrow is not installed.
        """
        folder = Path(run)
        for name in ("bundle.onnx", "predictions.parquet", "samples.npz"):
            if not (folder / name).is_file():
                raise UsageError(f"this is no finished run: there is no {name}", where=folder, remedy=_AGAIN)
        _, bundle, _ = read_bundle(folder / "bundle.onnx")
        joined = "members" in bundle.provenance.config  # an ensemble has learned nothing itself
        if not joined and not (folder / "history.csv").is_file():
            raise UsageError("this is no finished run: there is no history.csv", where=folder, remedy=_AGAIN)
        return cls(
            folder=folder,
            bundle=bundle,
            history={} if joined else _reading(folder / "history.csv", _history),
            parts=_reading(folder / "predictions.parquet", lambda path: _predictions(path, bundle.class_names)),
            samples=_reading(folder / "samples.npz", lambda path: _samples(path, bundle.class_names)),
        )

    @property
    def thresholds(self) -> dict[str, float]:
        """Threshold by preset, in the bundle's order."""
        return {point.preset: point.threshold for point in self.bundle.operating_points}


def chosen_epoch(run: FinishedRun) -> int | None:
    """The epoch whose weights were kept: what the run's summary says, else what its rule gives; None if neither."""
    summary = run.folder / "summary.json"
    if summary.is_file():
        return _reading(summary, lambda path: int(json.loads(path.read_text())["epoch"]))
    monitor = run.bundle.provenance.config.get("optim", {}).get("monitor")
    epochs = run.history["epoch"]
    if monitor == "last":
        return int(epochs[-1])
    values = run.history.get(f"val_{monitor}")
    if values is None or not np.isfinite(values).any():
        return None
    best = np.nanargmin(values) if monitor == "loss" else np.nanargmax(values)  # the first of equals, as Lightning
    return int(epochs[best])


def _reading(path: Path, read: Callable[[Path], _T]) -> _T:
    """Turn whatever a damaged file makes of its reader into one clear line."""
    try:
        return read(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = f"the column {error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise DatasetError(f"the file cannot be used ({reason})", where=path, remedy=_AGAIN) from error


def _history(path: Path) -> dict[str, NDArray[np.float64]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("it has no epochs")
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def _predictions(path: Path, classes: tuple[str, ...]) -> dict[str, Predictions]:
    columns = _parquet(path)
    parts, labels = np.asarray(columns["part"]), _numbers(np.asarray(columns["label"]), classes)
    p = np.stack([np.asarray(columns[f"p_{name}"], dtype=np.float64) for name in classes], axis=1)
    if not np.isfinite(p).all():
        raise ValueError("a probability is not a number")
    patients = np.asarray(columns["patient"]).astype(str)
    found = {}
    for part in ("val", "test"):
        rows = np.flatnonzero(parts == part)
        if len(rows):
            paths = [columns["path"][row] for row in rows]
            found[part] = Predictions(paths, patients[rows], labels[rows], p[rows])
    if not found:
        raise ValueError("it has no films of the part val or test")
    return found


def _parquet(path: Path) -> dict[str, Any]:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and only learning needs it
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a run's table") from error
    columns: dict[str, Any] = pq.read_table(path).to_pydict()
    return columns


def _samples(path: Path, classes: tuple[str, ...]) -> Samples:
    # Opened here, because numpy leaves a damaged file open.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return Samples(
            images=file["images"],
            paths=file["paths"].tolist() if "paths" in file else [],
            labels=_numbers(file["labels"], classes),
            probabilities=file["probabilities"].astype(np.float64),
            evidence=file["evidence"],
        )


def _numbers(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Class numbers of labels that are names, or numbers already."""
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    place = {name: number for number, name in enumerate(classes)}
    unknown = sorted(set(labels.tolist()) - place.keys())
    if unknown:
        raise ValueError(f"the label {unknown[0]!r} is none of the bundle's classes {', '.join(classes)}")
    return np.array([place[name] for name in labels.tolist()], dtype=np.int64)
