"""The OpenAPI document: what FastAPI says of the routes, and what it cannot know: the Reading, and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from pneumoscope.reports.json import schema
from pneumoscope.web.api.problems import SCHEMA

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["install"]

_PROBLEM = {
    "description": "What went wrong",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PUBLIC = ("/healthz", "/readyz")
_METHODS = ("get", "put", "post", "patch", "delete")


def install(app: FastAPI) -> None:
    """Let the application give out the whole document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _document(app: FastAPI) -> dict[str, Any]:
    made: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = SCHEMA
    reading = {key: value for key, value in schema().items() if key != "$schema"}
    schemas["Reading"] = reading
    schemas["ManyReadings"] = _many()
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token; on this machine none is needed"}
    }
    for path, methods in made["paths"].items():
        for method in _METHODS:
            if method in methods:
                _complete(methods[method], public=path in _PUBLIC)
    return made


def _complete(operation: dict[str, Any], *, public: bool) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    responses["default"] = _PROBLEM
    operation["security"] = [] if public else [{"token": []}, {}]


def _many() -> dict[str, Any]:
    text = {"type": ["string", "null"]}
    item = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "study": text,
            "reading_id": text,
            "reading": {"anyOf": [{"$ref": "#/components/schemas/Reading"}, {"type": "null"}]},
            "problem": {"$ref": "#/components/schemas/Problem"},
        },
        "required": ["name", "study", "reading_id", "reading"],
    }
    return {
        "type": "object",
        "properties": {"readings": {"type": "array", "items": item}},
        "required": ["readings"],
    }
