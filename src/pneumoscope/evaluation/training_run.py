"""A finished training run read back: predictions, history, samples; its table of metrics and its figures."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pneumoscope.data.labels import allowed_classes
from pneumoscope.errors import DatasetError, MissingExtra, UsageError
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.evaluation.systems import describe_bundle
from pneumoscope.model.bundle import read_bundle
from pneumoscope.stats import confusion
from pneumoscope.stats.checks import UNKNOWN_CLASS
from pneumoscope.stats.metrics import metrics
from pneumoscope.storage import make_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.stats.metrics import Metric

__all__ = ["FinishedRun", "SampleFilms", "chosen_epoch", "run_figures", "run_table"]

_T = TypeVar("_T")
_RERUN_REMEDY = "Run the same `pneumoscope train` again: it goes on where it stopped and writes what is missing"


@dataclass(frozen=True, slots=True, eq=False)
class SampleFilms:
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
        history: Columns of history.csv, float64 [epochs], epochs from 1; none for an ensemble.
        parts: Predictions by part ("val", "test").
        samples: For the picture grids.
    """

    folder: Path
    bundle: BundleMeta
    history: dict[str, NDArray[np.float64]]
    parts: dict[str, PredictionTable]
    samples: SampleFilms

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
                raise UsageError(f"this is no finished run: there is no {name}", where=folder, remedy=_RERUN_REMEDY)
        _, bundle, _ = read_bundle(folder / "bundle.onnx")
        joined = "members" in bundle.provenance.config  # an ensemble has learned nothing itself
        if not joined and not (folder / "history.csv").is_file():
            raise UsageError("this is no finished run: there is no history.csv", where=folder, remedy=_RERUN_REMEDY)
        return cls(
            folder=folder,
            bundle=bundle,
            history={} if joined else _read_or_explain(folder / "history.csv", _read_history),
            parts=_read_or_explain(folder / "predictions.parquet", lambda path: _read_predictions(path, bundle)),
            samples=_read_or_explain(folder / "samples.npz", lambda path: _read_samples(path, bundle.class_names)),
        )

    def table(self, part: str) -> PredictionTable:
        """The films of one part.

        Raises:
            DatasetError: The run has no such part.
        """
        if part not in self.parts:
            raise DatasetError(
                f"the run has no films of the part {part!r}",
                where=self.folder,
                remedy=f"Its parts: {', '.join(self.parts)}",
            )
        return self.parts[part]

    @property
    def thresholds(self) -> dict[str, float]:
        """Threshold by preset, in the bundle's order."""
        return {point.preset: point.threshold for point in self.bundle.operating_points}


def chosen_epoch(run: FinishedRun) -> int | None:
    """The epoch, from 1, whose weights were kept: by the run's summary, else by its rule; None if neither tells."""
    summary = run.folder / "summary.json"
    if summary.is_file():
        return _read_or_explain(summary, _summary_epoch)
    monitor = run.bundle.provenance.config.get("optim", {}).get("monitor")
    epochs = run.history["epoch"]
    if monitor == "last":
        return int(epochs[-1])
    values = run.history.get(f"val_{monitor}")
    if values is None or not np.isfinite(values).any():
        return None
    best = np.nanargmin(values) if monitor == "loss" else np.nanargmax(values)  # the first of equals, as Lightning
    return int(epochs[best])


def _summary_epoch(path: Path) -> int:
    """Before 0.4.0 a summary had "epoch", which counted from 0."""
    summary = json.loads(path.read_text())
    return int(summary["chosen_epoch"]) if "chosen_epoch" in summary else int(summary["epoch"]) + 1


