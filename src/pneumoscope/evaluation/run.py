"""The pictures and the table of a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.finished import FinishedRun, chosen_epoch
from pneumoscope.statistics.discrimination import confusion
from pneumoscope.statistics.metrics import metrics_table
from pneumoscope.storage import make_folder

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from pneumoscope.evaluation.finished import Predictions
    from pneumoscope.statistics.metrics import Metric

__all__ = ["run_figures", "run_table"]

_NAMES = {"val": "Validation", "test": "Test", "train": "Training"}
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
        for row in metrics_table(
            films.labels,
            films.probabilities,
            bundle.class_names,
            bundle.positive,
            finished.thresholds,
            groups=films.patients,
            generator=np.random.default_rng(0),
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
    from pneumoscope.evaluation.figures import curves  # noqa: PLC0415 - matplotlib waits until a figure is drawn

    if not run.history:
        return []
    # The file counts epochs from 0, people and the progress bar from 1.
    history = {**run.history, "epoch": run.history["epoch"] + 1}
    chosen = chosen_epoch(run)
    films = run.bundle.provenance.films
    return curves(history, folder / "curves", chosen=None if chosen is None else chosen + 1, films=films)


def _sample_figures(run: FinishedRun, folder: Path) -> list[Path]:
    from pneumoscope.evaluation.figures import evidence_gallery, sample_inputs, sample_outputs  # noqa: PLC0415

    some, classes, films = run.samples, run.bundle.class_names, _whose_samples(run)
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
    from pneumoscope.evaluation.figures.confusion import confusion_matrix  # noqa: PLC0415
    from pneumoscope.evaluation.figures.histogram import score_histogram  # noqa: PLC0415
    from pneumoscope.evaluation.figures.reliability import reliability  # noqa: PLC0415
    from pneumoscope.evaluation.figures.threshold import precision_recall, roc  # noqa: PLC0415

    films, bundle, words = run.parts[part], run.bundle, _NAMES[part]
    classes, points = bundle.class_names, run.thresholds
    truth, score = _finding(run, films)
    called = films.probabilities.argmax(axis=1)
    written = confusion_matrix(
        confusion(films.labels, called, len(classes)), classes, folder / f"confusion_{part}", films=words
    )
    for preset, threshold in points.items():
        written += confusion_matrix(
            confusion(truth, score >= threshold, 2),
            (f"no {bundle.finding}", bundle.finding),
            folder / f"confusion_{part}_{preset}",
            title=f"{preset.capitalize()}: called from {threshold:.3g}",
            films=words,
        )
    if truth.any() and not truth.all():
        written += roc(
            truth, score, folder / f"roc_{part}", operating_points=points, groups=films.patients, films=words
        )
        written += precision_recall(
            truth,
            score,
            folder / f"precision_recall_{part}",
            operating_points=points,
            generator=np.random.default_rng(0),
            groups=films.patients,
            films=words,
        )
    panels = {bundle.finding.capitalize(): (truth, score)}
    if len(classes) > 2:
        panels |= {name.capitalize(): (films.labels == c, films.probabilities[:, c]) for c, name in enumerate(classes)}
    written += reliability(panels, folder / f"reliability_{part}", films=words)
    written += score_histogram(
        films.labels,
        score,
        classes,
        folder / f"scores_{part}",
        operating_points=points,
        finding=bundle.finding,
        films=words,
    )
    return written


def _finding(run: FinishedRun, films: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Whether each film has the finding, and its probability."""
    positive = list(run.bundle.positive)
    return np.isin(films.labels, positive), np.clip(films.probabilities[:, positive].sum(axis=1), 0, 1)


def _spread_over_classes(labels: np.ndarray, most: int) -> np.ndarray:
    """Rows of at most ``most`` films, the classes taking turns."""
    turns = np.zeros(len(labels), dtype=np.int64)
    for c in np.unique(labels):
        turns[labels == c] = np.arange((labels == c).sum())
    return np.sort(np.lexsort((labels, turns))[:most])


def _whose_samples(run: FinishedRun) -> str:
    """In words, which films the samples are; nothing of the part if they are of several, or it cannot be told."""
    part_of = {path: part for part, found in run.parts.items() for path in found.paths}
    parts = {part_of.get(path, "") for path in run.samples.paths}
    part = _NAMES.get(parts.pop(), "") if len(parts) == 1 else ""
    return f"{part or 'Samples'}, the worst mistakes among them"
