"""Reads the films of the queue: a study when it is stable, each film once, its results into the queue in one step."""

from __future__ import annotations

import asyncio
import heapq
import logging
import threading
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from pneumoscope import __version__
from pneumoscope.errors import BundleError, PneumoscopeError, StorageError
from pneumoscope.server.context import NotReady
from pneumoscope.server.engine.job import Choice, Film, Outcome
from pneumoscope.server.intake.filing import Sender, StoredReading, find_stored, store_outcome
from pneumoscope.server.intake.upload import anonymous_name
from pneumoscope.server.node.log import short, tell
from pneumoscope.server.node.results import results_of
from pneumoscope.server.store.records import Examination
from pneumoscope.types.radiograph import FilmInfo
from pneumoscope.types.reading import ModelRef, Reading, Refusal, Software

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.server.context import Context
    from pneumoscope.server.node.config import NodeConfig
    from pneumoscope.server.node.queue import Queue, QueuedFilm

__all__ = ["Schedule", "Workers"]

_LONGEST_WAIT = 10.0  # times the time of stability: a study that never ends is read all the same
_ATTEMPTS = 10  # of one film; kills count, and so does a decoder that takes the process with it
_PAUSE = 5.0  # seconds after trouble that is not the film's


@dataclass(slots=True)
class _Arriving:
    """A study whose films may not all be here: its films, when the first and the last of them came."""

    films: list[int] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0


