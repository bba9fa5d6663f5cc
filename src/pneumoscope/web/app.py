"""The application: its parts in one list, opened when the server starts and closed when it stops."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fastapi import FastAPI

from pneumoscope import __version__
from pneumoscope.errors import PneumoscopeError
from pneumoscope.settings import NOTICE
from pneumoscope.web.api import document, problems
from pneumoscope.web.context import Context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pneumoscope.web.config import WebConfig

__all__ = ["create_app"]

# Each module has a `router`. A plain list of imports as soon as all of them are there.
_ROUTERS = (
    "pneumoscope.web.api.health",
    "pneumoscope.web.api.read",
    "pneumoscope.web.api.studies",
    "pneumoscope.web.api.pictures",
    "pneumoscope.web.api.reports",
    "pneumoscope.web.api.bundles",
    "pneumoscope.web.api.numbers",
    "pneumoscope.web.api.events",
    "pneumoscope.web.api.reference",
    "pneumoscope.web.security.pages",
    "pneumoscope.web.security.api",
    "pneumoscope.web.pages.assets",
    "pneumoscope.web.pages.read",
    "pneumoscope.web.pages.viewer",
    "pneumoscope.web.pages.worklist",
    "pneumoscope.web.pages.study",
    "pneumoscope.web.pages.models",
    "pneumoscope.web.pages.dashboard",
    "pneumoscope.web.pages.account",
    "pneumoscope.web.pages.admin",
)


def create_app(config: WebConfig) -> FastAPI:
    """Make the application; nothing is opened until it starts."""
    context = Context(config)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            context.open()
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
    problems.install(app)
    document.install(app)
    for name in _ROUTERS:
        if _there(name):
            app.include_router(import_module(name).router)
    if _there("pneumoscope.web.security.install"):
        import_module("pneumoscope.web.security.install").install(app, context)
    return app


def _there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
