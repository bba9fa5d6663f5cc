"""The queue and the threads that read films.

Each worker takes one film from its bytes to its reading. Films are not joined to batches: a reading must not depend on
the films that came with it, to the last bit, and on a CPU a batch is no faster (``model/session.py``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.engine.job import Choice, Film, Outcome, read_film

if TYPE_CHECKING:
    from pathlib import Path

    from pneumoscope.model.reader import Reader
    from pneumoscope.server.context import Metrics
    from pneumoscope.server.engine.bundles import Bundles
    from pneumoscope.server.engine.job import Privacy
    from pneumoscope.settings import Settings

__all__ = ["Engine", "QueueFull", "Readers"]


class Readers:
    """Loaded bundles, the longest unused given up first.

    Args:
        bundles: Where they are.
        settings: Of this machine.
        most: How many are kept.
    """

    def __init__(self, bundles: Bundles, settings: Settings, most: int) -> None:
        self._bundles, self._settings, self._most = bundles, settings, most
        self._loaded: OrderedDict[str, Reader] = OrderedDict()
        self._lock = Lock()  # also while one loads: two threads must not load the same bundle twice

    def get(self, choice: Choice) -> Reader:
        """The reader of a choice.

        Raises:
            UsageError: There is no such bundle, preset or coverage.
            BundleError: The bundle cannot be used.
        """
        from pneumoscope.model.reader import Reader  # noqa: PLC0415 - ONNX Runtime is slow to import

        known = self._bundles.get(choice.bundle)
        with self._lock:
            reader = self._loaded.pop(known.sha256, None) or Reader(known.path, settings=self._settings)
            self._loaded[known.sha256] = reader
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
        return reader.choosing(preset=choice.preset, coverage=choice.coverage, mend=choice.mend, force=choice.force)


_REMEMBERED = 32  # readings whose time tells how long the queue will take
_PATIENCE = 0.05  # seconds between two looks at a full queue


class QueueFull(PneumoscopeError):
    """More films wait than may.

    Attributes:
        retry_after: Seconds after which there should be room.
    """

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__("all readers are busy and the queue is full", remedy=f"Try again in {retry_after} s")
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes."""
        return (type(self), (self.retry_after,))


class Engine:
    """Reads films in a few threads.

    Args:
        bundles: Which may be asked for.
        settings: Of this machine.
        privacy: What may be kept.
        workers: Threads.
        queue: Films that may wait.
        readers: Bundles that are kept loaded.
        metrics: Told of the queue.
    """

    def __init__(
        self,
        bundles: Bundles,
        settings: Settings,
        privacy: Privacy,
        *,
        workers: int,
        queue: int,
        readers: int,
        metrics: Metrics,
    ) -> None:
        self.bundles = bundles
        self.workers, self.queue = workers, queue
        self._settings, self._privacy = settings, privacy
        self._readers = Readers(bundles, settings, readers)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
        self._lock = Lock()
        self._in_hand = 0
        self._taken: deque[float] = deque(maxlen=_REMEMBERED)
        self._metrics = metrics
        self._ready = False
        metrics.watch_queue(lambda: self.waiting)

    @property
    def ready(self) -> bool:
        """Whether the bundle in use has been loaded."""
        return self._ready

    @property
    def in_hand(self) -> int:
        """Films that are read or wait."""
        return self._in_hand

    @property
    def full(self) -> bool:
        """Whether a film that came now would be refused."""
        return self._in_hand >= self.workers + self.queue

    @property
    def waiting(self) -> int:
        """Films that wait for a worker."""
        return max(0, self._in_hand - self.workers)

    def warm(self) -> None:
        """Load the bundle in use, and what it needs, before the first film comes.

        Raises:
            BundleError: It cannot be used.
        """
        import numpy as np  # noqa: PLC0415

        reader = self._readers.get(Choice())
        # A first look at anything loads the networks of the lungs and of the gate.
        reader.read(np.zeros((256, 256), np.uint8), name="warm-up")
        self._ready = True

    def check(self, path: Path) -> Reader:
        """Load a bundle's file to see whether it can read.

        Raises:
            BundleError: It cannot be used.
        """
        from pneumoscope.model.reader import Reader  # noqa: PLC0415 - ONNX Runtime is slow to import

        return Reader(path, settings=self._settings)

    def reader(self, choice: Choice) -> Reader:
        """The reader of a choice; call it in a thread.

        Raises:
            UsageError: There is no such bundle, preset or coverage.
            BundleError: The bundle cannot be used.
        """
        return self._readers.get(choice)

    async def read(self, film: Film, choice: Choice, *, wait: bool = False) -> Outcome:
        """Read a film.

        Args:
            film: Its bytes are fetched by the worker.
            choice: How.
            wait: Wait for a place in the queue, as the second film of a folder does; else refuse at once.

        Raises:
            QueueFull: There is no place.
            UsageError: There is no such bundle, preset or coverage.
            BundleError: The bundle cannot be used.
        """
        while not self._enter():
            if not wait:
                raise QueueFull(self.retry_after())
            await asyncio.sleep(_PATIENCE)
        try:
            job = self._pool.submit(self._work, film, choice)
        except BaseException:
            self._leave()
            raise
        # Not when the caller goes away, but when the worker is done with the film, its place is free again.
        job.add_done_callback(lambda _: self._leave())
        return await asyncio.wrap_future(job)

    def retry_after(self) -> int:
        """Seconds until the queue should have room again: half of it, at the pace of the last films."""
        pace = sum(self._taken) / len(self._taken) if self._taken else 1.0
        return min(60, max(1, math.ceil(self.queue / 2 * pace / self.workers)))

    def close(self) -> None:
        """Finish the films in hand; those that wait are given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, film: Film, choice: Choice) -> Outcome:
        start = time.perf_counter()
        outcome = read_film(film, self._readers.get(choice), self._privacy)
        seconds = time.perf_counter() - start
        self._taken.append(seconds)
        self._metrics.reading(outcome.reading, seconds)
        return outcome

    def _enter(self) -> bool:
        with self._lock:
            if self._in_hand >= self.workers + self.queue:
                return False
            self._in_hand += 1
            return True

    def _leave(self) -> None:
        with self._lock:
            self._in_hand -= 1
