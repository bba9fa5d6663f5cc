"""Boxes of readers as COCO, and boxes from COCO or Label Studio as readings' annotations.

Boxes are kept as fractions of the film, from its top left; COCO wants pixels, Label Studio percent.

References:
    Lin et al., Microsoft COCO: Common Objects in Context (ECCV 2014), and its data format: ``bbox`` is x, y, width,
    height in pixels. Label Studio, JSON export of ``RectangleLabels``: x, y, width and height in percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store import tables
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.reader_studies.records import Box
from pneumoscope.server.store.reader_studies.results import readings_of
from pneumoscope.server.store.reader_studies.studies import find_reader_study, study_films
from pneumoscope.server.store.tables import reader_study_reading
from pneumoscope.server.store.text import clean
from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pneumoscope.server.store.database import Database

__all__ = ["ImportedBoxes", "coco_document", "import_boxes", "parse_boxes"]

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImportedBoxes:
    """How many boxes were put to how many readings, and how many images of the file are not in the study."""

    boxes: int
    readings: int
    unknown: int


def coco_document(database: Database, ident: str, size_of: Callable[[str], Size]) -> dict[str, Any]:
    """The boxes of a study as a COCO document: images, annotations, categories.

    ``image_id`` numbers the study's films by their sha256, so that two exports agree. Beside COCO's own keys an
    annotation has ``reader``, ``arm`` and ``fractions`` (left, top, right, bottom), and an image ``study`` and
    ``sha256``. A film that was read and has no box is an image without annotations.

    Args:
        database: Of the worklist.
        ident: The reader study.
        size_of: Rows and columns of the picture that a reading of the model is of, as readers see it.

    Raises:
        NotFound: There is no such reader study.
    """
    readings = readings_of(database, ident)
    with database.read() as connection:
        row = find_reader_study(connection, ident)
    films = {film.film: film for film, _ in readings}
    sizes = {name: size_of(film.reading) for name, film in sorted(films.items())}
    images = [
        {
            "id": number,
            "file_name": f"{films[name].study}.png",
            "height": rows,
            "width": columns,
            "study": films[name].study,
            "sha256": name,
        }
        for number, (name, (rows, columns)) in enumerate(sizes.items(), 1)
    ]
    numbers = {str(image["sha256"]): int(str(image["id"])) for image in images}
    labels = list(
        dict.fromkeys([row.design.finding, *(box.label for _, each in readings for box in each.boxes if box.label)])
    )
    annotations: list[dict[str, Any]] = []
    for film, reading in readings:
        rows, columns = sizes[film.film]
        for box in reading.boxes:
            width, height = (box.right - box.left) * columns, (box.bottom - box.top) * rows
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": numbers[film.film],
                    "category_id": labels.index(box.label or row.design.finding) + 1,
                    "bbox": [round(each, 3) for each in (box.left * columns, box.top * rows, width, height)],
                    "area": round(width * height, 3),
                    "iscrowd": 0,
                    "reader": reading.reader,
                    "arm": reading.arm,
                    "fractions": [box.left, box.top, box.right, box.bottom],
                }
            )
    return {
        "info": {"description": f"{row.design.name}, version {row.version}. {NOTICE}", "version": str(row.version)},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(labels, 1)],
    }


def parse_boxes(document: object) -> dict[str, list[Box]]:
    """Boxes by the name of their image, out of a COCO document or a Label Studio export.

    Raises:
        UsageError: It is neither, or a box lies beyond its image.
    """
    try:
        if isinstance(document, dict) and {"images", "annotations"} <= document.keys():
            return _coco(document)
        if isinstance(document, list) and all(isinstance(each, dict) for each in document):
            return _label_studio(document)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise UsageError(
            f"the annotations cannot be followed ({type(error).__name__}: {error})", where="annotations"
        ) from error
    raise UsageError(
        "this is neither a COCO document nor a Label Studio export",
        where="annotations",
        remedy="Give COCO JSON with images and annotations, or Label Studio's JSON (not JSON-MIN)",
    )


def _coco(document: Mapping[str, Any]) -> dict[str, list[Box]]:
    images = {each["id"]: each for each in document["images"]}
    names = {each["id"]: str(each["name"]) for each in document.get("categories", ())}
    found: dict[str, list[Box]] = {_image_name(each): [] for each in images.values()}
    for each in document["annotations"]:
        image = images[each["image_id"]]
        x, y, width, height = (float(value) for value in each["bbox"])
        across, down = float(image["width"]), float(image["height"])
        label = names.get(each.get("category_id"), "")
        box = _box(x / across, y / down, (x + width) / across, (y + height) / down, label)
        found[_image_name(image)].append(box)
    return found


def _image_name(image: Mapping[str, Any]) -> str:
    return str(image.get("sha256") or image.get("study") or _plain_name(str(image["file_name"])))


def _label_studio(tasks: list[dict[str, Any]]) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for task in tasks:
        data = task["data"]
        address = next((data[key] for key in ("study", "film", "sha256", "image") if data.get(key)), None)
        if address is None:
            raise UsageError("a task names no image", where="annotations", remedy="Label Studio keeps it in data.image")
        some = found.setdefault(_plain_name(str(address)), [])
        for annotation in task.get("annotations") or task.get("completions") or ():
            if annotation.get("was_cancelled"):
                continue
            for result in annotation["result"]:
                if result.get("type") != "rectanglelabels":
                    continue
                value = result["value"]
                if value.get("rotation"):
                    raise UsageError("a rotated rectangle is no box", where="annotations", remedy="Draw it upright")
                left, top = value["x"] / 100, value["y"] / 100
                labels = value.get("rectanglelabels") or [""]
                right, bottom = left + value["width"] / 100, top + value["height"] / 100
                some.append(_box(left, top, right, bottom, str(labels[0])))
    return found


def _plain_name(address: str) -> str:
    """What an image is called: without folders, ending, query, and the prefix that Label Studio puts before uploads."""
    name = PurePath(address.partition("?")[0].replace("\\", "/")).name
    stem = name.rpartition(".")[0] or name
    head, dash, rest = stem.partition("-")
    upload = dash and len(head) == 8 and all(letter in "0123456789abcdef" for letter in head)
    return rest if upload else stem


def _box(left: float, top: float, right: float, bottom: float, label: str) -> Box:
    near = 1e-6  # percent and pixels come back with a last digit more

    def held(edge: float) -> float:
        return min(max(edge, 0.0), 1.0) if -near <= edge <= 1 + near else edge

    return Box(held(left), held(top), held(right), held(bottom), label=clean(label, 64))


def import_boxes(database: Database, ident: str, document: object, *, reader: str, arm: str, by: str) -> ImportedBoxes:
    """Put boxes that were drawn elsewhere to a reader's readings, in place of those that are there.

    Args:
        database: Of the worklist.
        ident: The reader study, running or closed.
        document: COCO or Label Studio, parsed from JSON. Images are found by sha256, study id, or the film's name.
        reader: Whose readings they belong to.
        arm: Which.
        by: Who brings them in.

    Raises:
        NotFound: There is no such reader study.
        Conflict: It is a draft.
        UsageError: The document is neither, or the reader has read none of its films.
    """
    by_name = parse_boxes(document)
    reader = clean(reader, 64)
    now = database.now()
    with database.write() as connection:
        row = find_reader_study(connection, ident)
        if row.status == "draft":
            raise Conflict("a draft has no readings", where=ident, remedy="Start it first")
        names: dict[str, str] = {}
        for film in study_films(connection, ident):
            names |= {film.film: film.film, film.study: film.film}
            named = connection.execute(select(tables.film.c.name).where(tables.film.c.sha256 == film.film)).scalar()
            if named:
                names.setdefault(_plain_name(named), film.film)
        boxes = readings = unknown = 0
        for name, some in by_name.items():
            film_name = names.get(name)
            table = reader_study_reading
            where = (table.c.reader_study == ident) & (table.c.reader == reader) & (table.c.arm == arm)
            values = {"boxes": [_plain(box) for box in some]}
            done = 0
            if film_name is not None:
                done = connection.execute(update(table).where(where, table.c.film == film_name).values(values)).rowcount
            if not done:
                unknown += 1
                continue
            readings += 1
            boxes += len(some)
        if not readings:
            raise UsageError(
                f"{clean(reader, 64)} has read none of these films in the arm {clean(arm, 20)!r}",
                where="annotations",
                remedy="Name the reader and the arm; images are found by sha256, study or file name",
            )
        detail = {"reader": reader, "arm": arm, "boxes": boxes, "readings": readings}
        append_entry(connection, now, by, "reader-study.boxes", target=f"reader-study:{ident}", detail=detail)
    return ImportedBoxes(boxes, readings, unknown)


def _plain(box: Box) -> dict[str, float | str]:
    return {"left": box.left, "top": box.top, "right": box.right, "bottom": box.bottom, "label": box.label}
