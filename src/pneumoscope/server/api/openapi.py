"""The OpenAPI document, and its page."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from pneumoscope.reports.json import schema
from pneumoscope.server.auth.identity import Reader
from pneumoscope.server.error_responses import SCHEMA
from pneumoscope.server.pages.render import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

__all__ = ["install_openapi", "router"]

_PROBLEM = {
    "description": "What went wrong",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_PUBLIC = ("/healthz", "/readyz")
_METHODS = ("get", "put", "post", "patch", "delete")


def install_openapi(app: FastAPI) -> None:
    """Let the application give out the whole document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _openapi_document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way


def _openapi_document(app: FastAPI) -> dict[str, Any]:
    made: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        servers=[{"url": base}] if (base := app.state.context.config.root_path) else None,
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


router = APIRouter(include_in_schema=False)

_METHODS_OF_REFERENCE = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a call."""

    name: str
    place: str
    kind: str
    default: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API, as the page shows it."""

    anchor: str
    method: str
    path: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    body: tuple[str, ...]
    fields: tuple[Parameter, ...]
    answers: tuple[tuple[str, str, str], ...]
    curl: str


@router.get("/api/v1/docs")
def reference(request: Request, who: Reader) -> HTMLResponse:
    """All calls, by subject."""
    document: dict[str, Any] = request.app.openapi()
    address = str(request.base_url).rstrip("/")
    groups: dict[str, list[Call]] = {}
    for tag, call in _calls(document, address):
        groups.setdefault(tag, []).append(call)
    reading = json.dumps(document["components"]["schemas"]["Reading"]["properties"], indent=2)
    return page(request, who, "reference", title="API", active="api", groups=groups, reading=reading, address=address)


def _calls(document: dict[str, Any], address: str) -> Iterator[tuple[str, Call]]:
    for path, methods in document["paths"].items():
        for method in _METHODS_OF_REFERENCE:
            operation = methods.get(method)
            if operation is not None:
                tag = (operation.get("tags") or ["other"])[0]
                yield tag, _call(document, method, path, operation, address)


def _call(document: dict[str, Any], method: str, path: str, operation: dict[str, Any], address: str) -> Call:
    parameters = tuple(_parameter(document, each) for each in operation.get("parameters", ()))
    bodies = operation.get("requestBody", {}).get("content", {})
    answers = []
    for status, answer in operation["responses"].items():
        if status != "default":
            answers.append((status, answer.get("description", ""), ", ".join(answer.get("content", {}))))
    return Call(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        title=operation.get("summary", ""),
        description=operation.get("description", "").replace("``", ""),
        parameters=parameters,
        body=tuple(bodies),
        fields=tuple(_fields(document, bodies.get("application/json", {}).get("schema", {}))),
        answers=tuple(answers),
        curl=_curl(method, path, bodies, address),
    )


def _parameter(document: dict[str, Any], each: dict[str, Any]) -> Parameter:
    schema = each.get("schema", {})
    default = schema.get("default")
    return Parameter(
        each["name"],
        each["in"],
        _kind(document, schema),
        "" if default is None or default == "" else json.dumps(default),
        bool(each.get("required")),
        each.get("description", ""),
    )


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[Parameter]:
    """The fields of a JSON body."""
    schema = _resolved(document, schema)
    for name, field in schema.get("properties", {}).items():
        yield Parameter(name, "body", _kind(document, field), "", name in schema.get("required", ()), "")


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    """A type in words."""
    schema = _resolved(document, schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        kinds = [_kind(document, each) for each in schema["anyOf"]]
        return " | ".join(kind for kind in kinds if kind != "null")
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"].get(name, schema)
    return found


def _curl(method: str, path: str, bodies: dict[str, Any], address: str) -> str:
    """A line to try it with."""
    parts = ["curl"]
    if method not in ("get", "post") or (method == "post" and not bodies):
        parts += ["-X", method.upper()]
    if "application/json" in bodies:
        parts += ["-H", shlex.quote("Content-Type: application/json"), "-d", "@body.json"]
        if method == "put":
            parts[1:3] = ["-X", "PUT"]
    elif bodies:
        parts += ["--data-binary", "@film.jpeg" if "image/jpeg" in bodies else "@bundle.onnx"]
    return " ".join([*parts, shlex.quote(f"{address}{path}") if "{" in path else f"{address}{path}"])
