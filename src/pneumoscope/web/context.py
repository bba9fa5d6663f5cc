"""What every request may use: the configuration, the worklist, the engine, the bundles. Opened and closed once."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, TypeVar

from anyio import CapacityLimiter
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from pneumoscope.errors import NotFound, PneumoscopeError
from pneumoscope.settings import Settings
from pneumoscope.web.metrics import Metrics
from pneumoscope.web.pictures.thumbnails import Thumbnails
from pneumoscope.web.storehouse import open_blobs, open_folder, secret_key
from pneumoscope.web.watch import Watch

if TYPE_CHECKING:
    from pneumoscope.web.config import WebConfig
    from pneumoscope.web.engine import Bundles, Engine
    from pneumoscope.worklist import Worklist
    from pneumoscope.worklist.blobs import BlobStore

__all__ = ["Context", "Here", "NotReady", "context"]

_LOG = logging.getLogger(__name__)
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
        closing: The server is stopping: streams are to end.
        failed: Why the server could not start.
        trouble: Why the bundle in use could not be loaded; None if nothing is wrong.
    """

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self.metrics = Metrics()
        self.thumbnails = Thumbnails(config.data / "thumbnails")
        self.closing = False
        self.failed: PneumoscopeError | None = None
        self.trouble: PneumoscopeError | None = None
        self._worklist: Worklist | None = None
        self._engine: Engine | None = None
        self._bundles: Bundles | None = None
        self._watch: Watch | None = None
        self._drawing: CapacityLimiter | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def worklist(self) -> Worklist:
        """The store of studies, users and settings."""
        return _there(self._worklist)

    @property
    def blobs(self) -> BlobStore:
        """The store of films."""
        return self.worklist.blobs

    @property
    def engine(self) -> Engine:
        """The queue and the threads that read films."""
        return _there(self._engine)

    @property
    def bundles(self) -> Bundles:
        """The bundles: shipped and imported ones, and which one is in use."""
        return _there(self._bundles)

    @property
    def watch(self) -> Watch:
        """Tells of changes of the worklist."""
        return _there(self._watch)

    @property
    def drawing(self) -> CapacityLimiter:
        """How many pictures are drawn at the same time."""
        return _there(self._drawing)

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
        from pneumoscope.web.engine import Bundles, Engine  # noqa: PLC0415 - both import this module's errors
        from pneumoscope.web.engine.job import Privacy  # noqa: PLC0415
        from pneumoscope.worklist import open_worklist  # noqa: PLC0415

        config = self.config
        settings = replace(Settings.from_environment(), max_pixels=config.max_pixels)
        workers = config.workers or settings.cpu_threads()
        open_folder(config.data)
        self._worklist = open_worklist(config.database_url, open_blobs(config))
        self._bundles = Bundles(self._worklist, config.data / "bundles", config.model)
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
        except PneumoscopeError as error:
            if not self._stop.is_set():
                self.trouble = error
                _LOG.error("the bundle in use cannot be loaded: %s", error)

    def _tidy(self) -> None:
        """Once an hour: delete what is older than it may be, and small pictures of films that are gone."""
        while not self._stop.is_set():
            try:
                self.tidy()
            except PneumoscopeError as error:
                if not self._stop.is_set():
                    _LOG.warning("tidying up: %s", error)
            self._stop.wait(_HOUR)

    def tidy(self) -> None:
        """Delete what is older than it may be, logins that have ended, and small pictures of films that are gone."""
        from pneumoscope.worklist.retention import sweep  # noqa: PLC0415

        studies = self.worklist.studies
        self.worklist.sessions.purge()
        sweep(self.worklist, self.keep_days)

        def known(sha256: str) -> bool:
            try:
                studies.film(sha256)
            except NotFound:
                return False
            return True

        self.thumbnails.sweep(known)


def _there(part: _Part | None) -> _Part:
    if part is None:
        raise NotReady("the server is starting or stopping", remedy="Try again in a few seconds")
    return part


def context(request: Request) -> Context:
    """The context of the application that answers a request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
"""A route's parameter ``here: Here`` is the context."""
