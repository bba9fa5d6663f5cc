"""Bodies of requests: not larger than allowed, and the CSRF value out of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect

from pneumoscope.web.security.denial import Denied

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Message, Receive

__all__ = ["bounded", "csrf_in_form", "is_form"]

_FORM = "application/x-www-form-urlencoded"
_FORM_BYTES = 64 * 2**10
_FIELDS = 50


def bounded(receive: Receive, headers: Headers, most: int) -> Receive:
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


def is_form(headers: Headers) -> bool:
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


def _too_large(most: int) -> Denied:
    size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return Denied(413, "too-large", f"the body is larger than {size}", "Send less at once", {"Connection": "close"})
