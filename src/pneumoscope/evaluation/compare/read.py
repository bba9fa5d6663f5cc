"""What a bundle says of labelled films, as a table of predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset import read_film
from pneumoscope.dataset.progress import counted
from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.predictions import PredictionTable, RefusedFilm
from pneumoscope.reading import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pneumoscope.bundle import BundleMeta
    from pneumoscope.dataset import FilmRow, Manifest

__all__ = ["predictions_of"]


def predictions_of(bundle: Path, manifest: Manifest, *, progress: bool = False) -> PredictionTable:
    """Read every film of a manifest with a bundle.

    A bundle that tells patterns apart may be judged on films that are only normal or not: it is then judged by the
    finding alone.

    Args:
        bundle: Its file.
        manifest: The films and labels.
        progress: Show a bar.

    Raises:
        BundleError: The bundle cannot be used.
        DatasetError: The films have classes that the bundle does not know, or all were refused.
    """
    reader = Reader(bundle)
    meta = reader.meta
    films = (_source(manifest, row) for row in manifest.films)
    readings = counted(reader.read_many(films), total=len(manifest), title=f"Reading with {meta.name}", show=progress)
    kept, probabilities, refused = [], [], []
    for row, reading in zip(manifest.films, readings, strict=True):
        if reading.probabilities is None:
            told = reading.refusal
            code, reason = ("refused", "") if told is None else (told.code, told.reason)
            refused.append(RefusedFilm(row.path, row.label, code, reason))
        else:
            kept.append(row)
            probabilities.append([reading.probabilities[name] for name in meta.class_names])
    if not kept:
        raise DatasetError("the bundle refused every film", where=manifest.root, remedy="Read one to see the reason")
    classes, positive, labels, p = _in_one_language(manifest, meta, kept, np.array(probabilities))
    return PredictionTable(
        paths=tuple(row.path for row in kept),
        labels=labels,
        probabilities=p,
        classes=classes,
        positive=positive,
        finding=meta.finding,
        thresholds={point.preset: point.threshold for point in meta.operating_points},
        chosen={point.preset: f"{point.rule}; {point.chosen_on}" for point in meta.operating_points},
        patients=np.array([row.patient for row in kept]),
        sha256=tuple(row.sha256 for row in kept),
        system=f"{meta.name} {meta.version}",
        films=f"films of {manifest.root.name}",
        refused=tuple(refused),
        root=str(manifest.root),
    )


def _source(manifest: Manifest, row: FilmRow) -> Path | NDArray[np.generic]:
    """A file's path; the pixels of a film inside an .npz file."""
    if ".npz#" in row.path:
        return read_film(manifest, row).pixels
    return manifest.root / row.path


def _in_one_language(
    manifest: Manifest, meta: BundleMeta, kept: list[FilmRow], p: NDArray[np.float64]
) -> tuple[tuple[str, ...], tuple[int, ...], NDArray[np.int64], NDArray[np.float64]]:
    """Classes, which of them are the finding, labels and probabilities, in the bundle's classes or in the finding's.

    Raises:
        DatasetError: The films' classes are not the bundle's, and it is not known which of them are the finding.
    """
    known = {name: number for number, name in enumerate(meta.class_names)}
    if all(row.label in known for row in kept):
        return meta.class_names, meta.positive, np.array([known[row.label] for row in kept]), p
    finding = dict(zip(manifest.classes, manifest.positive, strict=True))
    strange = {name for name, positive in finding.items() if positive} - {meta.finding, *meta.class_names}
    if strange or all(finding.values()):
        raise DatasetError(
            f"the films are {', '.join(manifest.classes)}, and the bundle tells {', '.join(meta.class_names)} apart",
            where=manifest.root,
            remedy="Give films of the bundle's classes",
        )
    score = np.clip(p[:, list(meta.positive)].sum(axis=1), 0, 1)
    labels = np.array([int(finding[row.label]) for row in kept])
    return (f"no {meta.finding}", meta.finding), (1,), labels, np.stack([1 - score, score], axis=1)
