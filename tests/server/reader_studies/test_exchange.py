"""Readings and boxes made elsewhere come in, and boxes go out as COCO."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from pneumoscope.errors import UsageError
from pneumoscope.server.store.reader_studies.annotations import parse_boxes

if TYPE_CHECKING:
    from typing import Any as StudyRoom

API = "/api/v1/reader-studies"
BOX = {"left": 0.25, "top": 0.5, "right": 0.5, "bottom": 0.75}


def lines(room: StudyRoom, ident: str, *changes: dict[str, str]) -> str:
    """A line for each film, read elsewhere by carl."""
    rows = [
        {"reader": "carl", "film": each.study, "arm": "unaided", "class": "pneumonia", "rating": "4", "seconds": "9.5"}
        for each in room.studies.films(ident)
    ]
    for row, change in zip(rows, changes, strict=False):
        row.update(change)
    out = StringIO()
    table = csv.DictWriter(out, [*rows[0], *({key for each in changes for key in each} - rows[0].keys())])
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def test_readings_made_elsewhere_are_brought_in_once(study_room: StudyRoom) -> None:
    ident = study_room.make(3)
    grace = study_room.clients["grace"]
    text = lines(study_room, ident, {"finished": "2026-03-01T12:00:00Z", "zones": "right lower; left lower"})
    for kept, known in ((3, 0), (0, 3)):
        given = grace.post(f"{API}/{ident}/import", json={"csv": text})
        assert (given.status_code, given.json()) == (201, {"kept": kept, "known": known})
    rows = grace.get(f"{API}/{ident}/results", params={"format": "json"}).json()
    assert [(row["reader"], row["source"], row["seconds"]) for row in rows] == [("carl", "import", 9.5)] * 3
    assert "2026-03-01T12:00:00+00:00" in {row["finished"] for row in rows}
    shown = grace.get(f"{API}/{ident}").json()
    assert {"reader": "carl", "done": 3}.items() <= next(r for r in shown["progress"] if r["reader"] == "carl").items()
    # The whole table comes back as it went out.
    again = grace.post(f"{API}/{ident}/import", json={"csv": grace.get(f"{API}/{ident}/results").text})
    assert again.json() == {"kept": 0, "known": 3}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"film": "of-another-study"}, 400),
        ({"class": "fracture"}, 400),
        ({"rating": "high"}, 400),
        ({"rating": "9"}, 400),
        ({"arm": "third"}, 400),
        ({"reader": ""}, 400),
        ({"seconds": "-1"}, 400),
        ({"finished": "yesterday"}, 400),
        ({"box": "[{}]"}, 400),
    ],
)
def test_a_bad_line_keeps_all_out(study_room: StudyRoom, change: dict[str, str], status: int) -> None:
    ident = study_room.make(3)
    grace = study_room.clients["grace"]
    text = lines(study_room, ident, {}, change)
    answer = grace.post(f"{API}/{ident}/import", json={"csv": text})
    assert answer.status_code == status
    assert grace.get(f"{API}/{ident}/results", params={"format": "json"}).json() == []


def test_a_line_that_contradicts_a_reading_is_refused(study_room: StudyRoom) -> None:
    ident = study_room.make(3)
    grace = study_room.clients["grace"]
    grace.post(f"{API}/{ident}/import", json={"csv": lines(study_room, ident)})
    other = grace.post(f"{API}/{ident}/import", json={"csv": lines(study_room, ident, {"rating": "1"})})
    assert other.status_code == 409
    assert grace.post(f"{API}/{ident}/import", json={"csv": "reader,film\nx,y\n"}).status_code == 400


def test_boxes_go_out_as_coco_and_come_back(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    grace = study_room.clients["grace"]
    study_room.read(ident, boxes=[BOX, {**BOX, "right": 1.0, "label": "effusion"}])
    study_room.read(ident)
    coco = grace.get(f"{API}/{ident}/annotations").json()
    assert [each["name"] for each in coco["categories"]] == ["pneumonia", "effusion"]
    assert len(coco["images"]) == 2
    first, second = coco["annotations"]
    image = next(each for each in coco["images"] if each["id"] == first["image_id"])
    left, top, width, height = first["bbox"]
    assert [left, top] == [0.25 * image["width"], 0.5 * image["height"]]
    assert [width, height] == [0.25 * image["width"], 0.25 * image["height"]]
    assert (second["category_id"], second["reader"], first["fractions"]) == (2, "ada", [0.25, 0.5, 0.5, 0.75])
    first["bbox"][0] = 0
    given = grace.post(f"{API}/{ident}/annotations", json={"document": coco, "reader": "ada"})
    assert given.json() == {"boxes": 2, "readings": 2, "unknown": 0}
    back = grace.get(f"{API}/{ident}/annotations").json()["annotations"]
    assert sorted(each["fractions"] for each in back) == [[0.0, 0.5, 0.25, 0.75], [0.25, 0.5, 1.0, 0.75]]
    nobody = grace.post(f"{API}/{ident}/annotations", json={"document": coco, "reader": "carl"})
    assert nobody.status_code == 400


def test_label_studio_is_followed(study_room: StudyRoom) -> None:
    ident = study_room.make(2)
    grace = study_room.clients["grace"]
    study_room.read(ident)
    film = study_room.studies.films(ident)
    read = grace.get(f"{API}/{ident}/results", params={"format": "json"}).json()[0]["film"]
    tasks = [
        {
            "data": {"image": f"/data/upload/3/1a2b3c4d-{each.study}.png?x=1"},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "rectanglelabels",
                            "value": {"x": 10, "y": 20, "width": 30, "height": 40, "rectanglelabels": ["opacity"]},
                        },
                        {"type": "choices", "value": {"choices": ["bacterial"]}},
                    ]
                }
            ],
        }
        for each in film
    ]
    given = grace.post(f"{API}/{ident}/annotations", json={"document": tasks, "reader": "ada"})
    assert given.json() == {"boxes": 1, "readings": 1, "unknown": 1}
    coco = grace.get(f"{API}/{ident}/annotations").json()
    assert coco["annotations"][0]["fractions"] == pytest.approx([0.1, 0.2, 0.4, 0.6])
    assert read in {each["study"] for each in coco["images"]}


@pytest.mark.parametrize(
    "document",
    [
        {},
        "boxes",
        [{"annotations": []}],
        [{"data": {"image": "x.png"}, "annotations": [{"result": [{"type": "rectanglelabels", "value": {}}]}]}],
        {
            "images": [{"id": 1, "file_name": "x.png", "width": 10, "height": 10}],
            "annotations": [{"image_id": 1, "bbox": [5, 5, 6, 1]}],
        },
        {"images": [], "annotations": [{"image_id": 1, "bbox": [5, 5, 6, 1]}]},
        {
            "images": [{"id": 1, "file_name": "x.png", "width": 0, "height": 10}],
            "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}],
        },
    ],
)
def test_what_is_no_annotation_is_refused(document: object) -> None:
    with pytest.raises(UsageError):
        parse_boxes(document)
