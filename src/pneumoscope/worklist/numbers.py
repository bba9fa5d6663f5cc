"""Numbers for the dashboard, over the last days (of UTC, today included)."""

from __future__ import annotations

from datetime import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pneumoscope.worklist.figures import *
from pneumoscope.worklist.records import *


class Numbers:
    """Made by ``open_worklist``."""

    def per_day(self, days: int) -> tuple[DayCount, ...]:
        """Readings a day, oldest first, with the days that have none."""
        raise NotImplementedError

    def calls(self, days: int) -> tuple[Count, ...]:
        """Studies by call, most first; refused ones are not among them."""
        raise NotImplementedError

    def refusals(self, days: int) -> tuple[Count, ...]:
        """Refused studies by code, most first."""
        raise NotImplementedError

    def scores(self, days: int, bundle_sha256: str | None = None, *, bins: int = 20) -> Histogram:
        """Probabilities of films read, in equal bins of [0, 1]; each film counts once."""
        raise NotImplementedError

    def inputs(self, days: int) -> tuple[InputStatistic, ...]:
        """Input statistics of the newest 20,000 films of the days."""
        raise NotImplementedError

    def seconds(self, days: int) -> tuple[DaySeconds, ...]:
        """Seconds a reading took: all days together first (if there are any), then each day that has readings."""
        raise NotImplementedError

    def agreement(self, days: int) -> tuple[Agreement, ...]:
        """Studies by call and newest verdict."""
        raise NotImplementedError

    def totals(self) -> dict[str, int]:
        """Studies, films, readings, verdicts, and the bytes kept."""
        raise NotImplementedError
