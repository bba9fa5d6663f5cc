"""The application: its parts in one list, opened when the server starts and closed when it stops."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from pneumoscope import __version__
from pneumoscope.errors import PneumoscopeError
from pneumoscope.settings import NOTICE
from pneumoscope.web.api import (
    bundles,
    document,
    events,
    health,
    numbers,
    pictures,
    problems,
    read,
    reference,
    reports,
    studies,
)
from pneumoscope.web.context import Context
from pneumoscope.web.pages import account, admin, assets, dashboard, models, study, viewer, worklist
from pneumoscope.web.pages import read as read_page
from pneumoscope.web.security import api as accounts
from pneumoscope.web.security import install as security
from pneumoscope.web.security import pages as entrance
from pneumoscope.web.security.state import guards_of
from pneumoscope.web.storehouse import local_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pneumoscope.web.config import WebConfig

__all__ = ["create_app"]

_PARTS = (
    *(read, studies, pictures, reports, bundles, numbers, events, health, reference),
    *(entrance, accounts),
    *(assets, read_page, viewer, worklist, study, models, dashboard, account, admin),
)
"""Every module has a ``router``: the API, the door, the pages."""


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
    problems.install(app)
    document.install(app)
    for part in _PARTS:
        app.include_router(part.router)
    security.install(app, context)
    return app
