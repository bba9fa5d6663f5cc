"""The OpenAPI document, asked of by schemathesis: whatever it allows is answered as it says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

import pytest

pytest.importorskip("schemathesis")

import httpx
import jsonschema  # type: ignore[import-untyped]
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    from pneumoscope.server.context import Context


def test_the_document_is_whole(asked: TestClient) -> None:
    document = asked.get("/api/v1/openapi.json").json()
    paths = set(document["paths"])
    assert {"/api/v1/read", "/api/v1/studies", "/healthz", "/metrics", "/api/v1/events"} <= paths
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
            assert "422" not in operation["responses"], (method, path)
    jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"]["Reading"])


def test_the_reference_page_names_every_call(asked: TestClient) -> None:
    page = asked.get("/api/v1/docs")
    assert page.status_code == 200
    for path in asked.get("/api/v1/openapi.json").json()["paths"]:
        assert path in page.text
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert "Research use only" in page.text


class Served(Protocol):
    """Of the fixture ``serve``."""

    address: str
    local: dict[str, str]
    context: Context


_OTHERS = ("/users", "/session", "/tokens")  # asking these would lock us out; tests/server/security asks them


@schemathesis.serializer('multipart/related; type="application/dicom"', "multipart/related")
def as_related(_: Any, value: Any) -> Any:
    """A body of one part, as STOW-RS takes it."""
    data = value.encode() if isinstance(value, str) else bytes(value)
    return b"--part\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--part--\r\n"


CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def test_whatever_the_document_allows_is_answered_as_it_says(
    serve: Callable[..., Served], picture: Callable[..., bytes]
) -> None:
    """With ``PNEUMOSCOPE_EXAMPLES=500`` before it, it asks longer."""
    room = serve()
    answers = [
        httpx.post(f"{room.address}/api/v1/read", content=picture(number), headers=room.local) for number in range(3)
    ]
    there = {
        "study": answers[0].headers["location"].rpartition("/")[2],
        "reading": answers[0].headers["x-pneumoscope-reading"],
        "sha256": answers[0].json()["film"]["sha256"],
        "name": "standard",
    }
    room.context.closing = True  # so that the stream of events ends
    schema = schemathesis.openapi.from_dict(httpx.get(f"{room.address}/api/v1/openapi.json", headers=room.local).json())
    examples = int(os.environ.get("PNEUMOSCOPE_EXAMPLES", "5"))
    found: set[tuple[str, bool]] = set()
    for each in schema.get_all_operations():
        operation: Any = each.ok()  # type: ignore[union-attr]  # a document that is not valid fails here
        if any(part in operation.path for part in _OTHERS):
            continue

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            response = case.call(base_url=room.address, headers=room.local)
            case.validate_response(response, checks=list(CHECKS))
            if case.method != "DELETE" and there.keys() & case.path_parameters.keys():
                case.path_parameters |= {key: there[key] for key in there.keys() & case.path_parameters.keys()}
                response = case.call(base_url=room.address, headers=room.local)
                case.validate_response(response, checks=list(CHECKS))
                found.add((case.operation.path, response.status_code < 300))

        ask()
    assert ("/api/v1/studies/{study}", True) in found
    assert ("/api/v1/readings/{reading}/evidence", True) in found
    assert ("/api/v1/films/{sha256}/thumbnail", True) in found
