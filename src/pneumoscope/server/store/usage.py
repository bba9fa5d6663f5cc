"""Usage statistics for the dashboard: readings a day, calls, refusals, durations, agreement, input statistics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Integer, case, cast, func, select, type_coerce
from sqlalchemy.types import BigInteger

from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.server.store import tables
from pneumoscope.server.store.tables import film, reading, study

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement

    from pneumoscope.server.store.database import Database

__all__ = [
    "PROBABILITY",
    "Agreement",
    "DailyReadings",
    "FilmSample",
    "Histogram",
    "InputStatistic",
    "NamedCount",
    "ReadingDuration",
    "UsageStatistics",
    "sample_of_films",
]


@dataclass(frozen=True, slots=True)
class DailyReadings:
    """Readings of one day; days without any are there with zeros."""

    day: date
    read: int
    refused: int


@dataclass(frozen=True, slots=True)
class NamedCount:
    """How often a name occurs: a call, or the code of a refusal."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of equal bins; ``edges`` has one more than ``counts``."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InputStatistic:
    """One input statistic over some days.

    Attributes:
        name: One of ``gate.statistics.STATISTICS``.
        count: Films that have it.
        mean: Over the films.
        std: Over the films (divided by the count).
        quantiles: At 0.05, 0.25, 0.5, 0.75 and 0.95.
        days: The mean of each day that has films.
    """

    name: str
    count: int
    mean: float
    std: float
    quantiles: tuple[float, float, float, float, float]
    days: tuple[tuple[date, float], ...]


@dataclass(frozen=True, slots=True)
class ReadingDuration:
    """Seconds that readings took; ``day`` is None for all days together."""

    day: date | None
    count: int
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Newest verdicts by the call of the study: ``corrected_to`` is None where the person agreed."""

    call: str
    kind: str
    corrected_to: str | None
    count: int


PROBABILITY = "probability"
"""Name of the finding's probability beside ``gate.statistics.STATISTICS``."""

_READINGS_PER_FILM = 2  # a film may have been read again: so many readings are looked at for each film that is wanted


@dataclass(frozen=True, slots=True)
class FilmSample:
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


def sample_of_films(
    database: Database,
    bundle_sha256: str,
    *,
    days: int | None = None,
    after: datetime | None = None,
    limit: int = 5000,
    oldest: bool = False,
) -> FilmSample:
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
        select(reading.c.film, reading.c.created, reading.c.probability, *(film.c[name] for name in INPUT_STATISTICS))
        .join(film, film.c.sha256 == reading.c.film)
        .where(reading.c.bundle_sha256 == bundle_sha256, reading.c.forced.is_(False))
        .order_by(order)
        .limit(_READINGS_PER_FILM * limit)
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
    names = (PROBABILITY, *INPUT_STATISTICS)
    table = np.array([values for _, values in found.values()], dtype=np.float64).reshape(len(found), len(names))
    return FilmSample(
        films=len(found),
        first=min(times, default=None),
        last=max(times, default=None),
        values={name: table[~np.isnan(table[:, i]), i] if len(table) else np.zeros(0) for i, name in enumerate(names)},
    )


_MICROSECONDS_PER_DAY = 86_400_000_000  # microseconds
_MAX_SAMPLE = 20_000  # newest films or readings that quantiles are taken of
_FIRST_DAY = date(1970, 1, 1)


