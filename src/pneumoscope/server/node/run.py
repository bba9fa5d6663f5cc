"""The node as a whole, and the program that runs it beside the web application."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from pneumoscope.errors import PneumoscopeError, StorageFull
from pneumoscope.reports.dicom.results import parse_kinds
from pneumoscope.server.context import Context
from pneumoscope.server.data_folder import secret_key
from pneumoscope.server.node.delivery import Courier, sender_for
from pneumoscope.server.node.fetching import Fetcher
from pneumoscope.server.node.incoming import Intake
from pneumoscope.server.node.log import tell
from pneumoscope.server.node.metrics import NodeMetrics
from pneumoscope.server.node.queue import Queue
from pneumoscope.server.node.reading import Schedule, Workers
from pneumoscope.server.node.scp import Provider
from pneumoscope.server.request_log import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.node.config import NodeConfig

__all__ = ["Node", "run_node"]

_PATIENCE = 30.0  # seconds for a thread to end
_DAY = 86_400.0
_HOLD = 600.0  # seconds that a film stays after it came, for storage commitment


class Node:
    """One node of a running server: its queue, the port, the readers, the couriers.

    Args:
        context: Of the server, opened.
        config: Of the node.

    Attributes:
        queue: Of films and results.
        intake: Takes objects, whichever way they come.
    """

    def __init__(self, context: Context, config: NodeConfig) -> None:
        self._context, self.config = context, config
        self.queue = Queue(context.config.data / "node")
        self._stop = threading.Event()
        self._tidier = threading.Thread(target=self._tidy, name="node-tidy", daemon=True)
        metrics = NodeMetrics(context.metrics.registry, self.queue.counts)
        secret = secret_key(context.config.data)
        self._schedule = Schedule(config.stable_seconds)
        self._courier = Courier(self.queue, config, metrics, partial(sender_for, config=config))
        self.intake = Intake(
            self.queue,
            config,
            metrics,
            secret=secret,
            room=self._check_room,
            arrived=self._schedule.arrived,
        )
        self._secret = secret
        self._provider = Provider(config, self.intake, metrics)
        self._fetcher = Fetcher(self.intake, config)
        self.intake.studied = self._fetcher.study
        self._workers: Workers | None = None

    @property
    def port(self) -> int:
        """On which it listens."""
        return self._provider.port

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take up what waits, and listen.

        Args:
            loop: In which the server's engine is asked; it must run until ``close`` has come back.

        Raises:
            PneumoscopeError: It cannot.
        """
        self._workers = Workers(
            self._context,
            loop,
            self.queue,
            self.config,
            self._schedule,
            secret=self._secret,
            ready=self._courier.ready,
        )
        self._provider.open()
        self._workers.open()
        self._courier.open()
        self._fetcher.open()
        self._tidier.start()
        tell(
            logging.INFO, "open", aet=self.config.aet, port=self.port, send_to=",".join(self.config.send_to) or "nobody"
        )

    def close(self) -> None:
        """Take no more, finish the films in hand, and let go of the folder. Call it in a thread, not in the loop's."""
        self._stop.set()
        self._provider.close()
        self._schedule.close()
        if self._workers is not None:
            self._workers.join(_PATIENCE)
            self._courier.close(_PATIENCE)
            self._fetcher.close(_PATIENCE)
            self._tidier.join(_PATIENCE)
        self.queue.close()
        tell(logging.INFO, "closed")

    def _check_room(self, more: int) -> None:
        """See that the disk of the queue has room beside the reserve.

        Raises:
            StorageFull: It has not.
        """
        self._context.worklist.disk.check(more)
        state = os.statvfs(self.queue.folder)
        reserve = self._context.config.reserve_mb * 2**20
        if reserve and state.f_bavail * state.f_frsize < reserve:
            raise StorageFull("the disk of the node's queue is nearly full", where=self.queue.folder)

    def _tidy(self) -> None:
        limits = self.config.limits
        while not self._stop.wait(60):
            with suppress(PneumoscopeError, OSError):
                self.queue.tidy(hold_seconds=_HOLD, remember_seconds=limits.remember_days * _DAY)


def run_node(
    web: WebConfig, config: NodeConfig, started: Callable[[Node], None], *, metrics_port: int | None = None
) -> None:
    """Run a node without the web application, on the same data folder and database, until SIGINT or SIGTERM.

    Args:
        web: Where the worklist is, and how films are read.
        config: Of the node.
        started: Called when it listens.
        metrics_port: Of 127.0.0.1, where Prometheus may ask; None for none.

    Raises:
        PneumoscopeError: It cannot start.
    """
    parse_kinds(config.results)
    configure_logging(web.log_format)
    os.umask(0o077)
    asyncio.run(_run(web, config, started, metrics_port))


async def _run(web: WebConfig, config: NodeConfig, started: Callable[[Node], None], metrics_port: int | None) -> None:
    from prometheus_client import start_http_server  # noqa: PLC0415 - where it is needed

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    context = Context(web)
    node: Node | None = None
    page = None
    try:
        context.open()
        node = Node(context, config)
        node.open(loop)
        if metrics_port is not None:
            page, _ = start_http_server(metrics_port, "127.0.0.1", context.metrics.registry)
        started(node)
        await stop.wait()
    finally:
        if page is not None:
            page.shutdown()
        if node is not None:
            await asyncio.to_thread(node.close)
        await context.close()
