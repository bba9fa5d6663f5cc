"""Likely mislabelled films, from out-of-fold predictions that are given or made by a quick model.

No torch and no pretrained weights: the principal components of gradient directions on a grid (HOG: Dalal and Triggs,
CVPR 2005) and of the thumbnail itself, then logistic regression. It stands in where no out-of-fold predictions of a
real model are given.

Northcutt, Jiang, Chuang, JAIR 70 (2021) 1373, as cleanlab has it: a film is confidently of another class when its
probability there is above that class's mean probability among its own films; from these counts follow how many films of
each label are of each class, and the least plausible of them are listed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.audit.report import LabelNoise, Suspect
from pneumoscope.data.labels import canonical_label
from pneumoscope.data.sources.table import find_columns
from pneumoscope.data.tables import read_rows
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.quiet import capture_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import Manifest

__all__ = [
    "QUICK_MODEL",
    "OutOfFoldPredictions",
    "histogram_of_gradients",
    "label_noise",
    "quick_predictions",
    "read_predictions",
]


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFoldPredictions:
    """What an image model says of the films.

    Attributes:
        probabilities: float64 [N, C] in the manifest's order of films and classes; NaN for a film without any.
        kind: "quick", "predictions" or "bundle".
        words: Where they come from.
        out_of_fold: Whether each film was judged by a model that had not seen its patient, as far as can be told.
    """

    probabilities: NDArray[np.float64]
    kind: str
    words: str
    out_of_fold: bool = True


def read_predictions(paths: Sequence[str | PathLike[str]], manifest: Manifest) -> OutOfFoldPredictions:
    """Read tables of predictions, such as the ``predictions.parquet`` of the runs of a cross-validation.

    Each table has a column path and one column p_CLASS for each class. A row belongs to the film of
    its path, else of its file name where that is unique. A film in several tables gets the mean.

    Args:
        paths: .parquet, .csv or .tsv files.
        manifest: The films.

    Raises:
        DatasetError: A table cannot be read, a class is missing, a number is no probability, a film is in one table
            twice, a row is of films that were learned from, or no film is in the manifest.
        MissingExtra: It is Parquet, and pyarrow is not installed.
    """
    total = np.zeros((len(manifest), len(manifest.classes)))
    times = np.zeros(len(manifest), dtype=np.int64)
    find = _Finder(manifest)
    for path in map(Path, paths):
        rows, p = _read_predictions_table(path, find, manifest.classes)
        total[rows] += p
        times[rows] += 1
    covered = int(np.count_nonzero(times))
    probabilities = np.where(times[:, None] > 0, total / np.maximum(times, 1)[:, None], np.nan)
    names = ", ".join(Path(path).name for path in paths)
    some = "" if covered == len(manifest) else f"; {covered:,} of {len(manifest):,} films"
    return OutOfFoldPredictions(probabilities, "predictions", f"predictions given ({names}{some})")


class _Finder:
    """Finds a table's film in the manifest."""

    def __init__(self, manifest: Manifest) -> None:
        self.by_path = {film.path: place for place, film in enumerate(manifest.films)}
        names = Counter(PurePosixPath(film.path).name for film in manifest.films)
        self.by_name = {
            name: place
            for place, film in enumerate(manifest.films)
            if names[name := PurePosixPath(film.path).name] == 1
        }

    def __call__(self, path: str) -> int | None:
        plain = path.replace("\\", "/")
        place = self.by_path.get(plain)
        return self.by_name.get(PurePosixPath(plain).name) if place is None else place


