"""What every request may use: the configuration, the store, the engine, the bundles, the metrics."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

from anyio import CapacityLimiter
from fastapi import Depends, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from pneumoscope import __version__
from pneumoscope.errors import BundleError, NotFound, PneumoscopeError, StorageError
from pneumoscope.server.data_folder import open_blobs, open_data_folder, secret_key
from pneumoscope.server.pictures import PictureCache, Thumbnails
from pneumoscope.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.engine.bundles import Bundles
    from pneumoscope.server.engine.queue import Engine
    from pneumoscope.server.node.run import Node
    from pneumoscope.server.store.blobs import BlobStore
    from pneumoscope.server.store.worklist import Worklist
    from pneumoscope.types.reading import Reading

__all__ = ["CONTENT_TYPE_LATEST", "Context", "Here", "Metrics", "NotReady", "Watch", "context"]

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
        self._disk = Gauge(
            "pneumoscope_disk_free_bytes",
            "Room on the fuller disk of database and films; films are refused below the reserve; -1 if not known",
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

    def watch_disk(self, free: Callable[[], int | None]) -> None:
        """Ask for the room on the disk each time the figures are drawn."""

        def room() -> float:
            try:
                found = free()
            except PneumoscopeError:
                found = None
            return -1.0 if found is None else float(found)

        self._disk.set_function(room)

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask for the length of the queue each time the figures are drawn."""
        self._queue.set_function(waiting)

    def page(self) -> bytes:
        """All figures, in the text format of Prometheus."""
        return generate_latest(self.registry)


_LOG = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two looks
_LEAST = 0.25  # seconds between two looks when something is known to have changed


