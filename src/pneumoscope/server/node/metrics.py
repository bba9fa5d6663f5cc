"""The node's figures for Prometheus; no film, name or person is in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

    from pneumoscope.server.node.queue import Counts

__all__ = ["NodeMetrics"]

_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
_STATES = ("waiting", "read", "failed", "results_waiting", "results_sent", "results_refused")


class NodeMetrics:
    """Made once for a registry.

    Args:
        registry: Of the server.
        counts: Of the queue, asked when the figures are drawn.
    """

    def __init__(self, registry: CollectorRegistry, counts: Callable[[], Counts]) -> None:
        def of(name: str) -> Callable[[], float]:
            def ask() -> float:
                try:
                    return float(getattr(counts(), name))
                except PneumoscopeError:
                    return -1.0

            return ask

        states = Gauge(
            "pneumoscope_node_queue", "Films and results of the node's queue, by state", ["state"], registry=registry
        )
        for name in _STATES:
            states.labels(name).set_function(of(name))
        self._associations = Counter(
            "pneumoscope_node_associations", "Associations, by what became of them", ["outcome"], registry=registry
        )
        self._received = Counter(
            "pneumoscope_node_objects", "Objects received, by outcome or DICOM status", ["outcome"], registry=registry
        )
        self._sent = Counter(
            "pneumoscope_node_results_sent", "Tries to send a result, by outcome", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "pneumoscope_node_seconds",
            "Seconds from a film's arrival to its last result at its destination",
            buckets=_SECONDS,
            registry=registry,
        )

    def association(self, outcome: str) -> None:
        """Count an association."""
        self._associations.labels(outcome).inc()

    def received(self, outcome: str) -> None:
        """Count an object."""
        self._received.labels(outcome.partition(" (")[0]).inc()

    def sent(self, outcome: str) -> None:
        """Count a try to send a result."""
        self._sent.labels(outcome).inc()

    def answered(self, seconds: float) -> None:
        """Tell how long a film took."""
        self._seconds.observe(seconds)
