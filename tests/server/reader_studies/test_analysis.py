"""The statistics of what was read, on the study's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from typing import Any as StudyRoom

API = "/api/v1/reader-studies"
HTML = {"Accept": "text/html"}


def readings(room: StudyRoom, ident: str) -> str:
    """Three readers who are often right."""
    lines = ["reader,film,arm,class,rating,seconds"]
    for number, each in enumerate(room.studies.films(ident)):
        for place, reader in enumerate(("ada", "ben", "carl")):
            wrong = (number + place) % 4 == 0
            present = bool(each.positive) is not wrong
            rating = (4 if present else 2) + (number + place) % 2
            lines.append(f"{reader},{each.study},unaided,{'' if present else 'no '}pneumonia,{rating},{5 + number}")
    return "\n".join(lines) + "\n"


def test_nothing_is_analysed_before_something_was_read(study_room: StudyRoom) -> None:
    ident = study_room.make(4)
    answer = study_room.clients["grace"].post(f"/reader-studies/{ident}/analyse", headers=HTML)
    assert answer.status_code == 400
    assert "nothing was read yet" in answer.text.lower()
    missing = study_room.clients["grace"].get(f"/reader-studies/{ident}/analysis/reader_study.html", headers=HTML)
    assert missing.status_code == 404
    assert study_room.clients["ada"].post(f"/reader-studies/{ident}/analyse").status_code == 403


@pytest.mark.slow
def test_the_page_shows_the_figures_of_the_command(study_room: StudyRoom) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pyarrow")
    grace = study_room.clients["grace"]
    ident = study_room.make(16)
    assert grace.post(f"{API}/{ident}/import", json={"csv": readings(study_room, ident)}).status_code == 201
    page = grace.post(f"/reader-studies/{ident}/analyse", data={"margin": "0.1"}, headers=HTML)
    assert page.status_code == 200, page.text
    result = grace.get(f"/reader-studies/{ident}/analysis/reader_study.json").json()
    assert {one["reader"] for one in result["results"]} == {"ada", "ben", "carl"}
    first = result["results"][0]["sensitivity"]["value"]
    assert f"{first:.3f}" in page.text
    assert "readers_roc.png" in page.text
    figure = grace.get(f"/reader-studies/{ident}/analysis/readers_roc.png")
    assert figure.content.startswith(b"\x89PNG")
    report = grace.get(f"/reader-studies/{ident}/analysis/reader_study.html")
    assert "attachment" in report.headers["content-disposition"]
    assert "were read since" not in page.text
    for name in ("readings.csv", "..%2f..%2fworklist.sqlite", "other.png"):
        assert grace.get(f"/reader-studies/{ident}/analysis/{name}").status_code == 404
