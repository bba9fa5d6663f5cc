"""Films as a bundle met them, value by value: what the dashboard compares to see whether films have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select

from pneumoscope.gate.statistics import STATISTICS
from pneumoscope.worklist.tables import film, reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.worklist.database import Database

__all__ = ["PROBABILITY", "Sample", "films_read"]

PROBABILITY = "probability"
"""Name of the finding's probability beside ``gate.statistics.STATISTICS``."""

_AGAIN = 2  # a film may have been read again: so many readings are looked at for each film that is wanted


@dataclass(frozen=True, slots=True)
class Sample:
    """Some films.

    Attributes:
        films: How many; refused ones too.
        first: When the first of them was read; None without films.
        last: When the last of them was read.
        values: By name, float64 [N]; a film that lacks a value (a refused one has no probability) is left out there.
    """

    films: int
    first: datetime | None
    last: datetime | None
    values: dict[str, NDArray[np.float64]]


def films_read(
    database: Database,
    bundle_sha256: str,
    *,
    days: int | None = None,
    after: datetime | None = None,
    limit: int = 5000,
    oldest: bool = False,
) -> Sample:
    """Films that a bundle read or refused, each once, without those that were forced.

    Args:
        database: Of the worklist.
        bundle_sha256: Of the bundle.
        days: Of the last days of UTC, today included; None for all.
        after: Later than this only.
        limit: Films at most.
        oldest: The first ones instead of the newest.
    """
    order = reading.c.created.asc() if oldest else reading.c.created.desc()
    chosen = (
        select(reading.c.film, reading.c.created, reading.c.probability, *(film.c[name] for name in STATISTICS))
        .join(film, film.c.sha256 == reading.c.film)
        .where(reading.c.bundle_sha256 == bundle_sha256, reading.c.forced.is_(False))
        .order_by(order)
        .limit(_AGAIN * limit)
    )
    if days is not None:
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        chosen = chosen.where(reading.c.created >= today - timedelta(days=days - 1))
    if after is not None:
        chosen = chosen.where(reading.c.created > after)
    found: dict[str, tuple[datetime, tuple[float | None, ...]]] = {}
    with database.read() as connection:
        for row in connection.execute(chosen):
            if row[0] not in found and len(found) < limit:
                found[row[0]] = (row[1], tuple(row[2:]))
    times = [at for at, _ in found.values()]
    names = (PROBABILITY, *STATISTICS)
    table = np.array([values for _, values in found.values()], dtype=np.float64).reshape(len(found), len(names))
    return Sample(
        films=len(found),
        first=min(times, default=None),
        last=max(times, default=None),
        values={name: table[~np.isnan(table[:, i]), i] if len(table) else np.zeros(0) for i, name in enumerate(names)},
    )
