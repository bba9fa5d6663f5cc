"""Run the server until it is told to stop."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from pneumoscope.errors import PneumoscopeError, UsageError
from pneumoscope.server.app import create_app, first_run_code, local_address
from pneumoscope.server.request_log import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from fastapi import FastAPI

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.node.config import NodeConfig

__all__ = ["Started", "run"]

_GRACE = 60  # seconds that readings in hand have after a signal
_MAX_HEAD_BYTES = 65536  # bytes of a request's head; the guards say no to large ones in words
_BACKLOG = 512  # connections that may wait to be taken
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Started:
    """What a person is told when the server is up.

    Attributes:
        address: Where the web application is.
        entrance: The address to open: with the local token while there are no users.
        code: For the first administrator, shown once; None if none is needed.
    """

    def __init__(self, address: str, entrance: str, code: str | None) -> None:
        self.address, self.entrance, self.code = address, entrance, code


class _Server(uvicorn.Server):
    """Says when it has started, and lets what is in hand finish when it is told to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._started = app, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
            self._started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Streams would never end by themselves."""
        self._app.state.context.closing = True
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does it, but a server that was asked to stop and did has done well: exit 0."""
        before = {each: signal.signal(each, self.handle_exit) for each in _SIGNALS}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def run(config: WebConfig, started: Callable[[Started], None], node: NodeConfig | None = None) -> None:
    """Serve until SIGINT or SIGTERM; readings in hand are finished.

    Args:
        config: The settings; port 0 takes a free one.
        started: Called when the server answers.
        node: Of a DICOM node in the same process; None for none.

    Raises:
        UsageError: The port is taken, or the address is not of this machine.
        PneumoscopeError: The database, the films or the data folder cannot be opened.
    """
    door = _bind(config.host, config.port)
    port = int(door.getsockname()[1])
    config = replace(config, port=port)
    app = create_app(config, node)
    host = f"[{config.host}]" if ":" in config.host else config.host

    def up() -> None:
        address = f"http://{host}:{port}"
        started(Started(address, local_address(app, address), first_run_code(app)))

    configure_logging(config.log_format)
    for unknown in type(config).unknown_variables():
        logging.getLogger(__name__).warning("the variable %s names no setting and is ignored", unknown)
    os.umask(0o077)  # films, thumbnails and bundles are nobody else's business
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what fails at the start is told as one line, below
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            timeout_graceful_shutdown=_GRACE,
        ),
        app,
        up,
    )
    try:
        server.run(sockets=[door])
    except SystemExit:  # uvicorn's way to say that the start failed
        failed: PneumoscopeError | None = app.state.context.failed
        if failed is None:
            raise
        raise failed from None
    finally:
        door.close()


def _bind(host: str, port: int) -> socket.socket:
    """Take the port, or say why not."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise UsageError(
            "there is no such address", where=host, remedy="Give one of this machine's addresses"
        ) from error
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise UsageError("the port is taken", where=where, remedy="Give another one: --port 0 finds one") from error
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"this address cannot be used ({reason})", where=where, remedy="Give another one") from error
    return door
