"""How many requests somebody may make: token buckets in the memory of this process, and never more than so many."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Buckets"]


class Buckets:
    """One bucket for each key: it holds ``burst`` tokens, a request takes one, and ``rate`` come back each second.

    Args:
        rate: Requests a second in the long run.
        burst: Requests at once.
        size: Buckets that are kept; the one that was not used for longest goes first.
        clock: Seconds, never going back.
    """

    def __init__(
        self, rate: float, burst: float, *, size: int = 20_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._size = size
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def take(self, key: str) -> float:
        """Take one token.

        Returns:
            0 if there was one; else the seconds until there will be.
        """
        with self._lock:
            now = self._clock()
            tokens, since = self._held.pop(key, (self.burst, now))
            tokens = min(self.burst, tokens + (now - since) * self.rate)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / self.rate
            self._held[key] = (tokens if wait else tokens - 1, now)
            if len(self._held) > self._size:
                self._held.popitem(last=False)
            return wait
