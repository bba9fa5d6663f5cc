"""What stands in the server's log, and who looked at what."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from pneumoscope.errors import StorageError
from pneumoscope.server.request_log import JsonLines, TextLines

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from starlette.testclient import TestClient


def test_each_request_is_a_line_with_number_user_route_status_and_time(
    asked: TestClient, picture: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pneumoscope.server.access"):
        study = asked.post("/api/v1/read?name=Jane Roe.png", content=picture(1)).headers["location"]
        answer = asked.get(f"{study}?token=secret")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name.endswith("access")]
    last = lines[-1]
    assert last["request"] == answer.headers["x-request-id"]
    assert (last["user"], last["method"], last["status"]) == ("local", "GET", 200)
    assert last["route"] == "/api/v1/studies/{study}"
    assert last["milliseconds"] > 0
    assert last["time"].endswith("Z")
    text = "".join(TextLines().format(record) for record in caplog.records)
    assert "secret" not in text
    assert "Roe" not in text


def test_an_outage_of_the_database_is_in_the_log(
    asked: TestClient, inside: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError("the database does not answer")

    monkeypatch.setattr(inside.worklist.studies, "page", fail)
    assert asked.get("/api/v1/studies").status_code == 507
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == 1
    assert "does not answer" in told[0].getMessage()
    assert told[0].exc_info is None, "one line, not a traceback"


def test_who_looked_at_which_study_is_in_the_audit_log(
    asked: TestClient, inside: Any, picture: Callable[..., bytes]
) -> None:
    study = asked.post("/api/v1/read", content=picture(1)).headers["location"]
    for _ in range(3):
        assert asked.get(study).status_code == 200
        assert asked.get(study.replace("/api/v1", ""), headers={"Accept": "text/html"}).status_code == 200
    looks = [each for each in inside.worklist.audit.page(limit=50).items if each.action == "study.view"]
    assert [(each.actor, each.target) for each in looks] == [("local", f"study:{study.rpartition('/')[2]}")]
    assert "study.view" not in {each["action"] for each in asked.get(study).json()["history"]}
