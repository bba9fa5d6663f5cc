"""The worklist over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.testclient import TestClient

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.context import Context


@pytest.fixture
def studies(asked: TestClient, picture: Callable[..., bytes]) -> list[str]:
    """Five studies, oldest first."""
    answers = [asked.post(f"/api/v1/read?name=film {number}.jpg", content=picture(number)) for number in range(5)]
    return [answer.headers["location"].rpartition("/")[2] for answer in answers]


def test_pages_follow_each_other(asked: TestClient, studies: list[str]) -> None:
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = asked.get("/api/v1/studies", params={"limit": "2", **cursor}).json()
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == studies[::-1]


def test_looking_at_another_setting_writes_nothing(asked: TestClient, studies: list[str], inside: Context) -> None:
    address = f"/api/v1/studies/{studies[0]}"
    before = asked.get(address).json()
    kept = before["readings"][0]
    path = f"/studies/{studies[0]}/readings/{kept['id']}/card"
    other = next(each for each in ("balanced", "screening") if each != kept["preset"])
    looked, same = asked.get(path, params={"preset": other}), asked.get(path, params={"preset": kept["preset"]})
    assert looked.status_code == same.status_code == 200
    assert f"What the {other} setting means" in looked.text
    assert "data-reading" in looked.text
    assert "data-reading" not in same.text
    assert asked.get(path, params={"preset": "nix"}).status_code == 400
    after = asked.get(address).json()
    assert (after["study"], after["readings"]) == (before["study"], before["readings"])
    assert inside.worklist.studies.detail(studies[0]).study.changed == before["study"]["changed"]


def test_filters(asked: TestClient, studies: list[str]) -> None:
    def ids(**query: str) -> set[str]:
        return {item["id"] for item in asked.get("/api/v1/studies", params=query).json()["items"]}

    asked.post("/api/v1/read?name=notes.txt", content=b"words and words")
    asked.post(f"/api/v1/studies/{studies[0]}/verdicts", json={"kind": "agree"})
    by_call = {call: ids(call=call) for call in ("pneumonia", "no pneumonia")}
    assert by_call["pneumonia"] | by_call["no pneumonia"] == set(studies)
    assert ids(status="read") == set(studies)
    assert len(ids(refusal="unreadable")) == 1
    assert ids(verdict="agree") == {studies[0]}
    found = ids(q="film 3")
    assert studies[3] in found
    assert all(each == studies[3] or each.startswith("3") for each in found), "a study's number is searched, too"
    now = datetime.now(UTC)
    assert ids(since=(now + timedelta(hours=1)).isoformat()) == set()
    assert len(ids(until=(now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S"))) == 6
    urgent = asked.get("/api/v1/studies?order=urgency&status=read").json()["items"]
    scores = [item["probability"] for item in urgent]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("query", "status"),
    [("cursor=nix", 400), ("limit=0", 422), ("limit=501", 422), ("order=x", 422), ("since=yesterday", 422)],
)
def test_queries_that_make_no_sense(asked: TestClient, query: str, status: int) -> None:
    answer = asked.get(f"/api/v1/studies?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_note_verdict_history_delete(asked: TestClient, studies: list[str]) -> None:
    address = f"/api/v1/studies/{studies[1]}"
    assert asked.patch(address, json={"note": "look again"}).json()["note"] == "look again"
    other = "bacterial" if asked.get(address).json()["study"]["pattern"] == "viral" else "viral"
    given = asked.post(f"{address}/verdicts", json={"kind": "correct", "corrected_to": other, "comment": "c"})
    assert given.status_code == 201
    assert given.json()["by"] == "local"
    assert asked.post(f"{address}/verdicts", json={"kind": "correct"}).status_code == 400
    assert asked.post(f"{address}/verdicts", json={"kind": "maybe"}).status_code == 422
    assert asked.patch(address, json={"label": "x"}).status_code == 422
    detail = asked.get(address).json()
    assert (detail["study"]["verdict"], detail["study"]["corrected_to"]) == ("correct", other)
    assert [each["action"] for each in detail["history"]] == ["study.add", "study.note", "study.verdict"]
    assert "blob" not in detail["films"][0]
    assert asked.delete(address).status_code == 204
    for answer in (
        asked.get(address),
        asked.delete(address),
        asked.patch(address, json={"note": ""}),
        asked.post(f"{address}/verdicts", json={"kind": "agree"}),
        asked.post(f"{address}/readings"),
        asked.get(f"{address}/report.json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_actions(asked: TestClient, studies: list[str]) -> None:
    ids = [studies[0], studies[0], studies[2], "nix"]
    assert asked.post("/api/v1/studies/actions", json={"action": "agree", "ids": ids}).json()["done"] == 2
    assert asked.post("/api/v1/studies/actions", json={"action": "delete", "ids": ids}).json()["done"] == 2
    assert {item["id"] for item in asked.get("/api/v1/studies").json()["items"]} == set(studies) - set(ids)
    assert asked.post("/api/v1/studies/actions", json={"action": "delete", "ids": []}).status_code == 422


def test_read_again_with_another_bundle_and_preset(
    asked: TestClient,
    studies: list[str],
    tiny_graph: bytes,
    tiny_meta: BundleMeta,
    tmp_path: Path,
    inside: Context,
) -> None:
    from dataclasses import replace

    from pneumoscope.model.bundle import write_bundle

    other = tmp_path / "other.onnx"
    write_bundle(other, tiny_graph, replace(tiny_meta, name="other", version="2"))
    assert asked.post("/api/v1/bundles", content=other.read_bytes()).status_code == 201
    address = f"/api/v1/studies/{studies[0]}"
    before = asked.get(address).json()
    again = asked.post(f"{address}/readings?bundle=other&preset=balanced")
    assert again.status_code == 200
    assert [(each["bundle"], each["preset"]) for each in again.json()] == [("other 2", "balanced")]
    assert again.json()[0]["reading"]["film"] == before["readings"][0]["reading"]["film"], "the same film, by its name"
    assert asked.post(f"{address}/readings?bundle=other&preset=balanced").json() == again.json(), "not read twice"
    after = asked.get(address).json()
    assert len(after["readings"]) == 2
    assert after["study"]["films"] == 1
    shown = ("call", "probability", "bundle")
    assert [after["study"][key] for key in shown] == [before["study"][key] for key in shown], "the list stays"
    assert asked.post(f"{address}/readings?bundle=nix").status_code == 400
    assert inside.bundles.in_use == "tiny"


def test_reports(asked: TestClient, studies: list[str]) -> None:
    from pneumoscope.reports.formats import FORMATS

    address = f"/api/v1/studies/{studies[0]}"
    detail = asked.get(address).json()
    report = asked.get(f"{address}/report.json")
    assert report.json() == detail["readings"][0]["reading"]
    assert "attachment" in report.headers["content-disposition"]
    assert asked.get(f"{address}/report.json?reading={detail['readings'][0]['id']}").json() == report.json()
    assert asked.get(f"{address}/report.json?reading=nix").status_code == 404
    assert asked.get(f"{address}/report.exe").status_code == 404
    for name, form in FORMATS.items():
        answer = asked.get(f"{address}/report.{name}")
        if form.installed:
            assert answer.status_code == 200, name
            assert answer.headers["content-type"].startswith(form.media_type.partition(";")[0]), name
        else:
            assert (answer.status_code, answer.json()["code"]) == (501, "missing-extra")


def test_numbers(asked: TestClient, studies: list[str]) -> None:
    numbers = asked.get("/api/v1/numbers?days=7").json()
    assert numbers["totals"]["studies"] == len(studies)
    assert numbers["per_day"][-1]["read"] == 5
    assert len(numbers["per_day"]) == 7
    assert sum(numbers["scores"]["counts"]) == 5
    assert {each["name"] for each in numbers["inputs"]} == {"mean", "std", "p1", "p99", "sharpness", "aspect"}
    assert asked.get("/api/v1/numbers?days=0").status_code == 422