class UsageStatistics:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def per_day(self, days: int) -> tuple[DailyReadings, ...]:
        """Readings a day, oldest first, with the days that have none."""
        start = self._start(days)
        refused = func.sum(case((reading.c.status == "refused", 1), else_=0))
        day = _day(reading.c.created)
        chosen = select(day, func.count(), refused).where(reading.c.created >= start).group_by(day)
        with self._database.read() as connection:
            found = {int(row[0]): (int(row[1]), int(row[2])) for row in connection.execute(chosen)}
        first = (start.date() - _FIRST_DAY).days
        counts = [(number, *found.get(number, (0, 0))) for number in range(first, first + max(days, 1))]
        return tuple(DailyReadings(_date(number), count - no, no) for number, count, no in counts)

    def calls(self, days: int) -> tuple[NamedCount, ...]:
        """Studies by call, most first; refused ones are not among them."""
        return self._counted(study.c.call, days, study.c.status == "read")

    def refusals(self, days: int) -> tuple[NamedCount, ...]:
        """Refused studies by code, most first."""
        return self._counted(study.c.refusal, days)

    def scores(self, days: int, bundle_sha256: str | None = None, *, bins: int = 20) -> Histogram:
        """Probabilities of films read, in equal bins of [0, 1]; a film that was read again counts once a bin.

        Args:
            days: How many.
            bundle_sha256: Of this bundle only.
            bins: How many.
        """
        # floor(p * bins), 1.0 in the last one. A cast to integer rounds in PostgreSQL, where there is a floor; it cuts
        # in SQLite, where there is none on some machines.
        scaled = reading.c.probability * bins
        place = cast(scaled if self._database.sqlite else func.floor(scaled), Integer)
        bin_ = case((place >= bins, bins - 1), else_=place)
        chosen = (
            select(bin_, func.count(reading.c.film.distinct()))
            .where(
                reading.c.created >= self._start(days), reading.c.status == "read", reading.c.probability.is_not(None)
            )
            .group_by(bin_)
        )
        if bundle_sha256 is not None:
            chosen = chosen.where(reading.c.bundle_sha256 == bundle_sha256)
        with self._database.read() as connection:
            found = {int(row[0]): int(row[1]) for row in connection.execute(chosen)}
        return Histogram(
            tuple(number / bins for number in range(bins + 1)), tuple(found.get(number, 0) for number in range(bins))
        )

    def inputs(self, days: int) -> tuple[InputStatistic, ...]:
        """Input statistics of the newest 20,000 films of the days; those that no film has are left out."""
        columns = [film.c[name] for name in INPUT_STATISTICS]
        chosen = select(_day(film.c.received), *columns).where(film.c.received >= self._start(days))
        rows = self._newest(chosen, film.c.received)
        found = []
        for number, name in enumerate(INPUT_STATISTICS, 1):
            values = rows[:, number]
            there = ~np.isnan(values)
            if there.any():
                found.append(_input_statistic(name, rows[there, 0], values[there]))
        return tuple(found)

    def seconds(self, days: int) -> tuple[ReadingDuration, ...]:
        """Seconds a reading took, of the newest 20,000: all days together first, then each that has readings."""
        chosen = select(_day(reading.c.created), reading.c.seconds).where(reading.c.created >= self._start(days))
        rows = self._newest(chosen, reading.c.created)
        if not len(rows):
            return ()
        by_day = [(_date(int(day)), rows[rows[:, 0] == day, 1]) for day in np.unique(rows[:, 0])]
        return tuple(
            ReadingDuration(day, len(values), *(float(q) for q in np.quantile(values, (0.5, 0.95))))
            for day, values in [(None, rows[:, 1]), *by_day]
        )

    def agreement(self, days: int) -> tuple[Agreement, ...]:
        """Studies of the days by call and newest verdict, most first; refused ones have the call ''."""
        key = (study.c.call, study.c.verdict, study.c.corrected_to)
        chosen = select(*key, func.count()).where(study.c.received >= self._start(days), study.c.verdict != "")
        chosen = chosen.where((study.c.status == "read") | (study.c.call == ""))  # not those that were forced
        with self._database.read() as connection:
            rows = connection.execute(chosen.group_by(*key)).all()
        found = [Agreement(row[0], row[1], row[2], int(row[3])) for row in rows]
        return tuple(sorted(found, key=lambda one: (-one.count, one.call, one.kind, one.corrected_to or "")))

    def totals(self) -> dict[str, int]:
        """Studies, films, readings, verdicts, and the bytes of all films kept (those kept once count each time)."""
        with self._database.read() as connection:
            found = {
                f"{name}": int(connection.execute(select(func.count()).select_from(table)).scalar_one())
                for name, table in (
                    ("studies", tables.study),
                    ("films", tables.film),
                    ("readings", tables.reading),
                    ("verdicts", tables.verdict),
                )
            }
            found["bytes"] = int(connection.execute(select(func.coalesce(func.sum(film.c.bytes), 0))).scalar_one())
        return found

    def _start(self, days: int) -> datetime:
        today = self._database.now().astimezone(UTC).date()
        return datetime.combine(today - timedelta(days=min(max(days, 1), 36_500) - 1), time(), UTC)

    def _counted(self, column: ColumnElement[Any], days: int, *which: ColumnElement[bool]) -> tuple[NamedCount, ...]:
        chosen = select(column, func.count()).where(study.c.received >= self._start(days), column != "", *which)
        with self._database.read() as connection:
            rows = connection.execute(chosen.group_by(column)).all()
        return tuple(NamedCount(row[0], int(row[1])) for row in sorted(rows, key=lambda row: (-int(row[1]), row[0])))

    def _newest(self, chosen: Any, order: ColumnElement[Any]) -> NDArray[np.float64]:
        """float64 [rows, columns]; NULL is NaN."""
        with self._database.read() as connection:
            rows = connection.execute(chosen.order_by(order.desc()).limit(_MAX_SAMPLE)).all()
        return np.array([tuple(row) for row in rows], dtype=np.float64).reshape(len(rows), len(chosen.selected_columns))


def _day(column: ColumnElement[Any]) -> ColumnElement[int]:
    """Days since 1970."""
    return type_coerce(column, BigInteger).op("/")(_MICROSECONDS_PER_DAY)


def _date(number: int) -> date:
    return _FIRST_DAY + timedelta(days=number)


def _input_statistic(name: str, days: NDArray[np.float64], values: NDArray[np.float64]) -> InputStatistic:
    low, first, middle, third, high = (float(q) for q in np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95)))
    return InputStatistic(
        name=name,
        count=len(values),
        mean=float(values.mean()),
        std=float(values.std()),
        quantiles=(low, first, middle, third, high),
        days=tuple((_date(int(day)), float(values[days == day].mean())) for day in np.unique(days)),
    )
