"""What Prometheus is told: readings by outcome, how long they take, how many films wait, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from pneumoscope import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.domain.reading import Reading

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server, in a registry of its own. No film, name or person is in any of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = Counter(
            "pneumoscope_readings",
            "Films read or refused, by status and call",
            ["status", "call"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "pneumoscope_refusals", "Films refused, by the code of the reason", ["code"], registry=self.registry
        )
        self._seconds = Histogram(
            "pneumoscope_reading_seconds",
            "Seconds from a film's bytes to its reading, without waiting",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._queue = Gauge("pneumoscope_queue_films", "Films that wait for a reader", registry=self.registry)
        self._turned_away = Counter(
            "pneumoscope_requests_refused",
            "Requests answered with an error, by status and code",
            ["status", "code"],
            registry=self.registry,
        )
        Gauge("pneumoscope_info", "Version of the software", ["version"], registry=self.registry).labels(
            __version__
        ).set(1)

    def reading(self, reading: Reading, seconds: float) -> None:
        """Count a reading."""
        call = reading.finding.call if reading.finding is not None else ""
        self._readings.labels(reading.status, call).inc()
        self._seconds.observe(seconds)
        if reading.refusal is not None:
            self._refusals.labels(reading.refusal.code).inc()

    def problem(self, status: int, code: str) -> None:
        """Count a request that was answered with an error."""
        self._turned_away.labels(str(status), code).inc()

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask for the length of the queue each time the figures are drawn."""
        self._queue.set_function(waiting)

    def page(self) -> bytes:
        """All figures, in the text format of Prometheus."""
        return generate_latest(self.registry)
