"""Reading in a study by the API: order, drafts, idempotent readings, arms, training, export."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import pytest

from pneumoscope.server.store.reader_studies.results import RESULT_COLUMNS

if TYPE_CHECKING:
    from typing import Any as StudyRoom

API = "/api/v1/reader-studies"


def table(room: StudyRoom, ident: str) -> list[dict[str, str]]:
    answer = room.clients["grace"].get(f"{API}/{ident}/results")
    return list(csv.DictReader(StringIO(answer.text)))


def test_all_films_are_read_once_in_each_readers_own_order(study_room: StudyRoom) -> None:
    ident = study_room.make(8, seed=3)
    for who in ("ada", "ben"):
        for number in range(8):
            given = study_room.read(ident, who, rating=1 + number % 5, boxes=[])
            assert given["status"] == 201
        assert given["task"]["state"] == "done"
    rows = table(study_room, ident)
    assert list(rows[0]) == list(RESULT_COLUMNS)
    orders = {who: [row["film"] for row in rows if row["reader"] == who] for who in ("ada", "ben")}
    assert orders["ada"] != orders["ben"]
    assert sorted(orders["ada"]) == sorted(orders["ben"])
    assert len(set(orders["ada"])) == 8
    assert {row["label"] for row in rows} == {"bacterial", "normal"}
    assert all(row["model_probability"] and row["training"] == "False" for row in rows)
    assert [row["position"] for row in rows if row["reader"] == "ada"] == [str(n) for n in range(1, 9)]


def test_the_same_key_counts_once_and_another_tab_is_told(study_room: StudyRoom) -> None:
    ident = study_room.make(3)
    ada = study_room.clients["ada"]
    task = ada.post(f"{API}/{ident}/task").json()
    said = {"arm": "unaided", "position": task["position"], "class": "pneumonia", "rating": 5}
    first = ada.post(f"{API}/{ident}/readings", json={**said, "key": "first-tab"})
    again = ada.post(f"{API}/{ident}/readings", json={**said, "key": "first-tab"})
    other = ada.post(f"{API}/{ident}/readings", json={**said, "rating": 1, "key": "second-tab"})
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["task"]["position"] == task["position"] + 1
    assert other.status_code == 409
    rows = table(study_room, ident)
    assert [(row["rating"], row["reader"]) for row in rows] == [("5.0", "ada")]
    ben = study_room.clients["ben"].post(f"{API}/{ident}/readings", json={**said, "key": "first-tab"})
    assert ben.status_code == 201  # another reader's key is another key
    assert ben.json()["id"] != first.json()["id"]


def test_a_draft_comes_back_and_the_time_is_no_longer_than_the_film_was_shown(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    ada = study_room.clients["ada"]
    ada.post(f"{API}/{ident}/task")
    said = {"class": "pneumonia", "rating": 2, "comment": "basal", "seconds": 7.5}
    assert ada.put(f"{API}/{ident}/films/unaided/1/draft", json=said).status_code == 204
    assert ada.post(f"{API}/{ident}/task").json()["draft"] == said
    study_room.read(ident, seconds=86_000)
    assert float(table(study_room, ident)[0]["seconds"]) < 600
    # A late draft of a film that was read changes nothing.
    assert ada.put(f"{API}/{ident}/films/unaided/1/draft", json=said).status_code == 204
    assert ada.post(f"{API}/{ident}/task").json()["draft"] == {}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"class": "fracture"}, 400),
        ({"rating": 6}, 400),
        ({"rating": 2.5}, 400),
        ({"rating": 0}, 400),
        ({"boxes": [{"left": 0.5, "top": 0.1, "right": 0.4, "bottom": 0.2}]}, 400),
        ({"boxes": [{"left": -0.5, "top": 0.1, "right": 0.4, "bottom": 0.2}]}, 422),
        ({"zones": ["middle nowhere"]}, 400),
        ({"position": 2}, 409),
        ({"arm": "aided"}, 409),
        ({"seconds": -1}, 422),
    ],
)
def test_answers_that_cannot_be_are_refused(study_room: StudyRoom, given: dict[str, Any], status: int) -> None:
    ident = study_room.make(3)
    assert study_room.read(ident, **given)["status"] == status
    assert table(study_room, ident) == []


def test_boxes_zones_and_comment_are_kept(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    box = {"left": 0.1, "top": 0.2, "right": 0.4, "bottom": 0.5}
    study_room.read(ident, boxes=[box], zones=["right lower"], comment="=consolidation")
    row = table(study_room, ident)[0]
    assert json.loads(row["box"]) == [{**box, "label": ""}]
    assert (row["zones"], row["comment"]) == ("right lower", "'=consolidation")
    whole = study_room.clients["grace"].get(f"{API}/{ident}/results", params={"format": "json"}).json()
    assert whole[0]["comment"] == "=consolidation"


def test_parquet_has_the_same_columns(study_room: StudyRoom) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    ident = study_room.make(2)
    study_room.read(ident)
    answer = study_room.clients["grace"].get(f"{API}/{ident}/results", params={"format": "parquet"})
    found = parquet.read_table(BytesIO(answer.content))
    assert found.column_names == list(RESULT_COLUMNS)
    assert found.num_rows == 1


def test_the_second_arm_waits_for_the_washout_and_shows_the_model(
    study_room: StudyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = study_room.make(2, arms="sequential", washout_days=14)
    ada = study_room.clients["ada"]
    for _ in range(2):
        task = ada.post(f"{API}/{ident}/task").json()
        assert task["aid"] is None
        given = study_room.read(ident)
    assert given["task"]["state"] == "washout"
    assert given["task"]["available"]
    database = study_room.worklist.database
    now = database.now
    monkeypatch.setattr(database, "now", lambda: now() + timedelta(days=14, minutes=1))
    task = ada.post(f"{API}/{ident}/task").json()
    assert (task["state"], task["arm"], task["done"]) == ("read", "aided", 0)
    assert set(task["aid"]) == {"name", "call", "probability", "threshold", "bundle"}
    assert ada.get(f"/api/v1{task['source']}/evidence").status_code == 200
    for _ in range(2):
        given = study_room.read(ident)
    assert given["task"]["state"] == "done"
    assert [row["arm"] for row in table(study_room, ident)] == ["unaided", "unaided", "aided", "aided"]


def test_independent_arms_share_the_readers(study_room: StudyRoom) -> None:
    ident = study_room.make(2, arms="independent")
    arms = {who: study_room.read(ident, who)["task"]["arm"] for who in ("ada", "ben")}
    assert set(arms.values()) == {"unaided", "aided"}


def test_training_films_come_first_with_feedback(study_room: StudyRoom) -> None:
    ident = study_room.make(8, training=2)
    seen = []
    for _ in range(8):
        given = study_room.read(ident)
        seen.append(given["feedback"])
    assert [each is not None for each in seen] == [True, True, *[False] * 6]
    assert {each["right"] for each in seen[:2]} == {True, False}  # one with the finding, one without
    assert [row["training"] for row in table(study_room, ident)] == ["True"] * 2 + ["False"] * 6


def test_a_closed_study_and_a_reader_who_was_let_go_read_no_more(study_room: StudyRoom) -> None:
    ident = study_room.make(3)
    study_room.read(ident)
    grace, ada = study_room.clients["grace"], study_room.clients["ada"]
    shown = grace.post(f"{API}/{ident}/readers/ada/let-go").json()
    assert {row["reader"]: (row["done"], row["left"] is not None) for row in shown["progress"]} == {
        "ada": (1, True),
        "ben": (0, False),
    }
    assert ada.post(f"{API}/{ident}/task").status_code == 409
    assert table(study_room, ident)[0]["left"] == "True"
    assert grace.post(f"{API}/{ident}/close").status_code == 200
    assert study_room.clients["ben"].post(f"{API}/{ident}/task").status_code == 409
    assert grace.post(f"{API}/{ident}/close").status_code == 409


def test_everything_stands_in_the_log(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    study_room.read(ident)
    study_room.clients["ada"].post(f"{API}/{ident}/pause")
    table(study_room, ident)
    study_room.clients["grace"].post(f"{API}/{ident}/close")
    entries = study_room.worklist.audit.page(target=f"reader-study:{ident}").items
    assert [(entry.action, entry.actor) for entry in reversed(entries)] == [
        ("reader-study.create", "grace"),
        ("reader-study.start", "grace"),
        ("reader-study.read", "ada"),
        ("reader-study.pause", "ada"),
        ("reader-study.export", "grace"),
        ("reader-study.close", "grace"),
    ]
    assert study_room.worklist.audit.verify().ok