class Schedule:
    """Which film is read next. Times are those of a clock that nobody sets (``time.monotonic``).

    Args:
        stable: Seconds without a new film after which a study is read.
    """

    def __init__(self, stable: float) -> None:
        self._stable = stable
        self._studies: dict[str, _Arriving] = {}
        self._ready: list[int] = []
        self._later: list[tuple[float, int]] = []
        self._changed = threading.Condition()
        self._closed = False

    def arrived(self, number: int, study: str) -> None:
        """A film has come."""
        now = time.monotonic()
        with self._changed:
            arriving = self._studies.setdefault(study, _Arriving(first=now))
            arriving.films.append(number)
            arriving.last = now
            self._changed.notify()

    def again(self, number: int, seconds: float) -> None:
        """A film is to be tried again after so many seconds."""
        with self._changed:
            heapq.heappush(self._later, (time.monotonic() + seconds, number))
            self._changed.notify()

    def next(self) -> int | None:
        """The film to read: waits until there is one; None when the schedule is closed."""
        with self._changed:
            while not self._closed:
                wait = self._settle(time.monotonic())
                if self._ready:
                    return heapq.heappop(self._ready)
                self._changed.wait(wait)
        return None

    @property
    def closed(self) -> bool:
        """Whether nothing more is to be read."""
        return self._closed

    def close(self) -> None:
        """Let everybody go who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _settle(self, now: float) -> float | None:
        """Move what is due to the films that are ready; seconds until more is."""
        due = None
        for study, arriving in list(self._studies.items()):
            at = min(arriving.last + self._stable, arriving.first + _LONGEST_WAIT * self._stable)
            if at <= now:
                for number in self._studies.pop(study).films:
                    heapq.heappush(self._ready, number)
            else:
                due = at if due is None else min(due, at)
        while self._later and self._later[0][0] <= now:
            heapq.heappush(self._ready, heapq.heappop(self._later)[1])
        if self._later:
            due = self._later[0][0] if due is None else min(due, self._later[0][0])
        if self._ready:
            self._changed.notify()
        return None if due is None else max(0.0, due - now)


class Workers:
    """Threads that read: as many as the engine has.

    Args:
        context: Of the server: its engine and worklist.
        loop: In which the engine is asked.
        queue: Of the node.
        config: Its settings.
        schedule: Says which film is next.
        secret: Key of the hashes by which the log calls films.
        ready: Told when there are results to send.
    """

    def __init__(
        self,
        context: Context,
        loop: asyncio.AbstractEventLoop,
        queue: Queue,
        config: NodeConfig,
        schedule: Schedule,
        *,
        secret: bytes,
        ready: Callable[[], object],
    ) -> None:
        self._context, self._loop, self._queue, self._config = context, loop, queue, config
        self._schedule, self._secret, self._ready = schedule, secret, ready
        self._threads = [
            threading.Thread(target=self._work, name=f"node-read-{number}", daemon=True)
            for number in range(context.engine.workers)
        ]

    def open(self) -> None:
        """Take up what waits, and begin."""
        for number, study in self._queue.waiting():
            self._schedule.arrived(number, study)
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the films in hand."""
        for thread in self._threads:
            thread.join(seconds)

    def _work(self) -> None:
        while (number := self._schedule.next()) is not None:
            try:
                self._read(number)
            except Exception as error:  # noqa: BLE001 - the film stays in the queue, and others go on
                told = error if isinstance(error, PneumoscopeError) else type(error).__name__
                tell(logging.WARNING, "a film could not be read now", number=number, error=told)
                self._schedule.again(number, _PAUSE)

    def _read(self, number: int) -> None:
        self._wait_for_engine()  # an attempt is one to read: a kill while the bundle loads is not the film's fault
        film = self._queue.begin(number)
        if film is None:
            return
        start = time.perf_counter()
        key = short(film.instance, self._secret)
        try:
            data = film.path.read_bytes()
        except FileNotFoundError:
            self._queue.finish(film, reading=None, results=(), destinations=())
            tell(logging.ERROR, "the file of a film is gone", film=key)
            return
        except OSError as error:
            raise StorageError("the film cannot be read from the disk") from error
        filed, outcome = self._filed(film, data)
        row = self._context.worklist.studies.reading(filed.reading_id)
        send = self._config.send_to if film.purpose == "send" else ()
        radiograph = None if outcome is None else outcome.radiograph
        results = results_of(self._context, row, data, self._config.results, radiograph) if send else []
        self._queue.finish(film, reading=filed.reading_id, results=results, destinations=send)
        self._context.changed()
        self._ready()
        took = f"{time.perf_counter() - start:.2f}"
        tell(
            logging.INFO,
            "read",
            film=key,
            study=filed.study,
            outcome=row.document["status"],
            results=len(results),
            took=took,
        )

    def _wait_for_engine(self) -> None:
        """Wait until the bundle in use is loaded.

        Raises:
            BundleError: It cannot be.
        """
        while not self._context.engine.ready:
            if self._context.trouble is not None:
                self._context.look_again()
                if self._context.trouble is not None:
                    raise self._context.trouble
            if self._schedule.closed:
                raise NotReady("the server is stopping")
            time.sleep(0.05)

    def _filed(self, film: QueuedFilm, data: bytes) -> tuple[StoredReading, Outcome | None]:
        """The reading in the worklist: the one that is there, or a new one."""
        choice = Choice()
        digest = sha256(data).hexdigest()
        filed = find_stored(self._context, digest, choice)
        if filed is not None:
            return filed, None
        if film.attempts > _ATTEMPTS:
            outcome = self._given_up(digest)
        else:
            asked = self._context.engine.read(Film.of(data, film.path.name), choice, wait=True)
            try:
                outcome = asyncio.run_coroutine_threadsafe(asked, self._loop).result()
            except BundleError:
                self._context.look_again()
                raise
        return store_outcome(self._context, outcome, choice, Sender("node", "node")), outcome

    def _given_up(self, digest: str) -> Outcome:
        """The reading of a film that ended the program again and again: refused."""
        refusal = Refusal(
            code="reader-failed",
            reason=f"the film could not be read in {_ATTEMPTS} tries",
            remedy="Send it to whoever keeps this server",
        )
        known = self._context.bundles.get(None)
        model = ModelRef(name=known.meta.name, version=known.meta.version, sha256=known.sha256)
        reading = Reading(
            film=FilmInfo(path=anonymous_name(digest, {}), sha256=digest),
            status="refused",
            software=Software(name="pneumoscope", version=__version__),
            model=model,
            refusal=refusal,
        )
        return Outcome(reading, None, b"", Examination(), {}, b"", 0.0)
