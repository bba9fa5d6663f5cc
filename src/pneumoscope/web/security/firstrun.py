"""The code that makes the first administrator of a server that others can reach: shown once, on the terminal."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FirstRun"]

_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that is read as another
_GROUPS, _GROUP = 4, 4  # 16 letters of 30: 78 bits
_TRIES = 5
_SECONDS = 30 * 60.0


class FirstRun:
    """One code at a time: it works once, within half an hour, and five wrong ones end it.

    Only its hash is kept, in the memory of this process. A new one comes with the next start of the server.

    Args:
        clock: Seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: bytes | None = None
        self._until = 0.0
        self._tries = 0
        self._lock = threading.Lock()

    def issue(self) -> str:
        """A new code; the one before it does not work any more."""
        groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
        code = "-".join(groups)
        with self._lock:
            self._kept, self._until, self._tries = _hashed(code), self._clock() + _SECONDS, _TRIES
        return code

    @property
    def open(self) -> bool:
        """Whether there is a code that works."""
        with self._lock:
            return self._kept is not None and self._tries > 0 and self._clock() < self._until

    def check(self, code: str) -> bool:
        """Whether this is the code. A wrong one takes a try."""
        with self._lock:
            if self._kept is None or self._tries <= 0 or self._clock() >= self._until:
                return False
            self._tries -= 1
            return hmac.compare_digest(self._kept, _hashed(code))

    def spend(self) -> None:
        """The first administrator is there: the code has done its work."""
        with self._lock:
            self._kept = None


def _hashed(code: str) -> bytes:
    return hashlib.sha256("".join(code.split()).replace("-", "").upper().encode()).digest()
