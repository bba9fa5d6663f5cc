"""Films most worth a person's look: uncertain, unlike the others, read differently by bundles; not all alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.server.store.adding import finding_in
from pneumoscope.server.store.reader_studies.blinding import studies_in_running_reader_studies
from pneumoscope.server.store.tables import film, reading, reading_body, study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from pneumoscope.server.store.database import Database

__all__ = ["QueuedFilm", "review_queue"]

_WEIGHTS = {"uncertain": 1.0, "drifted": 0.7, "disagreeing": 0.8, "diverse": 0.3}
_PAGE = 500


@dataclass(frozen=True, slots=True)
class QueuedFilm:
    """A film that a person should look at.

    Attributes:
        study: Its id in the worklist.
        film: Its sha256.
        probability: By its newest reading.
        call: Of that reading.
        score: What the order is by; higher first.
        uncertain: 1 at the threshold, falling to 0 with the distance on the logit scale.
        drifted: 0 to 1: how far its input statistics lie from the worklist's middle.
        disagreeing: 0 to 1: how far its readings by different bundles lie apart.
        diverse: 0 to 1: how unlike it is to the films before it in the queue.
        reason: The part that weighs most.
    """

    study: str
    film: str
    probability: float
    call: str
    score: float
    uncertain: float
    drifted: float
    disagreeing: float
    diverse: float
    reason: str


def review_queue(database: Database, count: int) -> tuple[QueuedFilm, ...]:
    """The films without a verdict, in the order in which labels are worth most.

    Uncertainty sampling with a bonus for what the model does not know (drift), for what bundles disagree on, and, film
    by film, for what is unlike those that are already in the queue (farthest first, in input statistics and
    probability). Films of running reader studies are left out. The same worklist gives the same queue.

    Args:
        database: Of the worklist.
        count: Films, at most.

    Raises:
        StorageError: The database cannot be used.
    """
    with database.read() as connection:
        rows = _candidates(connection)
    if not rows:
        return ()
    p = np.array([row.probability for row in rows])
    thresholds = np.array([row.threshold for row in rows])
    uncertain = np.exp(-np.abs(_logit(p) - _logit(thresholds)))
    places, drifted = _places(np.array([row.statistics for row in rows], dtype=np.float64))
    apart = np.array([row.apart for row in rows])
    places = np.column_stack([places, _logit(p) / 2])
    fixed = _WEIGHTS["uncertain"] * uncertain + _WEIGHTS["drifted"] * drifted + _WEIGHTS["disagreeing"] * apart
    nearest = np.full(len(rows), np.inf)
    left = np.ones(len(rows), dtype=bool)
    queue = []
    for _ in range(min(count, len(rows))):
        diverse = np.where(np.isinf(nearest), 0.0, 1 - np.exp(-nearest))
        scores = np.where(left, fixed + _WEIGHTS["diverse"] * diverse, -np.inf)
        best = int(scores.argmax())
        parts = {
            "uncertain": float(uncertain[best]),
            "drifted": float(drifted[best]),
            "disagreeing": float(apart[best]),
            "diverse": float(diverse[best]),
        }
        reason = max(parts, key=lambda name: _WEIGHTS[name] * parts[name])
        row = rows[best]
        queue.append(
            QueuedFilm(row.study, row.film, float(p[best]), row.call, float(scores[best]), **parts, reason=reason)
        )
        left[best] = False
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return tuple(queue)


@dataclass(slots=True)
class _Candidate:
    study: str
    film: str
    probability: float
    threshold: float
    call: str
    apart: float
    statistics: Sequence[float | None]


def _candidates(connection: Connection) -> list[_Candidate]:
    chosen = (
        select(study.c.id, film.c.sha256, *(film.c[name] for name in INPUT_STATISTICS))
        .join(film, film.c.sha256 == study.c.lead)
        .where(study.c.status == "read", study.c.verdict == "", study.c.id.not_in(studies_in_running_reader_studies()))
        .order_by(study.c.received, study.c.id)
    )
    listed = connection.execute(chosen).all()
    found = []
    for start in range(0, len(listed), _PAGE):
        some = listed[start : start + _PAGE]
        readings = connection.execute(
            select(reading, reading_body.c.document)
            .join(reading_body, reading_body.c.reading == reading.c.id)
            .where(reading.c.film.in_([row.sha256 for row in some]), reading.c.probability.is_not(None))
            .order_by(reading.c.ordinal)
        ).all()
        by_film: dict[str, dict[str, float]] = {}
        newest = {}
        for one in readings:
            by_film.setdefault(one.film, {})[one.bundle_sha256] = float(one.probability)  # the newest of each bundle
            newest[one.film] = one
        for row in some:
            if row.sha256 not in newest:
                continue
            last = newest[row.sha256]
            threshold = float((finding_in(last.document) or {}).get("threshold", 0.5))
            values = list(by_film[row.sha256].values())
            statistics = [row._mapping[name] for name in INPUT_STATISTICS]  # noqa: SLF001 - SQLAlchemy's public name
            apart = max(values) - min(values)
            found.append(
                _Candidate(row.id, row.sha256, float(last.probability), threshold, last.call, apart, statistics)
            )
    return found


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    safe = np.clip(p, 1e-6, 1 - 1e-6)
    found: NDArray[np.float64] = np.log(safe / (1 - safe))
    return found


def _places(statistics: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Robust z of each statistic (unknown: the middle), and the drift of each film: 0 up to 2 spreads, 1 far away."""
    known = ~np.isnan(statistics).all(axis=0)
    values = statistics[:, known]
    middle = np.nanmedian(values, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(values - middle), axis=0)
    z = np.nan_to_num((values - middle) / np.where(spread > 1e-9, spread, 1.0))
    far = np.abs(z).max(axis=1) if z.shape[1] else np.zeros(len(statistics))
    return z, 1 - np.exp(-np.maximum(0.0, far - 2) / 2)
