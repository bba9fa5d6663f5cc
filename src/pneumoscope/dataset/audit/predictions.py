"""Out-of-fold predictions of the films of a manifest, from tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.dataset.labels import canonical_label
from pneumoscope.dataset.sources.table import find_columns, read_rows
from pneumoscope.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from numpy.typing import NDArray

    from pneumoscope.dataset.manifest import Manifest

__all__ = ["Predictions", "read_predictions"]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
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


def read_predictions(paths: Sequence[str | PathLike[str]], manifest: Manifest) -> Predictions:
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
        rows, p = _read(path, find, manifest.classes)
        total[rows] += p
        times[rows] += 1
    covered = int(np.count_nonzero(times))
    probabilities = np.where(times[:, None] > 0, total / np.maximum(times, 1)[:, None], np.nan)
    names = ", ".join(Path(path).name for path in paths)
    some = "" if covered == len(manifest) else f"; {covered:,} of {len(manifest):,} films"
    return Predictions(probabilities, "predictions", f"predictions given ({names}{some})")


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


def _read(path: Path, find: _Finder, classes: tuple[str, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
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
        found[place] = _row([line[told[name]] for name in classes], path, number)
    if not found:
        raise DatasetError(
            "none of the table's films is among the films of the data",
            where=path,
            remedy="Give the predictions of these films; paths start from the data's folder",
        )
    rows = np.fromiter(found, dtype=np.int64, count=len(found))
    return rows, np.array(list(found.values()), dtype=np.float64)


def _row(cells: list[str], path: Path, number: int) -> list[float]:
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
