"""The application: its parts in one list, opened when the server starts and closed when it stops."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from pneumoscope import __version__
from pneumoscope.errors import PneumoscopeError
from pneumoscope.settings import NOTICE
from pneumoscope.web.api.bundles import router as bundles_router
from pneumoscope.web.api.document import install as install_openapi
from pneumoscope.web.api.events import router as events_router
from pneumoscope.web.api.health import router as health_router
from pneumoscope.web.api.numbers import router as usage_router
from pneumoscope.web.api.pictures import router as films_router
from pneumoscope.web.api.problems import install as install_error_handlers
from pneumoscope.web.api.read import router as read_router
from pneumoscope.web.api.reference import router as reference_router
from pneumoscope.web.api.reports import router as reports_router
from pneumoscope.web.api.studies import router as studies_router
from pneumoscope.web.context import Context
from pneumoscope.web.pages.account import router as account_page_router
from pneumoscope.web.pages.admin import router as admin_page_router
from pneumoscope.web.pages.assets import router as assets_router
from pneumoscope.web.pages.dashboard import router as dashboard_router
from pneumoscope.web.pages.models import router as models_page_router
from pneumoscope.web.pages.read import router as read_page_router
from pneumoscope.web.pages.study import router as study_page_router
from pneumoscope.web.pages.viewer import router as viewer_router
from pneumoscope.web.pages.worklist import router as worklist_page_router
from pneumoscope.web.security.api import router as accounts_router
from pneumoscope.web.security.install import install as install_auth
from pneumoscope.web.security.pages import router as login_router
from pneumoscope.web.security.state import guards_of
from pneumoscope.web.storehouse import local_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pneumoscope.web.config import WebConfig

__all__ = ["create_app"]

_PARTS = (
    read_router,
    studies_router,
    films_router,
    reports_router,
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
    models_page_router,
    dashboard_router,
    account_page_router,
    admin_page_router,
)
"""The API, the login, the pages."""


def create_app(config: WebConfig) -> FastAPI:
    """Make the application; nothing is opened until it starts."""
    context = Context(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            context.open()
            guards_of(app).local_token = local_token(config.data)
            yield
        except PneumoscopeError as error:
            context.failed = error
            raise
        finally:
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
    for part in _PARTS:
        app.include_router(part)
    install_auth(app, context)
    return app
