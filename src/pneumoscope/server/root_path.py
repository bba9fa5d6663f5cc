"""Serving below a path of a host: ``https://hospital.example/pneumoscope/`` behind a proxy.

The application itself knows only paths from its own root. This layer takes the prefix off on the way in, whether the
proxy has taken it off or not, and puts it before the addresses that go out: ``Location``, and links in pages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from pneumoscope.errors import ConfigError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["RootPath", "checked_root_path", "prefix_links"]

_FORM = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_LINKS = re.compile(rb'\b(href|src|action|formaction)="/(?!/)')


def checked_root_path(text: str) -> str:
    """A prefix as it is used: "" for the root of the host, else "/name" without a slash at the end.

    Raises:
        ConfigError: It is no path.
    """
    path = text.strip().rstrip("/")
    if path and _FORM.fullmatch(path) is None:
        raise ConfigError(f"{text!r} is no path", where="root_path", remedy="Give it as /pneumoscope")
    return path


def prefix_links(html: bytes, base: str) -> bytes:
    """Put a prefix before the links of a page.

    What a person has typed cannot look like one: its quotation marks are escaped.
    """
    return _LINKS.sub(rb'\1="%b/' % base.encode("ascii"), html) if base else html


class RootPath:
    """Takes the prefix off what comes in, and puts it before what goes out.

    Args:
        app: What answers.
        base: The prefix; "" does nothing.
    """

    def __init__(self, app: ASGIApp, *, base: str) -> None:
        self.app = app
        self.base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not self.base:
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path == self.base or path.startswith(f"{self.base}/"):
            raw = scope.get("raw_path") or path.encode()
            taken = {"path": path[len(self.base) :] or "/", "raw_path": raw[len(self.base) :] or b"/"}
            scope = {**scope, **taken}
        scope.setdefault("state", {})["base"] = self.base

        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                target = headers.get("location", "")
                if target.startswith("/") and not target.startswith("//"):
                    headers["location"] = self.base + target
            await send(message)

        await self.app(scope, receive, send_prefixed)
