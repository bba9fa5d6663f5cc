"""Limits: requests a minute, and bytes of a body."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from pneumoscope.server.auth.identity import Denied

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers
    from starlette.types import Message, Receive

__all__ = ["RateLimiter", "limit_body"]


class RateLimiter:
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

    def give_back(self, key: str) -> None:
        """Give a token back: what it was taken for does not count."""
        with self._lock:
            if key in self._held:
                tokens, since = self._held[key]
                self._held[key] = (min(self.burst, tokens + 1), since)

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


def limit_body(receive: Receive, headers: Headers, most: int) -> Receive:
    """Let no more than ``most`` bytes in, whether the length was told before or not.

    Raises:
        Denied: The length that was told is larger; or, while the body comes, it grows larger.
    """
    told = headers.get("content-length")
    if told is not None and (not told.isdecimal() or len(told) > 18):
        raise Denied(400, "length", "the length of the body is no number", "Send Content-Length as digits")
    if told is not None and int(told) > most:
        raise _too_large(most)
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large(most)
        return message

    return counted


def _too_large(most: int) -> Denied:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return Denied(413, "too-large", f"the body is larger than {size}", "Send less at once", {"Connection": "close"})
