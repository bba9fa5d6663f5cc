"""The outermost middleware: request numbers, security headers, and failures that tell nothing about our inside.

The policy allows no inline script and no inline style: text that finds its way into a page stays text.

References:
    CSP Level 3 (W3C); OWASP Secure Headers Project; Fetch Metadata and COOP/CORP (WHATWG HTML, Fetch).

The traceback of an unexpected failure goes to the log with the request's number; the person is told the number alone.
"""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from pneumoscope.server.auth.identity import Denied
from pneumoscope.server.error_responses import denied_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_SECURITY_POLICY", "ErrorMiddleware", "SecurityHeaders"]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

_ALWAYS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), display-capture=()"
    ),
    "X-Robots-Tag": "noindex, nofollow",
}
_HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds the headers to every answer, in place of what a route has set.

    A route may only bring a policy that allows less: nothing by default, no script at all (a report's own page).

    Args:
        app: What answers.
        https: Every person comes over https, also if the last step to us is plain (a proxy).
    """

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; write into the answer's head."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = headers.get("Content-Security-Policy", "")
                for name, value in _ALWAYS.items():
                    headers[name] = value
                if _stricter(own):
                    headers["Content-Security-Policy"] = own
                if self.https or scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = _HSTS
                # What a person saw must not stay in a shared cache; routes of films and static files say otherwise.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _stricter(policy: str) -> bool:
    told = policy.lower()
    loose = ("script-src", "unsafe", "*", "http:", "https:", "frame-src", "connect-src", "object-src")
    return (
        told.startswith("default-src 'none';")
        and "frame-ancestors 'none'" in told
        and not any(word in told for word in loose)
    )


_log = logging.getLogger("pneumoscope.server")
_MOST_HEADERS = 100


class ErrorMiddleware:
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
        except ClientDisconnect:
            _log.warning("request=%s %s broke off before its body was whole", number, scope["method"])
        except Exception as error:
            if started:
                raise  # the connection breaks off, so that half an answer is not taken for a whole one
            no = error if isinstance(error, Denied) else _unexpected(scope, number, error)
            await denied_response(Request(scope), no)(scope, receive, send_numbered)


def _unexpected(scope: Scope, number: str, error: Exception) -> Denied:
    if isinstance(error, HTTPException):
        return Denied(error.status_code, "http", str(error.detail), headers=error.headers)
    _log.error("request %s: %s failed", number, scope["method"], exc_info=error)
    return Denied(500, "internal", "the server failed", f"Tell the administrator the number {number}")
