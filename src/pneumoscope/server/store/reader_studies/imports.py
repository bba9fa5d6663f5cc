"""Readings made elsewhere, brought in from a table."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING, get_args

from sqlalchemy import select

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.reader_studies.candidates import csv_lines, readable
from pneumoscope.server.store.reader_studies.readings import check_answer, insert_reader_reading
from pneumoscope.server.store.reader_studies.records import Arm, Box, ReaderReading
from pneumoscope.server.store.reader_studies.studies import find_reader_study, study_films
from pneumoscope.server.store.tables import reader_study_reading
from pneumoscope.server.store.text import clean, long_text
from pneumoscope.storage import csv_cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.reader_studies.records import ReaderStudy, StudyFilm

__all__ = ["ImportedReadings", "import_readings"]

_NEEDED = ("reader", "film", "arm", "class", "rating")


@dataclass(frozen=True, slots=True)
class ImportedReadings:
    """How many lines were kept, and how many were there already."""

    kept: int
    known: int


def import_readings(database: Database, ident: str, text: str, *, by: str) -> ImportedReadings:
    """Keep the readings of a CSV, all or none: the columns of the results table, as far as a person fills them in.

    Needed are ``reader``, ``film`` (the id of its study, or its sha256), ``arm``, ``class`` and ``rating``;
    ``seconds``, ``started``, ``finished``, ``box``, ``zones`` and ``comment`` are taken where they are. Readers need
    be no users. The same line again is passed over, so that a file can be sent once more.

    Args:
        database: Of the worklist.
        ident: The reader study, running or closed.
        text: The CSV.
        by: Who brings them in.

    Raises:
        NotFound: There is no such reader study.
        Conflict: It is a draft, or a film was read otherwise by the same reader in the same arm.
        UsageError: A column is missing, or a line's film, class, rating or arm is none of the study's.
    """
    lines = csv.DictReader(StringIO(readable(text)))
    names = [name.strip().casefold() for name in lines.fieldnames or ()]
    lines.fieldnames = names
    if missing := [name for name in _NEEDED if name not in names]:
        raise UsageError(f"the table has no column {missing[0]}", where="readings", remedy="Take the results' columns")
    now = database.now()
    with database.write() as connection:
        row = find_reader_study(connection, ident)
        if row.status == "draft":
            raise Conflict("a draft has no readings", where=ident, remedy="Start it first")
        films = {name: each for each in study_films(connection, ident) for name in (each.study, each.film)}
        table = reader_study_reading
        there = {
            (each.reader, each.arm, each.film): each
            for each in connection.execute(select(table).where(table.c.reader_study == ident))
        }
        kept = known = 0
        for number, line in enumerate(csv_lines(lines, "readings"), 2):
            cells = {name: csv_cell((line.get(name) or "").strip()) for name in names}
            reading = _reading(row, films, cells, number, now)
            before = there.get((reading.reader, reading.arm, reading.film))
            if before is not None:
                said = before._mapping["class"], before.rating  # noqa: SLF001 - the public way to a column by name
                if said != (reading.class_name, reading.rating):
                    raise Conflict(
                        f"line {number}: {reading.reader} read this film otherwise before",
                        where="readings",
                        remedy="Take the line out, or bring it into another version",
                    )
                known += 1
                continue
            insert_reader_reading(connection, ident, reading, key=f"import\x1f{reading.id}")
            there[reading.reader, reading.arm, reading.film] = connection.execute(
                select(table).where(table.c.id == reading.id)
            ).one()
            kept += 1
        detail = {"kept": kept, "known": known}
        append_entry(connection, now, by, "reader-study.import", target=f"reader-study:{ident}", detail=detail)
    return ImportedReadings(kept, known)


def _reading(
    row: ReaderStudy, films: Mapping[str, StudyFilm], cells: Mapping[str, str], number: int, now: datetime
) -> ReaderReading:
    where = f"readings, line {number}"
    film = films.get(cells["film"])
    if film is None:
        raise UsageError(f"the film {clean(cells['film'], 80)!r} is not in the study", where=where)
    if cells["arm"] not in get_args(Arm):
        raise UsageError(f"there is no arm {clean(cells['arm'], 40)!r}", where=where, remedy="Take unaided or aided")
    reader = clean(cells["reader"], 64)
    if not reader:
        raise UsageError("a reading names its reader", where=where)
    rating = _number(cells["rating"], "rating", where)
    zones = tuple(zone.strip() for zone in cells.get("zones", "").split(";") if zone.strip())
    try:
        check_answer(row, cells["class"], rating, zones)
        boxes = tuple(Box(**each) for each in json.loads(cells.get("box", "") or "[]"))
    except UsageError as error:
        raise UsageError(error.what, where=where, remedy=error.remedy) from error
    except (TypeError, ValueError) as error:
        raise UsageError("the boxes are no JSON list of left, top, right and bottom", where=where) from error
    seconds = _number(cells["seconds"], "seconds", where) if cells.get("seconds") else None
    if seconds is not None and seconds < 0:
        raise UsageError("the seconds are negative", where=where)
    return ReaderReading(
        id=new_id(),
        reader=reader,
        arm="aided" if cells["arm"] == "aided" else "unaided",
        film=film.film,
        class_name=cells["class"],
        rating=rating,
        boxes=boxes,
        zones=zones,
        comment=long_text(cells.get("comment", ""), "comment"),
        seconds=seconds,
        started=_moment(cells.get("started", ""), where),
        finished=_moment(cells.get("finished", ""), where) or now,
        training=film.training,
        source="import",
    )


def _number(text: str, what: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"the {what} {clean(text, 40)!r} is no number", where=where)
    return value


def _moment(text: str, where: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise UsageError(
            f"{clean(text, 40)!r} is no time with a zone", where=where, remedy="Write it as 2026-03-01T12:00:00Z"
        )
    return moment
