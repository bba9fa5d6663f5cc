"""Every error is a problem, and none tells a path or a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import MissingExtra, NotABundle, PneumoscopeError, StorageError
from pneumoscope.server.error_responses import problem_of

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageError("the disk is full", where="/secret/place", remedy="Free some"), 507),
        (MissingExtra.named("fpdf", extra="pdf", needed_for="a report"), 501),
        (NotABundle("some other file", where="/secret/place"), 422),
        (PneumoscopeError("something", where="/secret/place"), 500),
    ],
)
def test_no_place_is_told(error: PneumoscopeError, status: int) -> None:
    said = problem_of(error)
    assert said["status"] == status
    assert said["code"] == error.code
    assert "secret" not in str(said)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nix", 404),
        ("PUT", "/api/v1/read", 405),
        ("POST", "/api/v1/studies/actions", 422),
        ("GET", "/nix", 404),
    ],
)
def test_what_the_framework_says_no_to(asked: TestClient, method: str, path: str, status: int) -> None:
    answer = asked.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "status", "code", "detail", "remedy"}


def test_what_nobody_expected_is_500_without_a_word_of_it(
    asked: TestClient, monkeypatch: pytest.MonkeyPatch, inside: object
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(inside.worklist.studies, "page", fail)  # type: ignore[attr-defined]
    answer = asked.get("/api/v1/studies")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_errors_are_counted(asked: TestClient) -> None:
    asked.post("/api/v1/read?preset=nix", content=b"x")
    page = asked.get("/metrics").text
    assert 'pneumoscope_requests_refused_total{code="usage",status="400"} 1.0' in page
