"""From the readings of a sweep to its figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.errors import DatasetError
from pneumoscope.evaluation.measured import area_under, mean_of, share_of
from pneumoscope.evaluation.stress.result import (
    CorruptionInfo,
    StressCell,
    StressPoint,
    StressResult,
    StressSummary,
)
from pneumoscope.statistics.discrimination import roc_auc
from pneumoscope.statistics.intervals import bootstrap
from pneumoscope.statistics.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.labelled import LabelledFilm
    from pneumoscope.evaluation.stress.corruptions import Corruption
    from pneumoscope.evaluation.stress.journal import Row
    from pneumoscope.reading import Reader

    Rows = Mapping[tuple[str, str, float], Row]

__all__ = ["tally"]

_FILMS = "stress"


@dataclass(frozen=True, slots=True, eq=False)
class _Films:
    """The films that were read as they came.

    Attributes:
        truth: bool [N].
        patients: str [N].
        sha256: N of them.
        clean: The finding's probability as they came: float64 [N].
        presets: Threshold by preset.
        rng: For the bootstrap.
        draws: Of it.
    """

    truth: NDArray[np.bool_]
    patients: NDArray[np.str_]
    sha256: tuple[str, ...]
    clean: NDArray[np.float64]
    presets: dict[str, float]
    rng: np.random.Generator
    draws: int


def tally(
    reader: Reader,
    films: Sequence[LabelledFilm],
    pairs: Sequence[tuple[Corruption, int]],
    rows: Rows,
    *,
    draws: int,
    seed: int,
) -> StressResult:
    """Count.

    Args:
        reader: Names the bundle and its operating points.
        films: All films of the sweep.
        pairs: Corruption and severity, each in the journal for each film that could be read.
        rows: The journal.
        draws: Of the bootstrap.
        seed: Of it.

    Raises:
        DatasetError: No film could be read as it came.
    """
    first = [rows[film.sha256, "none", 0.0] for film in films]
    kept = [film for film, row in zip(films, first, strict=True) if row.probability is not None]
    left_out = tuple((f.path, r.refusal or "") for f, r in zip(films, first, strict=True) if r.probability is None)
    if not kept:
        raise DatasetError(
            f"none of the {len(films)} films can be read",
            where=films[0].path,
            remedy=f"The first was refused as {left_out[0][1]!r}",
        )
    base = _Films(
        truth=np.array([film.positive for film in kept]),
        patients=np.array([film.patient for film in kept]),
        sha256=tuple(film.sha256 for film in kept),
        clean=_probabilities([rows[film.sha256, "none", 0.0] for film in kept]),
        presets={point.preset: point.threshold for point in reader.meta.operating_points},
        rng=np.random.default_rng(seed),
        draws=draws,
    )
    degrees = [(c, s) for c, s in pairs if len(c.strengths) > 1]
    table = {(c.name, s): [rows[key, c.name, c.strengths[s - 1]] for key in base.sha256] for c, s in pairs}
    chosen = dict.fromkeys(corruption for corruption, _ in pairs)
    return StressResult(
        model=reader.model,
        finding=reader.meta.finding,
        films=len(kept),
        positives=int(base.truth.sum()),
        negatives=int((~base.truth).sum()),
        patients=len(set(base.patients.tolist())),
        corruptions=tuple(CorruptionInfo(c.name, c.what, c.unit, c.strengths) for c in chosen),
        clean=_cell(base, "none", 0, 0.0, [rows[key, "none", 0.0] for key in base.sha256]),
        cells=tuple(_cell(base, c.name, s, c.strengths[s - 1], table[c.name, s]) for c, s in pairs),
        summary=tuple(
            _summary(base, level, {c.name: _probabilities(table[c.name, s]) for c, s in degrees if s == level})
            for level in sorted({s for _, s in degrees})
        ),
        left_out=left_out,
    )


def _probabilities(rows: Sequence[Row]) -> NDArray[np.float64]:
    """float64 [N]; NaN for a refused film, for use in this file alone."""
    return np.array([np.nan if row.probability is None else row.probability for row in rows])


def _cell(base: _Films, name: str, severity: int, strength: float, rows: Sequence[Row]) -> StressCell:
    p = _probabilities(rows)
    read = np.isfinite(p)
    truth, people, now, before = base.truth[read], base.patients[read], p[read], base.clean[read]
    points = []
    for preset, threshold in base.presets.items():
        called = now >= threshold
        points.append(
            StressPoint(
                preset=preset,
                threshold=threshold,
                recall=share_of(f"recall ({preset})", called[truth], _FILMS),
                specificity=share_of(f"specificity ({preset})", ~called[~truth], _FILMS),
                flipped=share_of(f"flipped calls ({preset})", called != (before >= threshold), _FILMS),
            )
        )
    moved = now - before
    groups = {"": np.ones(len(truth), bool), ", with the finding": truth, ", without the finding": ~truth}
    shifts = [
        mean_of(f"probability shift{name}", moved[part], people[part], _FILMS, rng=base.rng, draws=base.draws)
        for name, part in groups.items()
    ]
    return StressCell(
        corruption=name,
        severity=severity,
        strength=strength,
        n=int(read.sum()),
        refused=(int((~read & base.truth).sum()), int((~read & ~base.truth).sum())),
        refusals=dict(sorted(Counter(row.refusal for row in rows if row.refusal).items())),
        mended=sum(row.mended for row in rows),
        points=tuple(points),
        auc=area_under("AUC", truth, now, people, _FILMS),
        shift=(shifts[0], shifts[1], shifts[2]),
    )


def _summary(base: _Films, severity: int, by_name: dict[str, NDArray[np.float64]]) -> StressSummary:
    """Means over the corruptions. Patients are drawn once for all of them, since they share their films."""
    scores = np.stack(list(by_name.values()), axis=1)  # [N, corruptions]
    truth = base.truth
    why = _why_not(truth, by_name)

    def over(name: str, statistic: Callable[[NDArray[np.bool_], NDArray[np.float64]], float]) -> Metric:
        try:
            found = bootstrap(statistic, (truth, scores), base.patients, min(base.draws, 500), generator=base.rng)
        except ValueError as error:  # one class only, or a corruption whose every film was refused
            return Metric(name, None, None, None, len(truth), None, "bootstrap", _FILMS, why or str(error))
        return Metric(name, found.value, found.low, found.high, found.n, None, "bootstrap", _FILMS)

    auc = over("AUC, mean over corruptions", lambda t, s: float(np.mean([_auc(t, column) for column in s.T])))
    worst = None
    if auc.value is not None:
        name = min(by_name, key=lambda name: _auc(truth, by_name[name]))
        worst = (name, _auc(truth, by_name[name]))
    recall, specificity = {}, {}
    for preset, at in base.presets.items():
        recall[preset] = over(f"recall ({preset}), mean over corruptions", partial(_recall, at))
        specificity[preset] = over(f"specificity ({preset}), mean over corruptions", partial(_specificity, at))
    return StressSummary(severity=severity, auc=auc, worst=worst, recall=recall, specificity=specificity)


def _why_not(truth: NDArray[np.bool_], by_name: dict[str, NDArray[np.float64]]) -> str:
    """The corruptions that left no film of a kind to read, in words; empty if there are none."""
    empty = [name for name, p in by_name.items() if not np.isfinite(p[truth]).any() or not np.isfinite(p[~truth]).any()]
    return f"under {', '.join(empty)} no film of a kind was read" if empty else ""


def _recall(threshold: float, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return _rate(scores[truth] >= threshold, scores[truth])


def _specificity(threshold: float, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return _rate(scores[~truth] < threshold, scores[~truth])


def _auc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    read = np.isfinite(scores)
    return roc_auc(truth[read], scores[read])


def _rate(right: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Mean over the corruptions (columns) of the share of the read films (rows) that are right."""
    read = np.isfinite(scores)
    if not read.any(axis=0).all():
        raise ValueError("a corruption has no film of this kind that was read")
    return float(((right & read).sum(axis=0) / read.sum(axis=0)).mean())
