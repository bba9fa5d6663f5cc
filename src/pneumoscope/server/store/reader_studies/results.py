"""Results of a reader study as a table: one row a reading, with the reference and what the model said."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from pneumoscope.server.store.reader_studies.readings import to_reader_reading
from pneumoscope.server.store.reader_studies.studies import find_reader_study, study_films
from pneumoscope.server.store.tables import reader_study_item, reader_study_reader, reader_study_reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.reader_studies.records import Box, ReaderReading, StudyFilm

__all__ = ["RESULT_COLUMNS", "ReaderStudyFilmReading", "readings_of", "result_rows"]

RESULT_COLUMNS: dict[str, type] = {
    "study": str,
    "version": int,
    "reader": str,
    "film": str,
    "patient": str,
    "arm": str,
    "label": str,
    "class": str,
    "rating": float,
    "seconds": float,
    "started": datetime,
    "finished": datetime,
    "box": str,
    "comment": str,
    "training": bool,
    "model_probability": float,
    "model_threshold": float,
    "model_positive": bool,
    "bundle": str,
    "label_positive": bool,
    "class_positive": bool,
    "scale": str,
    "zones": str,
    "position": int,
    "source": str,
    "left": bool,
    "film_sha256": str,
}
"""Columns of the table, and what they hold.

``film`` is the id of the film's study in the worklist, ``patient`` a keyed hash, ``rating`` higher for more suspicion
of the finding, ``box`` a JSON list of boxes as fractions of the film, ``left`` whether the reader left half-way.
"""

ReaderStudyFilmReading = tuple["StudyFilm", "ReaderReading"]


def readings_of(database: Database, ident: str) -> tuple[ReaderStudyFilmReading, ...]:
    """All readings of a study with their films, by reader, arm and time.

    Raises:
        NotFound: There is no such reader study.
    """
    table = reader_study_reading
    with database.read() as connection:
        find_reader_study(connection, ident)
        films = {each.film: each for each in study_films(connection, ident)}
        rows = connection.execute(
            select(table)
            .where(table.c.reader_study == ident)
            .order_by(table.c.reader, table.c.arm.desc(), table.c.finished, table.c.id)
        ).all()
    return tuple((films[row.film], to_reader_reading(row)) for row in rows)


def result_rows(database: Database, ident: str) -> Iterator[dict[str, Any]]:
    """One row a reading.

    Raises:
        NotFound: There is no such reader study.
    """
    items, readers = reader_study_item, reader_study_reader
    with database.read() as connection:
        row = find_reader_study(connection, ident)
        order = connection.execute(select(items).where(items.c.reader_study == ident)).all()
        gone = connection.execute(select(readers.c.reader, readers.c.left).where(readers.c.reader_study == ident)).all()
    positions = {(each.reader, each.arm, each.film): each.position for each in order}
    left = {each.reader: each.left is not None for each in gone}
    for film, reading in readings_of(database, ident):
        yield {
            "study": row.series,
            "version": row.version,
            "reader": reading.reader,
            "film": film.study,
            "patient": film.patient,
            "arm": reading.arm,
            "label": film.label,
            "class": reading.class_name,
            "rating": reading.rating,
            "seconds": reading.seconds,
            "started": reading.started,
            "finished": reading.finished,
            "box": _boxes(reading.boxes),
            "comment": reading.comment,
            "training": reading.training,
            "model_probability": film.probability,
            "model_threshold": film.threshold,
            "model_positive": film.model_positive,
            "bundle": film.bundle,
            "label_positive": film.positive,
            "class_positive": reading.class_name in row.design.positive,
            "scale": row.design.scale,
            "zones": "; ".join(reading.zones),
            "position": positions.get((reading.reader, reading.arm, reading.film)),
            "source": reading.source,
            "left": left.get(reading.reader, False),
            "film_sha256": film.film,
        }


def _boxes(boxes: tuple[Box, ...]) -> str:
    return json.dumps([asdict(box) for box in boxes]) if boxes else ""
