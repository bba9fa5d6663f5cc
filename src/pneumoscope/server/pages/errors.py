"""Error pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from pneumoscope.errors import PneumoscopeError
from pneumoscope.server.auth.identity import Identity
from pneumoscope.server.error_responses import problem_of, wants_html
from pneumoscope.server.pages.render import page

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

__all__ = ["PageRoute"]

_ERROR_TITLES = {404: "Not found", 409: "Not possible", 422: "Not understood", 400: "Not understood", 503: "Busy"}


class PageRoute(APIRoute):
    """A route whose errors are drawn as a page for persons: ``APIRouter(route_class=PageRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, and around it the page of trouble."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except PneumoscopeError as error:
                if not wants_html(request):
                    raise
                told = problem_of(error)
                return _error_page(request, int(told["status"]), error.what, error.remedy)
            except RequestValidationError:
                if not wants_html(request):
                    raise
                return _error_page(
                    request, 422, "the address or the form has a value that cannot be", "Go back and try again"
                )

        return handled


def _error_page(request: Request, status: int, what: str, remedy: str) -> Response:
    found = getattr(request.state, "identity", None)
    return page(
        request,
        found if isinstance(found, Identity) else None,
        "trouble",
        title=_ERROR_TITLES.get(status, "Error"),
        status=status,
        what=f"{what[:1].upper()}{what[1:]}.",
        remedy=f"{remedy}." if remedy else "",
    )
