"""The chunks that workers take, and what becomes of those whose worker is lost."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from pneumoscope.scoring.outcome import Outcome, failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pneumoscope.scoring.outcome import Chunk

__all__ = ["ChunkQueue"]

_TRIES = 3


class ChunkQueue:
    """Gives each film out until it has an outcome; one that takes its worker with it again and again is given up.

    Args:
        chunks: Taken one by one, as workers are free: this is the back-pressure.
    """

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._again: deque[Chunk] = deque()
        self._lost: Counter[str] = Counter()

    def next(self) -> Chunk | None:
        """The next chunk; None if there is none for now."""
        return self._again.popleft() if self._again else next(self._chunks, None)

    def put_back(self, chunks: Sequence[Chunk]) -> None:
        """Chunks that a lost worker had not begun."""
        self._again.extend(chunks)

    def worker_lost(self, chunk: Chunk) -> list[Outcome]:
        """A worker was lost while it read this chunk: its films are tried again, each by itself.

        Returns:
            Outcomes of films that are given up.
        """
        given_up = []
        for film in chunk:
            self._lost[film.name] += 1
            if self._lost[film.name] < _TRIES:
                self._again.append([film])
            else:
                given_up.append(
                    failed(
                        film.name,
                        "worker-lost",
                        f"the process that read it ended {_TRIES} times (killed, or out of memory)",
                        "Look at the film by itself, or use fewer workers; the same command tries it again",
                    )
                )
        return given_up
