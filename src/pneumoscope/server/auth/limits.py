"""Limits: requests a minute, and bytes of a body."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect

from pneumoscope.server.auth.identity import Denied

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers
    from starlette.types import Message, Receive

__all__ = ["RateLimiter", "boundary_of", "csrf_in_form", "csrf_in_parts", "is_urlencoded", "limit_body"]


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


_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 64 * 2**10
_FIELDS = 50
_HEAD_BYTES = 2 * 2**10  # of a form with files: where its first field must have ended
_BOUNDARY = re.compile(r'multipart/form-data *; *boundary="?([-0-9A-Za-z\'()+_,./:=?]{1,70})"? *', re.IGNORECASE)


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


def is_urlencoded(headers: Headers) -> bool:
    """Whether the body is a plain form (not multipart, which may hold films)."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def csrf_in_form(receive: Receive) -> tuple[str, Receive]:
    """Read a plain form, take its field ``csrf``, and give the body back to be read again.

    Raises:
        Denied: The form is too large, or holds too many fields.
        ClientDisconnect: The browser has gone.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _FORM_BYTES:
            raise _too_large(_FORM_BYTES)
    try:
        values = parse_qs(body.decode("ascii"), max_num_fields=_FIELDS).get("csrf", [])
    except ValueError:
        raise Denied(400, "form", "this is not a form of ours", "Load the page again") from None
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return (values[0] if len(values) == 1 else ""), again


def boundary_of(headers: Headers) -> str:
    """What stands between the parts of a form with files; empty if the body is none."""
    found = _BOUNDARY.fullmatch(headers.get("content-type", ""))
    return found[1] if found else ""


async def csrf_in_parts(receive: Receive, boundary: str) -> tuple[str, Receive]:
    """Take the field ``csrf`` of a form with files, where it must be the first, and give the body back from its start.

    Only the head of the body is held; the files behind it go on to the route as they come.

    Raises:
        ClientDisconnect: The browser has gone.
    """
    line = re.escape(f"--{boundary}".encode("ascii"))
    first = re.compile(
        rb'%b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n([!-~]{1,256})\r\n%b' % (line, line), re.IGNORECASE
    )
    held: list[Message] = []
    head, found = b"", None
    while found is None and len(head) < _HEAD_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        held.append(message)
        head += message.get("body", b"")
        found = first.match(head[:_HEAD_BYTES])
        if not message.get("more_body", False):
            break

    async def again() -> Message:
        return held.pop(0) if held else await receive()

    return (found[1].decode("ascii") if found else ""), again


def _too_large(most: int) -> Denied:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return Denied(413, "too-large", f"the body is larger than {size}", "Send less at once", {"Connection": "close"})
