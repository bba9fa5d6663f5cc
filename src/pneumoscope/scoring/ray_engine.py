"""Worker actors on a Ray cluster: one a CPU, as many chunks on their way as they can take, nodes that may be lost."""

from __future__ import annotations

import importlib
import tempfile
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import PneumoscopeError
from pneumoscope.scoring.chunk_queue import ChunkQueue
from pneumoscope.scoring.chunk_reader import ChunkReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.scoring.chunk_reader import ReaderSpec
    from pneumoscope.scoring.outcome import Chunk, Outcome

__all__ = ["RayEngine"]

_AHEAD = 2  # chunks in an actor's hands
_TURN = 1.0  # seconds between looks at the cluster, for nodes that came or went
_STARTS = 8  # actors in a row that may be lost before they are ready


class RayEngine:
    """The bundle travels with the actors; films must be reachable from each node by the same path or URL.

    Only the process that asked writes the table, so that a lost node takes no part of it. The chunk that a lost actor
    had in hand is read by another one; actors of new nodes join as the cluster grows.

    Args:
        spec: Of the readers.
        workers: Actors at most; None for one a CPU of the cluster, followed as it grows.
        address: Of the cluster; None for RAY_ADDRESS, or a cluster of this machine that ends with the run.
    """

    def __init__(self, spec: ReaderSpec, workers: int | None, address: str | None) -> None:
        self._spec, self._workers, self._address = spec, workers, address

    def run(self, chunks: Iterator[Chunk]) -> Iterator[list[Outcome]]:
        """Read chunks as they come; outcomes come in any order.

        Raises:
            PneumoscopeError: The cluster cannot be reached, or its actors cannot start.
        """
        ray = importlib.import_module("ray")
        ours = not ray.is_initialized()
        if ours:
            try:
                ray.init(address=self._address, log_to_driver=False, logging_level=40, include_dashboard=False)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise PneumoscopeError(
                    f"the Ray cluster cannot be reached ({str(error).splitlines()[0]})",
                    where=self._address,
                    remedy="Start it with: ray start --head, or give its --ray-address",
                ) from error
        try:
            yield from _Actors(ray, self._spec, self._workers).run(ChunkQueue(chunks))
        finally:
            if ours:
                ray.shutdown()


@dataclass
class _Actor:
    handle: Any
    starting: Any  # the answer that says it is ready; None once it has come
    chunks: deque[tuple[Any, Chunk]] = field(default_factory=deque)


class _Actors:
    def __init__(self, ray: Any, spec: ReaderSpec, workers: int | None) -> None:
        self._ray, self._workers = ray, workers
        self._bundle = ray.put(spec.bundle.read_bytes())
        self._spec = spec
        self._class = ray.remote(num_cpus=1, max_restarts=0)(RemoteReader)
        self._actors: list[_Actor] = []
        self._bad_starts = 0

    def run(self, queue: ChunkQueue) -> Iterator[list[Outcome]]:
        """Until every film has its outcome."""
        ray = self._ray
        try:
            while True:
                self._hire()
                self._feed(queue)
                answers = [actor.starting for actor in self._actors if actor.starting is not None]
                answers += [answer for actor in self._actors for answer, _ in actor.chunks]
                if not any(actor.chunks for actor in self._actors) and not self._more(queue):
                    return
                if answers:
                    ray.wait(answers, num_returns=1, timeout=_TURN)
                for actor in list(self._actors):
                    yield from self._take(actor, queue)
        finally:
            for actor in self._actors:
                ray.kill(actor.handle)

    def _more(self, queue: ChunkQueue) -> bool:
        """Whether a chunk is left; it is put back."""
        chunk = queue.next()
        if chunk is not None:
            queue.put_back([chunk])
        return chunk is not None

    def _hire(self) -> None:
        """As many actors as the cluster has CPUs today."""
        room = int(self._ray.cluster_resources().get("CPU", 0))
        wanted = max(1, room if self._workers is None else min(self._workers, room))
        while len(self._actors) < wanted:
            handle = self._class.remote(self._spec, self._bundle)
            self._actors.append(_Actor(handle, handle.ready.remote()))

    def _feed(self, queue: ChunkQueue) -> None:
        ready = [actor for actor in self._actors if actor.starting is None]
        for depth in range(1, _AHEAD + 1):
            for actor in ready:
                if len(actor.chunks) < depth:
                    chunk = queue.next()
                    if chunk is None:
                        return
                    actor.chunks.append((actor.handle.read.remote(chunk), chunk))

    def _take(self, actor: _Actor, queue: ChunkQueue) -> Iterator[list[Outcome]]:
        """What has come from one actor; one that was lost is let go and its chunks are given out again."""
        ray = self._ray
        try:
            if actor.starting is not None and self._here(actor.starting):
                ray.get(actor.starting)
                actor.starting, self._bad_starts = None, 0
            while actor.chunks and self._here(actor.chunks[0][0]):
                outcomes = ray.get(actor.chunks[0][0])
                actor.chunks.popleft()
                yield outcomes
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, PneumoscopeError) else error from None
        except ray.exceptions.RayError as error:  # the actor, its node, or what it had answered was lost
            self._actors.remove(actor)
            self._bad_starts += actor.starting is not None
            if self._bad_starts > _STARTS:
                raise PneumoscopeError(
                    f"the workers of the Ray cluster cannot start ({str(error).splitlines()[0]})",
                    remedy="Install pneumoscope, of the same version, on every node",
                ) from error
            held = [chunk for _, chunk in actor.chunks]
            queue.put_back(held[1:])
            given_up = queue.worker_lost(held[0]) if held else []
            if given_up:
                yield given_up

    def _here(self, answer: Any) -> bool:
        return bool(self._ray.wait([answer], timeout=0)[0])


class RemoteReader:
    """A reader on a node of the cluster.

    Args:
        spec: Of the reader; its bundle's path is of the machine that asked.
        bundle: The bundle's bytes.
    """

    def __init__(self, spec: ReaderSpec, bundle: bytes) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pneumoscope-")
        path = Path(self._folder.name) / spec.bundle.name
        path.write_bytes(bundle)
        self._reader = ChunkReader(replace(spec, bundle=path))

    def ready(self) -> bool:
        """Answers when the bundle is loaded."""
        return True

    def read(self, chunk: Chunk) -> list[Outcome]:
        """Read a chunk."""
        return self._reader.read(chunk)
