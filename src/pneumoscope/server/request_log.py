"""The server's log: one line a request, and one line a failure, as text or as JSON.

A line never holds the query of an address (it may hold a token or a name), nor anything of a film.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AccessLog", "JsonLines", "TextLines", "configure_logging"]

_LOG = logging.getLogger("pneumoscope.server.access")
_FIELDS = ("request", "user", "method", "route", "status", "milliseconds")
_QUIET = ("/static/", "/healthz", "/readyz", "/favicon.ico", "/metrics")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLines(logging.Formatter):
    """``2026-12-01T08:00:00.123Z INFO request=... user=ada GET /api/v1/studies/{study} 200 12.3 ms``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback, where there is one, below it."""
        line = f"{_time(record)} {record.levelname} {_plain(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and of a request its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever happened."""
        told: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        told |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        told |= {name: _json_value(value) for name, value in getattr(record, "fields", {}).items()}
        told["message"] = record.getMessage()
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told)


def configure_logging(log_format: str) -> None:
    """Send the log of the server to standard error, from INFO on; call it once, when a process becomes a server."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    log = logging.getLogger("pneumoscope")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


class AccessLog:
    """Writes a line for each request: its number, who asked, the route, the status, the milliseconds."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write down what became of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        scope.setdefault("state", {})
        try:
            await self.app(scope, receive, counted)
        finally:
            level = logging.DEBUG if scope["path"].startswith(_QUIET) and status < 500 else logging.INFO
            if _LOG.isEnabledFor(level):
                self._write(level, scope, status, 1000 * (time.perf_counter() - began))

    @staticmethod
    def _write(level: int, scope: Scope, status: int, milliseconds: float) -> None:
        state = scope["state"]
        who = state.get("identity")
        route = getattr(scope.get("route"), "path", None) or _plain(scope["path"])[:200]
        values: dict[str, Any] = {
            "request": state.get("request_id", ""),
            "user": getattr(who, "name", None) or "nobody",
            "method": _plain(scope["method"])[:10],
            "route": route,
            "status": status,
            "milliseconds": round(milliseconds, 1),
        }
        words = "request={request} user={user} {method} {route} {status} {milliseconds} ms"
        _LOG.log(level, "%s", words.format(**values), extra=values)


def _json_value(value: object) -> object:
    return value if isinstance(value, int | float | bool | None) else str(value)


def _plain(text: str) -> str:
    """Text that cannot begin a line of its own in the log."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