class Watch:
    """Tells whoever waits when the number of the latest change has grown.

    Other processes (the node, another server) change the same database, so that it is asked, and only while somebody
    waits.

    Args:
        latest: Gives the number of the latest change; called in a thread.
    """

    def __init__(self, latest: Callable[[], int]) -> None:
        self._ask = latest
        self._number = 0
        self._waiting = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._nudge = asyncio.Event()

    async def after(self, seen: int, timeout: float) -> int:
        """The number of the latest change; waits until it is above ``seen``, or for so many seconds."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        self._waiting += 1
        try:
            async with self._changed:
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout):
                        await self._changed.wait_for(lambda: self._number > seen)
        finally:
            self._waiting -= 1
        return self._number

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def soon(self) -> None:
        """Something has just changed: look now."""
        self._nudge.set()

    async def _look(self) -> None:
        while True:
            if self._waiting:
                try:
                    number = await run_in_threadpool(self._ask)
                except PneumoscopeError as error:
                    _LOG.warning("the worklist cannot be asked for changes: %s", error)
                    number = self._number
                if number > self._number:
                    async with self._changed:
                        self._number = number
                        self._changed.notify_all()
            await asyncio.sleep(_LEAST)
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY - _LEAST):
                    await self._nudge.wait()
            self._nudge.clear()


_CONTEXT_LOG = logging.getLogger(__name__)
_Part = TypeVar("_Part")
_HOUR = 3600.0
_PATIENCE = 30.0  # seconds for a thread to end


class NotReady(PneumoscopeError):
    """The server is starting or stopping."""

    code = "not-ready"


class Context:
    """The parts of one running server.

    It is made with the application and is empty until the server starts; ``app.state.context`` holds it.

    Attributes:
        config: The settings.
        metrics: For Prometheus.
        thumbnails: Small pictures on disk.
        study_pictures: Films of reader studies, in memory.
        views: When who has last looked at which study; see ``auth.audit.record_view``.
        closing: The server is stopping: streams are to end.
        failed: Why the server could not start.
        trouble: Why the bundle in use could not be loaded; None if nothing is wrong.
        node: The DICOM node that runs in this process; None without one.
    """

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.thumbnails = Thumbnails(config.data / "thumbnails")
        self.study_pictures = PictureCache()
        self.closing = False
        self.views: dict[tuple[str, str, str], float] = {}
        self.failed: PneumoscopeError | None = None
        self.trouble: PneumoscopeError | None = None
        self.node: Node | None = None
        self._worklist: Worklist | None = None
        self._engine: Engine | None = None
        self._bundles: Bundles | None = None
        self._watch: Watch | None = None
        self._drawing: CapacityLimiter | None = None
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def worklist(self) -> Worklist:
        """The store of studies, users and settings."""
        return _opened(self._worklist)

    @property
    def blobs(self) -> BlobStore:
        """The store of films."""
        return self.worklist.blobs

    @property
    def engine(self) -> Engine:
        """The queue and the threads that read films."""
        return _opened(self._engine)

    @property
    def bundles(self) -> Bundles:
        """The bundles: shipped and imported ones, and which one is in use."""
        return _opened(self._bundles)

    @property
    def watch(self) -> Watch:
        """Tells of changes of the worklist."""
        return _opened(self._watch)

    @property
    def drawing(self) -> CapacityLimiter:
        """How many pictures are drawn at the same time."""
        return _opened(self._drawing)

    @property
    def keep_days(self) -> int:
        """After how many days studies are deleted; 0 keeps them. An administrator's setting goes first."""
        value = self.worklist.settings.get("keep_days")
        return value if isinstance(value, int) and value >= 0 else self.config.keep_days

    def open(self) -> None:
        """Open the database, the films and the engine; call it in the event loop's thread.

        Raises:
            PneumoscopeError: One of them cannot be opened.
        """
        from pneumoscope.server.engine.bundles import Bundles  # noqa: PLC0415 - both import this module's errors
        from pneumoscope.server.engine.job import Privacy  # noqa: PLC0415
        from pneumoscope.server.engine.queue import Engine  # noqa: PLC0415 - both import this module's errors
        from pneumoscope.server.store.worklist import open_worklist  # noqa: PLC0415

        config = self.config
        settings = replace(Settings.from_environment(), max_pixels=config.max_pixels)
        workers = config.workers or settings.cpu_threads()
        open_data_folder(config.data)
        self._worklist = open_worklist(config.database_url, open_blobs(config), reserve=config.reserve_mb * 2**20)
        self.metrics.watch_disk(self._worklist.disk.free_bytes)
        self._bundles = Bundles(self._worklist, config.data / "bundles", config.model)
        with suppress(BundleError, StorageError):  # told when it is loaded; a full disk must not stop the server
            self._bundles.hold_pinned()
        self._engine = Engine(
            self._bundles,
            settings,
            Privacy.of(config, secret_key(config.data)),
            workers=workers,
            queue=config.queue,
            readers=config.readers,
            metrics=self.metrics,
        )
        studies = self._worklist.studies
        self._watch = Watch(lambda: studies.changes_since(2**62)[0])
        self._drawing = CapacityLimiter(workers)
        for work, name in ((self._warm, "warm"), (self._tidy, "tidy")):
            self._threads.append(threading.Thread(target=work, name=name, daemon=True))
            self._threads[-1].start()

    async def close(self) -> None:
        """Finish the readings in hand and close everything."""
        self.closing = True
        self._stop.set()
        if self._watch is not None:
            await self._watch.close()
        await run_in_threadpool(self._wait)
        if self._worklist is not None:
            self._worklist.close()
        self._worklist = self._engine = self._bundles = self._watch = None

    def _wait(self) -> None:
        """Wait for the threads; nothing they do takes long."""
        if self._engine is not None:
            self._engine.close()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def changed(self) -> None:
        """The worklist has changed: look at once, and not in a second."""
        if self._watch is not None:
            self._watch.soon()

    def _warm(self) -> None:
        try:
            self.engine.warm()
            self.trouble = None
        except PneumoscopeError as error:
            if not self._stop.is_set():
                self.trouble = error
                _CONTEXT_LOG.error("the bundle in use cannot be loaded: %s", error)

    def look_again(self) -> None:
        """Load the bundle in use once more, if it could not be loaded: somebody may have put it back."""
        if self.trouble is not None and self._looking.acquire(blocking=False):
            try:
                self._warm()
            finally:
                self._looking.release()

    def _tidy(self) -> None:
        """Once an hour: delete what is older than it may be, and small pictures of films that are gone."""
        while not self._stop.is_set():
            try:
                self.tidy()
            except PneumoscopeError as error:
                if not self._stop.is_set():
                    _CONTEXT_LOG.warning("tidying up: %s", error)
            self._stop.wait(_HOUR)

    def tidy(self) -> None:
        """Delete what is older than it may be, logins that have ended, and small pictures of films that are gone."""
        from pneumoscope.server.store.retention import apply_retention  # noqa: PLC0415

        studies = self.worklist.studies
        self.worklist.sessions.purge()
        apply_retention(self.worklist, self.keep_days)

        def known(sha256: str) -> bool:
            try:
                studies.film(sha256)
            except NotFound:
                return False
            return True

        self.thumbnails.sweep(known)


def _opened(part: _Part | None) -> _Part:
    if part is None:
        raise NotReady("the server is starting or stopping", remedy="Try again in a few seconds")
    return part


def context(request: Request) -> Context:
    """The context of the application that answers a request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
"""A route's parameter ``here: Here`` is the context."""