def _read_predictions_table(
    path: Path, find: _Finder, classes: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    names, lines = read_rows(path)
    columns = find_columns(names)
    told = {
        canonical_label(name.removeprefix("p_")): place for place, name in enumerate(names) if name.startswith("p_")
    }
    missing = [f"p_{name}" for name in classes if name not in told] + ([] if "path" in columns else ["path"])
    if missing:
        raise DatasetError(
            f"the table has no column {' and no column '.join(missing)} (it has: {', '.join(names)})",
            where=path,
            remedy="Give one column p_CLASS for each class of the films; --labels binary joins the patterns",
        )
    place_of_part = columns.get("part")
    parts = set() if place_of_part is None else {"".join(line[place_of_part : place_of_part + 1]) for line in lines}
    if {part.strip().lower() for part in parts} & {"train", "training"}:
        raise DatasetError(
            "the table has rows of the part train: predictions of films that were learned from tell no wrong label",
            where=path,
            remedy="Give only films that were held out",
        )
    found: dict[int, list[float]] = {}
    for number, line in enumerate(lines, start=2):
        if len(line) < len(names):
            raise DatasetError(f"line {number} has too few cells", where=path, remedy="Complete the line")
        place = find(line[columns["path"]].strip())
        if place is None:
            continue
        if place in found:
            raise DatasetError(f"line {number} is of a film that came before", where=path, remedy="Keep one row a film")
        found[place] = _row_probabilities([line[told[name]] for name in classes], path, number)
    if not found:
        raise DatasetError(
            "none of the table's films is among the films of the data",
            where=path,
            remedy="Give the predictions of these films; paths start from the data's folder",
        )
    rows = np.fromiter(found, dtype=np.int64, count=len(found))
    return rows, np.array(list(found.values()), dtype=np.float64)


def _row_probabilities(cells: list[str], path: Path, number: int) -> list[float]:
    """One film's probabilities.

    Raises:
        DatasetError: They are no probabilities.
    """
    try:
        p = [float(cell) for cell in cells]
    except ValueError:
        p = [float("nan")]
    if not np.isfinite(p).all() or min(p) < -1e-6 or abs(sum(p) - 1) > 1e-3:
        raise DatasetError(
            f"line {number} has no probabilities that sum to 1: {', '.join(cells)}",
            where=path,
            remedy="Write calibrated probabilities, one a class",
        )
    return [min(1.0, max(0.0, value)) / sum(p) for value in p]


QUICK_MODEL = "quick model (HOG and principal components of 64 x 64 thumbnails, logistic regression), by patient"
_CELL, _DIRECTIONS, _COMPONENTS = 8, 9, 150
_PENALTY = 0.01  # inverse, as scikit-learn has it


def quick_predictions(
    thumbnails: NDArray[np.uint8],
    targets: NDArray[np.int64],
    classes: int,
    folds: Sequence[NDArray[np.int64]],
    *,
    seed: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Out-of-fold probabilities of every film: float64 [N, C].

    Args:
        thumbnails: uint8 [N, 64, 64].
        targets: int64 [N].
        classes: C. A class that a fold has not seen gets 0 there.
        folds: Places of the films that are held out, fold by fold.
        seed: Of the principal components.
        tick: Called after each fold.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.decomposition import PCA  # noqa: PLC0415 - heavy, and only the audit needs it
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("scikit-learn", extra="audit", needed_for="the audit") from error
    films = thumbnails.astype(np.float32)
    films -= films.mean(axis=(1, 2), keepdims=True)
    films /= films.std(axis=(1, 2), keepdims=True) + 1e-3
    small = films.reshape(len(films), 32, 2, 32, 2).mean(axis=(2, 4)).reshape(len(films), -1)
    directions = histogram_of_gradients(films)
    found = np.zeros((len(films), classes))
    for held_out in folds:
        train = np.setdiff1d(np.arange(len(films)), held_out)
        count = min(_COMPONENTS, len(train) - 1)
        parts = []
        for values in (directions, small):
            components = PCA(count, svd_solver="randomized", random_state=seed).fit(values[train])
            parts.append(components.transform(values))
        columns = np.concatenate(parts, axis=1)
        scaler = StandardScaler().fit(columns[train])
        if len(np.unique(targets[train])) < 2:
            found[held_out, targets[train][0]] = 1
        else:
            model = LogisticRegression(C=_PENALTY, max_iter=500).fit(scaler.transform(columns[train]), targets[train])
            found[np.ix_(held_out, model.classes_)] = model.predict_proba(scaler.transform(columns[held_out]))
        tick()
    return found


def histogram_of_gradients(films: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histograms of gradient directions in cells of 8 x 8 pixels, each block of 2 x 2 cells of length 1.

    Args:
        films: float32 [N, 64, 64].

    Returns:
        float32 [N, 7 * 7 * 4 * 9].
    """
    n, side = len(films), films.shape[1]
    cells = side // _CELL
    out = np.empty((n, cells - 1, cells - 1, 4 * _DIRECTIONS), dtype=np.float32)
    where = np.arange(side) // _CELL
    cell = where[:, None] * cells + where[None]
    for i, film in enumerate(films):
        down, across = np.gradient(film)
        strength = np.hypot(down, across)
        angle = np.mod(np.arctan2(down, across), np.pi) / np.pi * _DIRECTIONS
        low = angle.astype(np.int64) % _DIRECTIONS
        part = angle - np.floor(angle)
        place = cell * _DIRECTIONS
        total = cells * cells * _DIRECTIONS
        table = np.bincount((place + low).ravel(), (strength * (1 - part)).ravel(), minlength=total)
        table += np.bincount((place + (low + 1) % _DIRECTIONS).ravel(), (strength * part).ravel(), minlength=total)
        grid = table.reshape(cells, cells, _DIRECTIONS)
        block = np.concatenate([grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:]], axis=-1)
        out[i] = block / np.sqrt(np.square(block).sum(axis=-1, keepdims=True) + 1e-2)
    return out.reshape(n, -1)


_LEAST = 5  # films of each class


def label_noise(
    level: str,
    paths: Sequence[str],
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    classes: Sequence[str],
) -> LabelNoise:
    """Rank the films whose label is probably wrong.

    Args:
        level: "finding" or "classes", for the report.
        paths: N.
        labels: int64 [N].
        probabilities: Out-of-fold, float64 [N, C], rows that sum to 1.
        classes: Names, C.

    Raises:
        MissingExtra: cleanlab is not installed.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2 or counts.min(initial=_LEAST) < _LEAST:
        scarce = [name for name, count in zip(classes, counts.tolist(), strict=True) if count < _LEAST]
        why = f"fewer than {_LEAST} films with predictions of: {', '.join(scarce)}" if scarce else "one class only"
        return LabelNoise(level, list(classes), len(labels), [], [], why)
    try:
        with capture_warnings():
            from cleanlab.count import compute_confident_joint, estimate_joint  # noqa: PLC0415 - heavy
            from cleanlab.filter import find_label_issues  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("cleanlab", extra="audit", needed_for="finding mislabelled films") from error
    with capture_warnings():
        joint = estimate_joint(
            labels, probabilities, confident_joint=compute_confident_joint(labels, probabilities, calibrate=True)
        )
        ranked = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    suspects = []
    for place in np.asarray(ranked).tolist():
        suggested = int(np.argmax(probabilities[place]))
        given = int(labels[place])
        if suggested != given:
            p = probabilities[place]
            suspects.append(
                Suspect(paths[place], classes[given], classes[suggested], float(p[given]), float(p[suggested]))
            )
    return LabelNoise(level, list(classes), len(labels), (joint * len(labels)).tolist(), suspects)
