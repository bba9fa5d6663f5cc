"""Studies, films and readings by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, union_all

from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.records import FilmRow, ReadingRow, StudyDetail, StudyRow, VerdictRow
from pneumoscope.worklist.rows import to_entry, to_film, to_reading, to_study, to_verdict
from pneumoscope.worklist.tables import audit, counter, film, gone, reading, reading_body, study, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

__all__ = ["changes_since", "detail", "film_row", "readings", "study_row", "study_rows", "verdicts"]

_MANY = 500  # ids in one question


def study_row(connection: Connection, ident: str) -> StudyRow:
    """Raises NotFound."""
    row = connection.execute(select(study).where(study.c.id == ident)).first()
    if row is None:
        raise no_such("study", ident)
    return to_study(row)


def study_rows(connection: Connection, ids: Sequence[str]) -> tuple[StudyRow, ...]:
    """Those that are there, in the order of ``ids``."""
    found: dict[str, StudyRow] = {}
    for start in range(0, len(ids), _MANY):
        some = select(study).where(study.c.id.in_(ids[start : start + _MANY]))
        found |= {row.id: to_study(row) for row in connection.execute(some)}
    return tuple(found[ident] for ident in dict.fromkeys(ids) if ident in found)


def film_row(connection: Connection, sha256: str) -> FilmRow:
    """Raises NotFound."""
    row = connection.execute(select(film).where(film.c.sha256 == sha256)).first()
    if row is None:
        raise no_such("film", sha256)
    return to_film(row)


def readings(
    connection: Connection, condition: ColumnElement[bool], limit: int | None = None
) -> tuple[ReadingRow, ...]:
    """Newest first."""
    body: list[Any] = [column for column in reading_body.c if column.name != "reading"]
    chosen = select(reading, *body).join(reading_body, reading_body.c.reading == reading.c.id).where(condition)
    rows = connection.execute(chosen.order_by(reading.c.ordinal.desc()).limit(limit))
    return tuple(to_reading(row) for row in rows)


def verdicts(connection: Connection, ident: str) -> tuple[VerdictRow, ...]:
    """Newest first."""
    rows = connection.execute(select(verdict).where(verdict.c.study == ident).order_by(verdict.c.ordinal.desc()))
    return tuple(to_verdict(row) for row in rows)


def detail(connection: Connection, ident: str) -> StudyDetail:
    """Raises NotFound."""
    films = connection.execute(select(film).where(film.c.study == ident).order_by(film.c.position)).all()
    history = connection.execute(select(audit).where(audit.c.target == f"study:{ident}").order_by(audit.c.sequence))
    return StudyDetail(
        study=study_row(connection, ident),
        films=tuple(to_film(row) for row in films),
        readings=readings(connection, reading.c.study == ident),
        verdicts=verdicts(connection, ident),
        history=tuple(to_entry(row) for row in history),
    )


def changes_since(connection: Connection, number: int, limit: int) -> tuple[int, tuple[str, ...]]:
    """The latest number, and what changed or went after ``number``, newest first."""
    latest = int(connection.execute(select(counter.c.value).where(counter.c.name == "changes")).scalar_one())
    if latest <= number:
        return latest, ()
    changed = select(study.c.id, study.c.changed).where(study.c.changed > number)
    changed = changed.order_by(study.c.changed.desc()).limit(limit)
    went = select(gone.c.study, gone.c.changed).where(gone.c.changed > number)
    went = went.order_by(gone.c.changed.desc()).limit(limit)
    both = union_all(select(changed.subquery()), select(went.subquery())).subquery()
    rows = connection.execute(select(both.c.id).order_by(both.c.changed.desc()).limit(limit))
    return latest, tuple(rows.scalars())
