"""The application: its routers in one list, behind the middleware, from the server's start to its stop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from pneumoscope import __version__
from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.api.accounts import router as accounts_router
from pneumoscope.server.api.bundles import router as bundles_router
from pneumoscope.server.api.dicomweb import router as dicomweb_router
from pneumoscope.server.api.films import router as films_router
from pneumoscope.server.api.openapi import install_openapi
from pneumoscope.server.api.openapi import router as reference_router
from pneumoscope.server.api.read import router as read_router
from pneumoscope.server.api.reader_studies import router as reader_studies_router
from pneumoscope.server.api.reader_study_reading import router as reader_study_reading_router
from pneumoscope.server.api.reports import router as reports_router
from pneumoscope.server.api.studies import router as studies_router
from pneumoscope.server.api.system import events_router, health_router, usage_router
from pneumoscope.server.auth.error_middleware import ErrorMiddleware, SecurityHeaders
from pneumoscope.server.auth.identity import Denied
from pneumoscope.server.auth.middleware import AuthMiddleware
from pneumoscope.server.auth.policy import Policy
from pneumoscope.server.auth.state import AuthState, auth_state
from pneumoscope.server.context import Context
from pneumoscope.server.data_folder import local_token
from pneumoscope.server.error_responses import denied_response, install_error_handlers
from pneumoscope.server.pages.account import router as account_page_router
from pneumoscope.server.pages.admin import router as admin_page_router
from pneumoscope.server.pages.dashboard import router as dashboard_router
from pneumoscope.server.pages.login import router as login_router
from pneumoscope.server.pages.models import router as models_page_router
from pneumoscope.server.pages.read import router as read_page_router
from pneumoscope.server.pages.read import viewer_router
from pneumoscope.server.pages.reader_studies import router as reader_studies_page_router
from pneumoscope.server.pages.render import assets_router
from pneumoscope.server.pages.study import router as study_page_router
from pneumoscope.server.pages.worklist import router as worklist_page_router
from pneumoscope.server.request_log import AccessLog
from pneumoscope.server.root_path import RootPath
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.node.config import NodeConfig

__all__ = ["create_app", "first_run_code", "install_auth", "local_address"]

_ROUTERS = (
    read_router,
    studies_router,
    films_router,
    reports_router,
    dicomweb_router,
    reader_studies_router,
    reader_study_reading_router,
    bundles_router,
    usage_router,
    events_router,
    health_router,
    reference_router,
    login_router,
    accounts_router,
    assets_router,
    read_page_router,
    viewer_router,
    worklist_page_router,
    study_page_router,
    reader_studies_page_router,
    models_page_router,
    dashboard_router,
    account_page_router,
    admin_page_router,
)
"""The API, the login, the pages."""


def create_app(config: WebConfig, node: NodeConfig | None = None) -> FastAPI:
    """Make the application; nothing is opened until it starts.

    Args:
        config: The settings.
        node: Of a DICOM node that runs in the same process; None for none.
    """
    context = Context(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            context.open()
            auth_state(app).local_token = local_token(config.data)
            if node is not None:
                await _open_node(context, node)
            yield
        except PneumoscopeError as error:
            context.failed = error
            raise
        finally:
            if context.node is not None:
                await asyncio.to_thread(context.node.close)
            await context.close()

    app = FastAPI(
        title="pneumoscope",
        version=__version__,
        summary="Reads chest radiographs for pneumonia",
        description=NOTICE,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.context = context
    install_error_handlers(app)
    install_openapi(app)
    for part in _ROUTERS:
        app.include_router(part)
    install_auth(app, context)
    return app


async def _open_node(context: Context, config: NodeConfig) -> None:
    from pneumoscope.server.node.run import Node  # noqa: PLC0415 - pynetdicom is an extra

    context.node = Node(context, config)
    context.node.open(asyncio.get_running_loop())


def install_auth(app: FastAPI, context: Context) -> None:
    """Put the middleware before ``app``: root path and access log outermost, then headers, errors, authentication.

    Call it last, before the application starts; the context's store is asked when requests come.

    Raises:
        ConfigError: The settings would leave the server open to the network.
    """
    policy = Policy.of(context.config)
    guards = AuthState.of(policy)
    app.state.guards = guards
    app.add_exception_handler(Denied, _denied)
    app.add_middleware(AuthMiddleware, context=context, guards=guards)  # the last one added is the first one asked
    app.add_middleware(ErrorMiddleware, max_header_bytes=policy.max_header_bytes)
    app.add_middleware(SecurityHeaders, https=policy.https)
    app.add_middleware(AccessLog)
    app.add_middleware(RootPath, base=context.config.root_path)


def first_run_code(app: FastAPI) -> str | None:
    """The code for the first administrator, to be shown once on the terminal, and never in a log.

    Call it when the store is open.

    Returns:
        None if there are users, or if the local token lets in.
    """
    guards = auth_state(app)
    context: Context = app.state.context
    if not guards.needs_code() or guards.has_users(context.worklist):
        return None
    return guards.first.issue()


def local_address(app: FastAPI, address: str) -> str:
    """The address to open on this machine: with the local token while it lets in, and never in a log.

    Call it when the store is open.
    """
    guards = auth_state(app)
    context: Context = app.state.context
    return f"{address}/?token={guards.local_token}" if guards.takes_local(context.worklist) else address


async def _denied(request: Request, error: Exception) -> Response:
    if not isinstance(error, Denied):
        raise error
    return denied_response(request, error)