def _read_or_explain(path: Path, read: Callable[[Path], _T]) -> _T:
    """Turn whatever a damaged file makes of its reader into one clear line."""
    try:
        return read(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = f"the column {error} is missing" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise DatasetError(f"the file cannot be used ({reason})", where=path, remedy=_RERUN_REMEDY) from error


def _read_history(path: Path) -> dict[str, NDArray[np.float64]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("it has no epochs")
    columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}
    if columns["epoch"][0] == 0:  # before 0.4.0 the file counted from 0
        columns["epoch"] += 1
    return columns


def _read_predictions(path: Path, bundle: BundleMeta) -> dict[str, PredictionTable]:
    columns, classes = _parquet(path), bundle.class_names
    parts, allowed = np.asarray(columns["part"]), _allowed(np.asarray(columns["label"]), classes)
    labels = np.where(allowed.sum(axis=1) == 1, allowed.argmax(axis=1), UNKNOWN_CLASS)
    p = np.stack([np.asarray(columns[f"p_{name}"], dtype=np.float64) for name in classes], axis=1)
    if not np.isfinite(p).all():
        raise ValueError("a probability is not a number")
    patients = np.asarray(columns["patient"]).astype(str)
    system, found = describe_bundle(bundle), {}
    for part in ("val", "test"):
        rows = np.flatnonzero(parts == part)
        if len(rows):
            found[part] = PredictionTable(
                paths=tuple(columns["path"][row] for row in rows),
                labels=labels[rows],
                probabilities=p[rows],
                classes=system.classes,
                positive=system.positive,
                finding=system.finding,
                thresholds=system.thresholds,
                chosen=system.chosen,
                patients=patients[rows],
                system=system.name,
                films=f"the {part} films of the run {path.parent.name}",
                band=system.band,
                notes=system.notes,
            )
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


def _read_samples(path: Path, classes: tuple[str, ...]) -> SampleFilms:
    # Opened here, because numpy leaves a damaged file open.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return SampleFilms(
            images=file["images"],
            paths=file["paths"].tolist() if "paths" in file else [],
            labels=_class_numbers(file["labels"], classes),
            probabilities=file["probabilities"].astype(np.float64),
            evidence=file["evidence"],
        )


def _allowed(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.bool_]:
    """The classes that each film may be of, from its label; bool [N, C]."""
    if labels.dtype.kind in "iu":
        found: NDArray[np.bool_] = np.eye(len(classes), dtype=np.bool_)[labels]
        return found
    rows = {label: allowed_classes(label, classes) for label in set(labels.tolist())}
    return np.array([rows[label] for label in labels.tolist()], dtype=np.bool_).reshape(len(labels), len(classes))


