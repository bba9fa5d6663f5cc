"""What goes wrong behind a page is said on a page, and not as a document for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from pneumoscope.errors import PneumoscopeError
from pneumoscope.web.api.problems import problem_of
from pneumoscope.web.pages.render import page
from pneumoscope.web.security.answers import for_person
from pneumoscope.web.security.who import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

__all__ = ["PageRoute"]

_TITLES = {404: "Not here", 409: "Not possible", 422: "Not understood", 400: "Not understood", 503: "Busy"}


class PageRoute(APIRoute):
    """A route whose errors are drawn as a page for persons: ``APIRouter(route_class=PageRoute)``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, and around it the page of trouble."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except PneumoscopeError as error:
                if not for_person(request):
                    raise
                told = problem_of(error)
                return _trouble(request, int(told["status"]), error.what, error.remedy)
            except RequestValidationError:
                if not for_person(request):
                    raise
                return _trouble(
                    request, 422, "the address or the form has a value that cannot be", "Go back and try again"
                )

        return handled


def _trouble(request: Request, status: int, what: str, remedy: str) -> Response:
    found = getattr(request.state, "identity", None)
    return page(
        request,
        found if isinstance(found, Identity) else None,
        "trouble",
        title=_TITLES.get(status, "Trouble"),
        status=status,
        what=f"{what[:1].upper()}{what[1:]}.",
        remedy=f"{remedy}." if remedy else "",
    )
