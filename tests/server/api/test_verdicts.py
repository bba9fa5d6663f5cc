"""What stays of a forced reading, and verdicts that are taken back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.testclient import TestClient

    from pneumoscope.server.config import WebConfig


@pytest.fixture
def gated(open_room: Callable[[WebConfig], TestClient], room_config: WebConfig) -> TestClient:
    """A room whose bundle refuses what is no chest film."""
    return open_room(replace(room_config, model="standard"))


@pytest.fixture
def leopard(gated: TestClient, picture: Callable[..., bytes]) -> str:
    """A study of what is no chest film, read all the same."""
    sent = gated.post("/api/v1/read?name=leopard.png", content=picture(3, "PNG", size=(300, 300)))
    assert sent.json()["status"] == "refused"
    study: str = sent.headers["location"]
    assert gated.post(f"{study}/readings?force=true").json()[0]["reading"]["forced"] is True
    return study


def test_a_forced_reading_keeps_its_mark_and_stays_refused(gated: TestClient, leopard: str) -> None:
    row = gated.get(leopard).json()["study"]
    assert row["status"] == "refused"
    assert row["forced"] is True
    assert row["call"] is not None
    assert row["refusal"] not in (None, "forced"), "the reason of the refusal stays"
    listed = [
        gated.get(f"/api/v1/studies?{query}").json()["items"] for query in ("status=refused", f"call={row['call']}")
    ]
    assert [len(items) for items in listed] == [1, 0]
    ident = leopard.rpartition("/")[2]
    html = {"Accept": "text/html"}
    for path in ("/worklist", f"/studies/{ident}", f"/studies/{ident}/view"):
        assert "(forced)" in gated.get(path, headers=html).text, path


def test_statistics_leave_a_forced_reading_out(gated: TestClient, leopard: str) -> None:
    assert gated.post(f"{leopard}/verdicts", json={"kind": "correct", "corrected_to": "normal"}).status_code == 201
    told = gated.get("/api/v1/numbers").json()
    assert told["calls"] == []
    assert sum(told["scores"]["counts"]) == 0
    assert told["agreement"] == []


@pytest.fixture
def read(asked: TestClient, picture: Callable[..., bytes]) -> str:
    """A study that was read."""
    study: str = asked.post("/api/v1/read", content=picture(1)).headers["location"]
    return study


def give(client: TestClient, study: str, **told: Any) -> str:
    answer = client.post(f"{study}/verdicts", json=told)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_verdict_is_taken_back_and_the_one_before_holds(asked: TestClient, read: str) -> None:
    give(asked, read, kind="not-assessable", findings=["a tube"])
    second = give(asked, read, kind="agree")
    assert asked.get(read).json()["study"]["verdict"] == "agree"
    answer = asked.delete(f"{read}/verdicts/{second}")
    assert answer.json()["kind"] == "not-assessable"
    assert answer.json()["findings"] == ["a tube"]
    assert asked.get(read).json()["study"]["verdict"] == "not-assessable"
    assert asked.delete(f"{read}/verdicts/{second}").status_code == 409, "it does not hold any more"
    assert [each["kind"] for each in asked.get(read).json()["verdicts"]] == ["withdrawn", "agree", "not-assessable"]


def test_nobody_takes_back_what_another_said(asked: TestClient, read: str, inside: Any) -> None:
    theirs = inside.worklist.verdicts.give(read.rpartition("/")[2], "agree", by="rosa")
    assert asked.delete(f"{read}/verdicts/{theirs.id}").status_code == 409
    assert asked.get(read).json()["study"]["verdict"] == "agree"
    assert asked.post(f"{read}/verdicts", json={"kind": "withdrawn"}).status_code == 422


def test_bulk_agreement_leaves_refused_films_out(asked: TestClient, read: str) -> None:
    refused = asked.post("/api/v1/read", content=b"not a film at all").headers["location"]
    ids = [each.rpartition("/")[2] for each in (read, refused)]
    answer = asked.post("/api/v1/studies/actions", json={"action": "agree", "ids": ids}).json()
    assert answer["done"] == 1
    assert list(answer["verdicts"]) == ids[:1]
    assert asked.get(refused).json()["study"]["verdict"] is None
    assert asked.delete(f"{read}/verdicts/{answer['verdicts'][ids[0]]}").json() is None
    assert asked.get(read).json()["study"]["verdict"] is None


def test_no_verdict_is_chosen_before_a_person_does(asked: TestClient, read: str) -> None:
    page = asked.get(f"/studies/{read.rpartition('/')[2]}", headers={"Accept": "text/html"}).text
    form = page[page.index('id="verdict"') : page.index("Give verdict")]
    assert form.count('type="radio"') == 3
    assert "checked" not in form
