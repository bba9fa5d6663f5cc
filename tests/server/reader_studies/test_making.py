"""Making a reader study: films drawn, bad manifests, freezing, versions, and films that are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.reader_studies.records import Candidate
from pneumoscope.server.store.reader_studies.sampling import one_per_patient, reading_order, sample_films
from pneumoscope.server.store.retention import apply_retention

if TYPE_CHECKING:
    from typing import Any as StudyRoom

API = "/api/v1/reader-studies"


def candidates(counts: dict[str, int]) -> list[Candidate]:
    positive = {"bacterial": True, "viral": True, "normal": False, "": None}
    return [
        Candidate(f"{label}{number}", f"s{label}{number}", "r", f"p{label}{number}", label, positive[label])
        for label, count in counts.items()
        for number in range(count)
    ]


def drawn(counts: dict[str, int], **asked: Any) -> dict[str, int]:
    given = {"films": None, "share": None, "training": 0} | asked
    some = sample_films(candidates(counts), rng=np.random.default_rng(1), **given)
    assert len({each.film for each in some}) == len(some)
    found: dict[str, int] = {}
    for each in some:
        key = f"{each.label} training" if each.training else each.label
        found[key] = found.get(key, 0) + 1
    return found


@pytest.mark.parametrize(
    ("counts", "asked", "expected"),
    [
        (
            {"bacterial": 60, "viral": 30, "normal": 90},
            {"films": 40, "share": 0.3},
            {"bacterial": 8, "viral": 4, "normal": 28},
        ),
        ({"bacterial": 20, "normal": 10}, {"share": 0.5}, {"bacterial": 10, "normal": 10}),
        ({"bacterial": 20, "normal": 10, "": 5}, {"films": 7}, {"bacterial": 4, "normal": 2, "": 1}),
        ({"bacterial": 3, "normal": 3, "": 2}, {}, {"bacterial": 3, "normal": 3, "": 2}),
        (
            {"bacterial": 10, "normal": 10},
            {"films": 4, "share": 0.5, "training": 3},
            {"bacterial training": 2, "normal training": 1, "bacterial": 2, "normal": 2},
        ),
    ],
)
def test_samples_keep_the_share_and_the_strata(
    counts: dict[str, int], asked: dict[str, Any], expected: dict[str, int]
) -> None:
    assert drawn(counts, **asked) == expected


@pytest.mark.parametrize(
    ("counts", "asked"),
    [
        ({"bacterial": 3, "normal": 9}, {"films": 10, "share": 0.5}),
        ({"bacterial": 3, "normal": 9}, {"films": 13}),
        ({"": 9}, {"share": 0.5}),
        ({"": 9}, {"training": 1}),
        ({"bacterial": 3}, {"share": 1.0}),
        ({"bacterial": 3}, {"films": 0}),
    ],
)
def test_what_cannot_be_drawn_is_refused(counts: dict[str, int], asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        drawn(counts, **asked)


def test_one_film_of_each_patient_and_an_order_of_each_reader() -> None:
    some = [Candidate(f"f{n}", f"s{n}", "r", f"p{n // 3}", "normal", False, training=n == 7) for n in range(12)]
    one = one_per_patient(some, np.random.default_rng(0))
    assert [each.patient for each in one] == ["p0", "p1", "p2", "p3"]
    orders = {name: reading_order(some, seed=5, reader=name, arm="unaided") for name in ("ada", "ben")}
    assert orders["ada"] != orders["ben"]
    assert all(order[0].film == "f7" for order in orders.values())
    assert orders["ada"] == reading_order(some[::-1], seed=5, reader="ada", arm="unaided")


@pytest.mark.parametrize(
    "manifest",
    [
        "film,finding\nx,1\n",
        "study,label\n",
        "study,label\n,bacterial\n",
        "study,label\nnot-there,bacterial\n",
        "study,label\n{0},bacterial\n{0},normal\n",
        "study,label\n{0},fracture\n",
        "study,label,training\n{0},,yes\n{1},normal,\n",
        "study,label,training\n{0},normal,yes\n",
    ],
)
def test_bad_manifests_are_refused_with_a_reason(study_room: StudyRoom, manifest: str) -> None:
    from pneumoscope.server.store.records import Query

    ids = [row.id for row in study_room.worklist.studies.page(Query(status="read", limit=2)).items]
    text = manifest.format(*ids)
    answer = study_room.clients["grace"].post(API, json={"name": "Bad", "manifest": text})
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_reference_with_gaps_is_left_out_for_a_share_and_kept_without(study_room: StudyRoom) -> None:
    text = study_room.manifest(9, label=lambda n: ["bacterial", "normal", ""][n % 3])
    grace = study_room.clients["grace"]
    shared = grace.post(API, json={"name": "Shared", "manifest": text, "share": 0.5}).json()
    assert (shared["films"], shared["sampling"]["left_out"]) == (6, {"without a reference": 3})
    whole = grace.post(API, json={"name": "Whole", "manifest": text}).json()
    assert (whole["films"], whole["sampling"]["without_reference"]) == (9, 3)


def test_films_of_the_worklist_have_verdicts_as_reference(study_room: StudyRoom) -> None:
    grace = study_room.clients["grace"]
    made = grace.post(API, json={"name": "From the worklist", "filters": {"call": "pneumonia"}}).json()
    films = study_room.studies.films(made["id"])
    assert films
    assert all(each.model_positive for each in films)
    for each in films:
        verdicts = study_room.worklist.verdicts.of(each.study)
        assert bool(each.label) == bool(verdicts and verdicts[0].kind != "not-assessable")


@pytest.mark.parametrize("readers", [["nobody"], ["grace"], ["ada", "ADA"]])
def test_readers_are_users_and_no_administrators(study_room: StudyRoom, readers: list[str]) -> None:
    new = {"name": "Bad", "readers": readers, "manifest": study_room.manifest(2)}
    assert study_room.clients["grace"].post(API, json=new).status_code == 400


def test_a_started_study_is_frozen_and_a_change_is_a_new_version(study_room: StudyRoom) -> None:
    grace = study_room.clients["grace"]
    draft = study_room.make(4, start=False)
    assert (
        grace.patch(f"{API}/{draft}", json={"name": "Another name", "scale": "continuous"}).json()["name"]
        == "Another name"
    )
    started = grace.post(f"{API}/{draft}/start").json()
    assert started["status"] == "running"
    assert len(started["digest"]) == 64
    for refused in (
        grace.patch(f"{API}/{draft}", json={"name": "Third"}),
        grace.delete(f"{API}/{draft}"),
        grace.post(f"{API}/{draft}/start"),
    ):
        assert refused.status_code == 409
    study_room.read(draft, rating=77)
    second = grace.post(f"{API}/{draft}/versions").json()
    assert (second["version"], second["status"], second["films"]) == (2, "draft", 4)
    assert grace.post(f"{API}/{draft}/versions").status_code == 409
    grace.patch(f"{API}/{second['id']}", json={"readers": ["ben"]})
    grace.post(f"{API}/{second['id']}/start")
    assert grace.get(f"{API}/{draft}").json()["status"] == "closed"
    assert [row["done"] for row in grace.get(f"{API}/{second['id']}").json()["progress"]] == [0]


def test_a_draft_without_readers_does_not_start(study_room: StudyRoom) -> None:
    ident = study_room.make(2, start=False, readers=[])
    assert study_room.clients["grace"].post(f"{API}/{ident}/start").status_code == 400


def test_films_of_a_running_study_are_not_deleted(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    worklist = study_room.worklist
    films = study_room.studies.films(ident)
    with pytest.raises(Conflict):
        worklist.studies.delete([films[0].study], by="test")
    apply_retention(worklist, 1e-9)
    assert {row.id for row in worklist.studies.get_many([each.study for each in films])} == {e.study for e in films}
    worklist.reader_studies.close(ident, by="test")
    assert worklist.studies.delete([films[0].study], by="test") == 1
    later = study_room.studies.new_version(ident, by="test")
    with pytest.raises(UsageError):
        study_room.studies.start(later.id, by="test")


def test_texts_that_no_page_can_show_are_made_fit_or_refused(study_room: StudyRoom) -> None:
    grace, ada = study_room.clients["grace"], study_room.clients["ada"]
    text = study_room.manifest(2)
    whole = b'{"name": "none \\u0000 here", "readers": ["ada"], "instructions": "%s", "manifest": "%s"}'
    listed = text.replace("\n", "\\n").encode()
    kind = {"Content-Type": "application/json"}
    assert grace.post(API, content=whole % (b"\\ud800", listed), headers=kind).status_code == 422
    made = grace.post(API, content=whole % (b"\\u0000", listed), headers=kind)
    assert made.status_code == 201, made.text
    ident = made.json()["id"]
    assert grace.get(f"/reader-studies/{ident}", headers={"Accept": "text/html"}).status_code == 200
    assert grace.post(f"{API}/{ident}/start").status_code == 200
    nan = b'{"rating": NaN}'
    kept = ada.put(f"{API}/{ident}/films/unaided/1/draft", content=nan, headers={"Content-Type": "application/json"})
    assert 400 <= kept.status_code < 500
    huge = "study,label\n" + "x" * 200_000 + ",normal\n"
    assert grace.post(API, json={"name": "Huge", "manifest": huge}).status_code == 400
    assert grace.post(f"{API}/{ident}/import", json={"csv": "reader,film,arm,class,rating\n" + huge}).status_code == 400
