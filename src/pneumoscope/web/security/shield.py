"""The outermost layer: a number for every request, limits on its head, and no failure that tells about our inside.

The traceback of an unexpected failure goes to the log with the request's number; the person is told the number alone.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request

from pneumoscope.web.security.answers import denied
from pneumoscope.web.security.denial import Denied

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Shield"]

_log = logging.getLogger("pneumoscope.web")
_MOST_HEADERS = 100


class Shield:
    """Numbers requests and catches what nothing else caught.

    Args:
        app: What answers.
        max_header_bytes: Of all header lines together.
    """

    def __init__(self, app: ASGIApp, *, max_header_bytes: int) -> None:
        self.app = app
        self.max_header_bytes = max_header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its number."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Ours and never the caller's: a number that somebody else chooses can be made to lie in the log.
        number = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number
        started = False

        async def send_numbered(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message)["X-Request-ID"] = number
            await send(message)

        size = sum(len(name) + len(value) for name, value in scope["headers"])
        try:
            if size > self.max_header_bytes or len(scope["headers"]) > _MOST_HEADERS:
                raise Denied(431, "headers", "the header lines of this request are too large")  # noqa: TRY301
            await self.app(scope, receive, send_numbered)
        except Exception as error:
            if started:
                raise  # the connection breaks off, so that half an answer is not taken for a whole one
            no = error if isinstance(error, Denied) else _unexpected(scope, number, error)
            await denied(Request(scope), no)(scope, receive, send_numbered)


def _unexpected(scope: Scope, number: str, error: Exception) -> Denied:
    if isinstance(error, HTTPException):
        return Denied(error.status_code, "http", str(error.detail), headers=error.headers)
    _log.error("request %s: %s failed", number, scope["method"], exc_info=error)
    return Denied(500, "internal", "the server failed", f"Tell the administrator the number {number}")
