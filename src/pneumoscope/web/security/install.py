"""Put the guards before an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.web.security.answers import denied
from pneumoscope.web.security.denial import Denied
from pneumoscope.web.security.door import Door
from pneumoscope.web.security.headers import SecurityHeaders
from pneumoscope.web.security.policy import Policy
from pneumoscope.web.security.shield import Shield
from pneumoscope.web.security.state import Guards, guards_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from pneumoscope.web.context import Context

__all__ = ["first_run", "install", "local_address"]


def install(app: FastAPI, context: Context) -> None:
    """Put the guards before ``app``: headers outermost, then the shield, then the door.

    Call it last, before the application starts; the context's store is asked when requests come.

    Raises:
        ConfigError: The settings would leave the server open to the network.
    """
    policy = Policy.of(context.config)
    guards = Guards.of(policy)
    app.state.guards = guards
    app.add_exception_handler(Denied, _denied)
    app.add_middleware(Door, context=context, guards=guards)  # the last one added is the first one asked
    app.add_middleware(Shield, max_header_bytes=policy.max_header_bytes)
    app.add_middleware(SecurityHeaders, https=policy.https)


def first_run(app: FastAPI) -> str | None:
    """The code for the first administrator, to be shown once on the terminal, and never in a log.

    Call it when the store is open.

    Returns:
        None if there are users, or if the local token lets in.
    """
    guards = guards_of(app)
    context: Context = app.state.context
    if not guards.needs_code() or guards.has_users(context.worklist):
        return None
    return guards.first.issue()


def local_address(app: FastAPI, address: str) -> str:
    """The address to open on this machine: with the local token while it lets in, and never in a log.

    Call it when the store is open.
    """
    guards = guards_of(app)
    context: Context = app.state.context
    return f"{address}/?token={guards.local_token}" if guards.takes_local(context.worklist) else address


async def _denied(request: Request, error: Exception) -> Response:
    if not isinstance(error, Denied):
        raise error
    return denied(request, error)
