"""What every request may use: the configuration, the worklist, the engine, the bundles. Opened and closed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import Depends, Request

from pneumoscope.errors import PneumoscopeError

if TYPE_CHECKING:
    from pneumoscope.web.config import WebConfig
    from pneumoscope.web.engine import Bundles, Engine
    from pneumoscope.worklist import BlobStore, Worklist

__all__ = ["Context", "Here", "NotReady", "context"]

_Part = TypeVar("_Part")


class NotReady(PneumoscopeError):
    """The server is starting or stopping."""

    code = "not-ready"


class Context:
    """The parts of one running server.

    It is made with the application and is empty until the server starts; ``app.state.context`` holds it.

    Attributes:
        config: The settings.
    """

    def __init__(self, config: WebConfig) -> None:
        self.config = config
        self._worklist: Worklist | None = None
        self._blobs: BlobStore | None = None
        self._engine: Engine | None = None
        self._bundles: Bundles | None = None

    @property
    def worklist(self) -> Worklist:
        """The store of studies, users and settings."""
        return _there(self._worklist)

    @property
    def blobs(self) -> BlobStore:
        """The store of films."""
        return _there(self._blobs)

    @property
    def engine(self) -> Engine:
        """The queue and the threads that read films."""
        return _there(self._engine)

    @property
    def bundles(self) -> Bundles:
        """The bundles: shipped and imported ones, and which one is in use."""
        return _there(self._bundles)

    @property
    def started(self) -> bool:
        """Whether the server has opened its parts."""
        return self._engine is not None

    def open(self) -> None:
        """Open the database, the films and the engine.

        Raises:
            PneumoscopeError: One of them cannot be opened.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Finish the readings in hand and close everything."""


def _there(part: _Part | None) -> _Part:
    if part is None:
        raise NotReady("the server is starting or stopping", remedy="Try again in a few seconds")
    return part


def context(request: Request) -> Context:
    """The context of the application that answers a request."""
    found: Context = request.app.state.context
    return found


Here = Annotated[Context, Depends(context)]
"""A route's parameter ``here: Here`` is the context."""
