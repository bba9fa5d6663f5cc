"""Put the guards before an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.web.security.headers import SecurityHeaders
from pneumoscope.web.security.who import LOCAL

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["install"]


class _LocalOnly:
    """Everybody is the local administrator; stands here until the door is built."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope.setdefault("state", {})["identity"] = LOCAL
        await self.app(scope, receive, send)


def install(app: FastAPI, config: object) -> None:
    """Put the guards before ``app``. The context is taken from ``app.state.context`` when a request comes."""
    del config
    app.add_middleware(_LocalOnly)
    app.add_middleware(SecurityHeaders)