def _class_numbers(labels: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Class numbers of labels that are names, or numbers already."""
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    place = {name: number for number, name in enumerate(classes)}
    unknown = sorted(set(labels.tolist()) - place.keys())
    if unknown:
        raise ValueError(f"the label {unknown[0]!r} is none of the bundle's classes {', '.join(classes)}")
    return np.array([place[name] for name in labels.tolist()], dtype=np.int64)


_PART_NAMES = {"val": "Validation", "test": "Test", "train": "Training"}
_GALLERY = 12


def run_table(run: str | PathLike[str]) -> list[Metric]:
    """Every figure of a run with its interval: the validation films first, then the test films if there are any.

    Args:
        run: Its folder.

    Raises:
        UsageError: It is no finished run.
        BundleError: The bundle cannot be used.
        DatasetError: A file is damaged.
    """
    finished = FinishedRun.load(run)
    bundle = finished.bundle
    return [
        row
        for part, films in finished.parts.items()
        for row in metrics(
            films.allowed,
            films.probabilities,
            patients=films.patients,
            threshold=finished.thresholds,
            classes=bundle.class_names,
            positive=bundle.positive,
            films=part,
        )
    ]


def run_figures(run: str | PathLike[str]) -> list[Path]:
    """Draw every figure of a run into its folder ``figures``, as SVG and PNG.

    The curves that need films of both kinds are left out for a part that has only one.

    Args:
        run: Its folder.

    Returns:
        The files, in the order of the story: curves, inputs, outputs, evidence, then each part's figures.

    Raises:
        UsageError: It is no finished run.
        BundleError: The bundle cannot be used.
        DatasetError: A file is damaged.
        StorageError: The disk is full or the folder cannot be written.
    """
    finished = FinishedRun.load(run)
    folder = make_folder(finished.folder / "figures")
    return [
        *_training_figures(finished, folder),
        *_sample_figures(finished, folder),
        *(path for part in finished.parts for path in _part_figures(finished, part, folder)),
    ]


def _training_figures(run: FinishedRun, folder: Path) -> list[Path]:
    from pneumoscope.evaluation.figures.training import learning_curves  # noqa: PLC0415 - matplotlib waits until a figure is drawn

    if not run.history:
        return []
    films = run.bundle.provenance.films
    return learning_curves(run.history, folder / "curves", chosen=chosen_epoch(run), films=films)


def _sample_figures(run: FinishedRun, folder: Path) -> list[Path]:
    from pneumoscope.evaluation.figures.films import evidence_gallery, sample_inputs, sample_outputs  # noqa: PLC0415

    some, classes, films = run.samples, run.bundle.class_names, _samples_caption(run)
    few = _spread_over_classes(some.labels, _GALLERY)
    return [
        *sample_inputs(some.images, some.labels, classes, folder / "sample_inputs", films=films),
        *sample_outputs(some.images, some.labels, some.probabilities, classes, folder / "sample_outputs", films=films),
        *evidence_gallery(
            some.images[few],
            some.evidence[few],
            folder / "evidence",
            labels=some.labels[few],
            probabilities=some.probabilities[few],
            classes=classes,
            finding=run.bundle.finding,
            films=films,
        ),
    ]


def _part_figures(run: FinishedRun, part: str, folder: Path) -> list[Path]:
    from pneumoscope.evaluation.figures.calibration import (  # noqa: PLC0415
        reliability_diagram,
        score_histogram,
    )
    from pneumoscope.evaluation.figures.discrimination import (  # noqa: PLC0415
        confusion_matrix,
        precision_recall_figure,
        roc_figure,
    )

    films, bundle, words = run.parts[part], run.bundle, _PART_NAMES[part]
    classes, points = bundle.class_names, run.thresholds
    truth, score = films.truth, films.score
    called, known = films.probabilities.argmax(axis=1), films.class_known
    written = []
    if known.any():
        written += confusion_matrix(
            confusion.confusion_matrix(films.labels[known], called[known], len(classes)),
            classes,
            folder / f"confusion_{part}",
            films=words,
        )
    for preset, threshold in points.items():
        written += confusion_matrix(
            confusion.confusion_matrix(truth, score >= threshold, 2),
            (f"no {bundle.finding}", bundle.finding),
            folder / f"confusion_{part}_{preset}",
            title=f"{preset.capitalize()}: called from {threshold:.3g}",
            films=words,
        )
    if truth.any() and not truth.all():
        written += roc_figure(
            truth, score, folder / f"roc_{part}", operating_points=points, groups=films.patients, films=words
        )
        written += precision_recall_figure(
            truth,
            score,
            folder / f"precision_recall_{part}",
            operating_points=points,
            generator=np.random.default_rng(0),
            groups=films.patients,
            films=words,
        )
    panels = {bundle.finding.capitalize(): (truth, score)}
    if len(classes) > 2 and known.any():
        panels |= {
            name.capitalize(): (films.labels[known] == c, films.probabilities[known, c])
            for c, name in enumerate(classes)
        }
    written += reliability_diagram(panels, folder / f"reliability_{part}", films=words)
    written += score_histogram(
        films.labels[known],
        score[known],
        classes,
        folder / f"scores_{part}",
        operating_points=points,
        finding=bundle.finding,
        films=words,
    )
    return written


def _spread_over_classes(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most ``most`` films, the classes taking turns."""
    turns = np.zeros(len(labels), dtype=np.int64)
    for c in np.unique(labels):
        turns[labels == c] = np.arange((labels == c).sum())
    return np.sort(np.lexsort((labels, turns))[:most])


def _samples_caption(run: FinishedRun) -> str:
    """In words, which films the samples are; nothing of the part if they are of several, or it cannot be told."""
    part_of = {path: part for part, found in run.parts.items() for path in found.paths}
    parts = {part_of.get(path, "") for path in run.samples.paths}
    part = _PART_NAMES.get(parts.pop(), "") if len(parts) == 1 else ""
    return f"{part or 'Samples'}, the worst mistakes among them"
