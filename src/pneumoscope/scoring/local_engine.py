"""Worker processes on this machine, one film each at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from pneumoscope.errors import PneumoscopeError
from pneumoscope.scoring.chunk_queue import ChunkQueue
from pneumoscope.scoring.chunk_reader import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.outcome import Chunk, Outcome

__all__ = ["LocalEngine"]

_AHEAD = 2  # chunks in a worker's hands: it has the next one while its rows are on their way
_STARTS = 3  # that may fail in a row before the run gives up
_PATIENCE = 10.0  # seconds that a worker has to end by itself


class LocalEngine:
    """Processes, not threads: checks hold the interpreter's lock, and a worker that dies takes no other with it.

    Args:
        spec: Of the readers.
        workers: How many.
        make: What reads, made in each worker; to be swapped in tests.
    """

    def __init__(self, spec: ReaderSpec, workers: int, make: Callable[[ReaderSpec], ChunkReader] = ChunkReader) -> None:
        self._spec, self._count, self._make = spec, workers, make

    def run(self, chunks: Iterator[Chunk]) -> Iterator[list[Outcome]]:
        """Read chunks as they come; outcomes come in any order.

        Raises:
            PneumoscopeError: Workers cannot start.
        """
        queue = ChunkQueue(chunks)
        workers: list[_Worker] = []
        bad_starts = 0
        try:
            while True:
                _feed(workers, queue)
                while len(workers) < self._count and (chunk := queue.next()) is not None:
                    worker = self._start()
                    workers.append(worker)
                    worker.give(chunk)
                if not any(worker.chunks for worker in workers):
                    return
                wait([handle for worker in workers for handle in (worker.pipe, worker.process.sentinel)])
                for worker in list(workers):
                    yield from worker.take()
                    if not worker.lost:
                        continue
                    workers.remove(worker)
                    bad_starts = 0 if worker.ready else bad_starts + 1
                    if bad_starts > _STARTS:
                        raise PneumoscopeError(
                            "the worker processes end as they start", remedy="Use fewer workers: memory may be short"
                        )
                    yield from _sort_out(worker, queue)
        finally:
            for worker in workers:
                worker.end()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._spec, self._make), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _feed(workers: list[_Worker], queue: ChunkQueue) -> None:
    """Give chunks to all workers in turn, so that each has one before any has two."""
    for depth in range(1, _AHEAD + 1):
        for worker in workers:
            if len(worker.chunks) < depth:
                chunk = queue.next()
                if chunk is None:
                    return
                worker.give(chunk)


def _sort_out(worker: _Worker, queue: ChunkQueue) -> Iterator[list[Outcome]]:
    """What a lost worker had in hand: the first chunk was being read, the others were waiting."""
    held = list(worker.chunks)
    worker.end()
    if not worker.ready:
        queue.put_back(held)
        return
    queue.put_back(held[1:])
    given_up = queue.worker_lost(held[0]) if held else []
    if given_up:
        yield given_up


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    chunks: deque[Chunk] = field(default_factory=deque)
    ready: bool = False
    lost: bool = False

    def give(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        try:
            self.pipe.send(chunk)
        except OSError:  # it has gone; its sentinel tells
            self.lost = True

    def take(self) -> Iterator[list[Outcome]]:
        """All outcomes that have come, also the last ones of a worker that ended since."""
        ended = not self.process.is_alive()
        try:
            while self.pipe.poll():
                said = self.pipe.recv()
                if isinstance(said, BaseException):
                    raise said
                if said is None:
                    self.ready = True
                else:
                    self.chunks.popleft()
                    yield said
        except (EOFError, OSError):
            ended = True
        self.lost = self.lost or ended

    def end(self) -> None:
        self.pipe.close()
        if self.chunks or not self.ready:
            self.process.terminate()  # nobody waits for what it reads
        self.process.join(_PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


def _work(pipe: Connection, spec: ReaderSpec, make: Callable[[ReaderSpec], ChunkReader]) -> None:
    """A worker's life: it ends when the other end of its pipe does, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that writes
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff and others complain past Python; the reading says it better
    try:
        reader = make(spec)
    except PneumoscopeError as error:
        pipe.send(error)
        return
    try:
        pipe.send(None)
        while True:
            pipe.send(reader.read(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
