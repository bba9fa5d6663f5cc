"""The drift baseline: what the films and scores were like where the bundle was made.

Input statistics are those of the original films, not of what the cache holds of them: they are measured in the reading
room before anything is prepared, too. Knows no torch, so that a hospital without it can re-calibrate.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.data.pixels import read_film
from pneumoscope.data.progress import track_progress
from pneumoscope.errors import FilmError
from pneumoscope.model.schema import DriftBaseline
from pneumoscope.quality.measures import INPUT_STATISTICS, input_statistics
from pneumoscope.settings import Settings
from pneumoscope.stats.drift import MIN_FILMS, quantiles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.data.manifest import FilmRow, Manifest

__all__ = ["FilmStatistics", "film_statistics", "make_drift_baseline", "validation_drift_baseline"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class FilmStatistics:
    """What films are like.

    Attributes:
        there: Which of those that were asked for could be opened: bool [N]; K of them.
        sizes: Height and width in pixels, int64 [K, 2].
        statistics: By name, float64 [K].
    """

    there: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    statistics: dict[str, NDArray[np.float64]]


def film_statistics(manifest: Manifest, rows: Sequence[FilmRow], *, progress: bool = True) -> FilmStatistics:
    """Open films and measure their input statistics. One that cannot be opened (any more) is left out, with a warning.

    Args:
        manifest: Says where they are.
        rows: The films.
        progress: Show a bar.
    """

    def measure(row: FilmRow) -> tuple[int, int, dict[str, float]] | None:
        try:
            film = read_film(manifest, row)
        except FilmError as error:
            _LOG.warning("%s cannot be measured: %s", row.path, error.what)
            return None
        return film.rows, film.columns, input_statistics(film)

    with ThreadPoolExecutor(Settings.from_environment().cpu_threads()) as pool:
        found = list(track_progress(pool.map(measure, rows), total=len(rows), title="Measuring", show=progress))
    known = [each for each in found if each is not None]
    return FilmStatistics(
        there=np.array([each is not None for each in found], dtype=np.bool_),
        sizes=np.array([each[:2] for each in known], dtype=np.int64).reshape(-1, 2),
        statistics={name: np.array([each[2][name] for each in known], dtype=np.float64) for name in INPUT_STATISTICS},
    )


def make_drift_baseline(
    measured: FilmStatistics, score: NDArray[np.float64], truth: NDArray[np.bool_], on: str
) -> DriftBaseline | None:
    """Put together what stands in the bundle; None with too few films to compare others with.

    Args:
        measured: The films.
        score: Calibrated probability of the finding, as the bundle will give it, of all that were asked for, [N].
        truth: Whether they have the finding, [N].
        on: What they are, in words; their number is put before it.
    """
    films = len(measured.sizes)
    if films < MIN_FILMS:
        return None
    rows, columns = np.median(measured.sizes, axis=0).astype(np.int64).tolist()
    return DriftBaseline(
        on=f"{films:,} {on}",
        films=films,
        finding=int(truth[measured.there].sum()),
        size=(rows, columns),
        score=quantiles_of(np.clip(score[measured.there], 0, 1)),
        statistics={name: quantiles_of(values) for name, values in measured.statistics.items()},
    )


def validation_drift_baseline(
    manifest: Manifest, places: NDArray[np.int64], probabilities: NDArray[np.float64], *, progress: bool = True
) -> DriftBaseline | None:
    """The reference of a training: its validation films as they are, without any augmented or shifted look.

    Args:
        manifest: All films.
        places: Of the validation films in the manifest, [N].
        probabilities: Calibrated, of these films, [N, C].
        progress: Show a bar.
    """
    rows = [manifest.films[place] for place in places.tolist()]
    positive = np.array(manifest.positive, dtype=np.bool_)
    people = len({row.patient for row in rows})
    return make_drift_baseline(
        film_statistics(manifest, rows, progress=progress),
        probabilities[:, positive].sum(axis=1),
        manifest.finding[places],
        f"validation films of {people:,} patients",
    )
