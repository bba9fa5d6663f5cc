"""What the store's numbers are given out as: small frozen results for the dashboard. Days are of UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Agreement", "Count", "DayCount", "DaySeconds", "Histogram", "InputStatistic"]


@dataclass(frozen=True, slots=True)
class DayCount:
    """Readings of one day; days without any are there with zeros."""

    day: date
    read: int
    refused: int


@dataclass(frozen=True, slots=True)
class Count:
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
class DaySeconds:
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
