"""Reading in a study: what comes next, drafts, readings that count once however often they are sent, and progress."""

from __future__ import annotations

import hashlib
import json
import statistics
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.reader_studies.records import (
    ZONES,
    Box,
    NewReaderReading,
    ReaderProgress,
    ReaderReading,
    ReaderStudy,
    StudyFilm,
    Task,
    to_study_film,
)
from pneumoscope.server.store.reader_studies.studies import find_reader_study
from pneumoscope.server.store.tables import (
    reader_study_film,
    reader_study_item,
    reader_study_reader,
    reader_study_reading,
)
from pneumoscope.server.store.text import clean, long_text, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

    from pneumoscope.server.store.database import Database

__all__ = ["ReaderReadings", "check_answer", "insert_reader_reading", "to_reader_reading"]

_MOST_BOXES = 50
_LONGEST_DRAFT = 20_000  # characters


def to_reader_reading(row: Row[Any]) -> ReaderReading:
    """A row of ``reader_study_reading``."""
    values = row._mapping  # noqa: SLF001 - the public way to a column by name: one is called "class"
    return ReaderReading(
        id=row.id,
        reader=row.reader,
        arm=row.arm,
        film=row.film,
        class_name=values["class"],
        rating=row.rating,
        boxes=tuple(Box(**each) for each in row.boxes),
        zones=tuple(row.zones),
        comment=row.comment,
        seconds=row.seconds,
        started=row.started,
        finished=row.finished,
        training=row.training,
        source=row.source,
    )


def check_answer(row: ReaderStudy, class_name: str, rating: float, zones: tuple[str, ...] = ()) -> None:
    """Hold an answer to the study's classes, scale and zones.

    Raises:
        UsageError: It is none of them.
    """
    lowest, highest = row.design.rating_range
    if class_name not in row.design.classes:
        raise UsageError(
            f"{clean(class_name)!r} is none of the study's classes",
            where="class",
            remedy=f"Take one of {', '.join(row.design.classes)}",
        )
    whole = row.design.scale == "five" and rating != round(rating)
    if not lowest <= rating <= highest or whole:
        raise UsageError(
            f"a rating of this study lies between {lowest:g} and {highest:g}, and is not {rating:g}",
            where="rating",
            remedy="Give a whole number" if whole else "",
        )
    if unknown := set(zones) - set(ZONES):
        raise UsageError(f"there is no zone {min(unknown)!r}", where="zones", remedy=f"Take some of {', '.join(ZONES)}")


class ReaderReadings:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def task(self, ident: str, reader: str) -> Task:
        """What the reader has to do now; the film's time begins when it is first asked for.

        Raises:
            NotFound: There is no such reader study, or it is not this reader's.
            Conflict: The study does not run, or the reader was let go.
        """
        with self._database.read() as connection:
            task, opened = self._task(connection, ident, reader)
        if task.state == "read" and opened is None:
            with self._database.write() as connection:
                task, opened = self._task(connection, ident, reader)
                if task.state == "read" and opened is None:
                    where = _is_item(ident, reader, task.arm, task.position)
                    connection.execute(update(reader_study_item).where(where).values(opened=self._database.now()))
        return task

    def film(self, ident: str, reader: str, arm: str, position: int) -> StudyFilm:
        """The film of a reader's list, up to the one after the next: it is loaded before.

        Raises:
            NotFound: There is no such film in the list, or it is not its turn.
            Conflict: The study does not run, or the reader was let go.
        """
        with self._database.read() as connection:
            task, _ = self._task(connection, ident, reader)
            turn = task.position if task.arm == arm and task.state == "read" else 0
            row = connection.execute(select(reader_study_item).where(_is_item(ident, reader, arm, position))).first()
            if row is None or not (turn <= position <= turn + 1):
                raise not_found("film, or it is not its turn", f"{arm} {position}")
            return _film(connection, ident, row.film)

    def save_draft(self, ident: str, reader: str, arm: str, position: int, draft: Mapping[str, Any]) -> None:
        """Keep what was said so far of the film whose turn it is; nothing happens to one that was read.

        Raises:
            NotFound: There is no such reader study, or it is not this reader's.
            Conflict: The study does not run, or the reader was let go.
            UsageError: It is too long.
        """
        try:
            length = len(json.dumps(draft, allow_nan=False))
        except ValueError as error:
            raise UsageError("the draft has a number that is none", where="draft") from error
        if length > _LONGEST_DRAFT:
            raise UsageError("the draft is too long", where="draft", remedy="Write a shorter comment")
        with self._database.write() as connection:
            task, _ = self._task(connection, ident, reader)
            if (task.state, task.arm, task.position) == ("read", arm, position):
                where = _is_item(ident, reader, arm, position)
                connection.execute(update(reader_study_item).where(where).values(draft=dict(draft)))

    def give(self, ident: str, reader: str, said: NewReaderReading) -> tuple[ReaderReading, StudyFilm]:
        """Keep a reading; the same key again gives the same reading back, and keeps no second one.

        Returns:
            The reading, and the film that it is of.

        Raises:
            NotFound: There is no such reader study, or it is not this reader's.
            Conflict: The study does not run, the film was read (in another tab, say), or it is not its turn.
            UsageError: The answer is none of the study's.
        """
        if not said.key or len(said.key) > 100:
            raise UsageError("a reading has a key of at most 100 characters", where="key")
        if len(said.boxes) > _MOST_BOXES:
            raise UsageError(f"a reading has at most {_MOST_BOXES} boxes", where="boxes")
        comment = long_text(said.comment, "comment")
        now = self._database.now()
        with self._database.write() as connection:
            row = find_reader_study(connection, ident)
            sent = connection.execute(
                select(reader_study_reading).where(
                    reader_study_reading.c.reader_study == ident,
                    reader_study_reading.c.key == _own_key(reader, said.key),
                )
            ).first()
            if sent is not None:
                kept = to_reader_reading(sent)
                return kept, _film(connection, ident, kept.film)
            task, opened = self._task(connection, ident, reader)
            if (task.state, task.arm, task.position) != ("read", said.arm, said.position):
                raise Conflict(
                    "this film was read before, or it is not its turn: another tab may have been faster",
                    where=f"{said.arm} {said.position}",
                    remedy="Go on with the film that comes next",
                )
            check_answer(row, said.class_name, said.rating, said.zones)
            opened = opened or now
            reading = ReaderReading(
                id=new_id(),
                reader=reader,
                arm=said.arm,
                film=task.film,
                class_name=said.class_name,
                rating=float(said.rating),
                boxes=said.boxes,
                zones=said.zones,
                comment=comment,
                # No clock of a browser makes it longer than the film has been before the reader.
                seconds=min(max(said.seconds, 0.0), (now - opened).total_seconds()),
                started=opened,
                finished=now,
                training=task.training,
                source="web",
            )
            insert_reader_reading(connection, ident, reading, key=_own_key(reader, said.key))
            digest = hashlib.sha256(json.dumps(asdict(reading), default=str, sort_keys=True).encode()).hexdigest()
            detail = {"reading": reading.id, "arm": said.arm, "position": said.position, "reading_sha256": digest}
            append_entry(connection, now, reader, "reader-study.read", target=f"reader-study:{ident}", detail=detail)
            return reading, _film(connection, ident, task.film)

    def progress(self, ident: str) -> tuple[ReaderProgress, ...]:
        """How far each reader is in each arm, by name; empty for a draft.

        Raises:
            NotFound: There is no such reader study.
        """
        with self._database.read() as connection:
            find_reader_study(connection, ident)
            totals = connection.execute(
                select(reader_study_item.c.reader, reader_study_item.c.arm, func.count().label("total"))
                .where(reader_study_item.c.reader_study == ident)
                .group_by(reader_study_item.c.reader, reader_study_item.c.arm)
            ).all()
            given = connection.execute(
                select(
                    reader_study_reading.c.reader,
                    reader_study_reading.c.arm,
                    reader_study_reading.c.seconds,
                    reader_study_reading.c.finished,
                ).where(reader_study_reading.c.reader_study == ident)
            ).all()
            readers = connection.execute(
                select(reader_study_reader).where(reader_study_reader.c.reader_study == ident)
            ).all()
        left = {row.reader: row.left for row in readers}
        order = {(row.reader, arm): number for row in readers for number, arm in enumerate(row.arms)}
        of = {(row.reader, row.arm): row.total for row in totals}
        found = []
        for key in sorted(
            {*of, *((row.reader, row.arm) for row in given)}, key=lambda key: (key[0], order.get(key, 9))
        ):
            some = [row for row in given if (row.reader, row.arm) == key]
            times = [row.seconds for row in some if row.seconds is not None]
            found.append(
                ReaderProgress(
                    reader=key[0],
                    arm=key[1],
                    done=len(some),
                    total=of.get(key, len(some)),
                    seconds=statistics.median(times) if times else None,
                    last=max((row.finished for row in some), default=None),
                    left=left.get(key[0]),
                )
            )
        return tuple(found)

    def _task(self, connection: Connection, ident: str, reader: str) -> tuple[Task, datetime | None]:
        """What is to be done, and when its film was first shown."""
        row = find_reader_study(connection, ident)
        mine = connection.execute(
            select(reader_study_reader).where(
                reader_study_reader.c.reader_study == ident, reader_study_reader.c.reader == reader
            )
        ).first()
        if mine is None:
            raise not_found("reader study", ident)
        if row.status != "running" or mine.left is not None:
            raise Conflict(
                "this reader study is closed" if mine.left is None else "you do not read in this study any more",
                where=row.design.name,
                remedy="What you have read is kept",
            )
        before: datetime | None = None
        for number, arm in enumerate(mine.arms):
            total, done, last = self._count(connection, ident, reader, arm)
            if done >= total:
                before = last
                continue
            free = None if number == 0 or before is None else before + timedelta(days=row.design.washout_days)
            if free is not None and free > self._database.now():
                return Task("washout", arm=arm, total=total, available=free), None
            return self._next(connection, ident, reader, Task("read", arm=arm, done=done, total=total))
        return Task("done"), None

    @staticmethod
    def _count(connection: Connection, ident: str, reader: str, arm: str) -> tuple[int, int, datetime | None]:
        items, given = reader_study_item, reader_study_reading
        total = connection.execute(
            select(func.count()).where(items.c.reader_study == ident, items.c.reader == reader, items.c.arm == arm)
        ).scalar_one()
        done, last = connection.execute(
            select(func.count(), func.max(given.c.finished)).where(
                given.c.reader_study == ident, given.c.reader == reader, given.c.arm == arm
            )
        ).one()
        return int(total), int(done), last

    @staticmethod
    def _next(connection: Connection, ident: str, reader: str, task: Task) -> tuple[Task, datetime | None]:
        items, given = reader_study_item, reader_study_reading
        read = select(given.c.film).where(
            given.c.reader_study == ident, given.c.reader == reader, given.c.arm == task.arm
        )
        chosen = select(items).where(items.c.reader_study == ident, items.c.reader == reader, items.c.arm == task.arm)
        rows = connection.execute(chosen.where(items.c.film.not_in(read)).order_by(items.c.position).limit(2)).all()
        row = rows[0]
        training = _film(connection, ident, row.film).training
        ahead = rows[1].position if len(rows) > 1 and rows[1].position == row.position + 1 else None
        task = replace(task, position=row.position, training=training, film=row.film, draft=row.draft, ahead=ahead)
        return task, row.opened


def _own_key(reader: str, key: str) -> str:
    """Two readers may hit upon the same key."""
    return f"{reader}\x1f{clean(key)}"


def insert_reader_reading(connection: Connection, ident: str, reading: ReaderReading, *, key: str) -> None:
    """Add the row."""
    values = asdict(reading)
    values["class"] = values.pop("class_name")
    values |= {"reader_study": ident, "key": key, "zones": list(reading.zones)}
    connection.execute(insert(reader_study_reading), values)


def _film(connection: Connection, ident: str, film: str) -> StudyFilm:
    where = (reader_study_film.c.reader_study == ident) & (reader_study_film.c.film == film)
    return to_study_film(connection.execute(select(reader_study_film).where(where)).one())


def _is_item(ident: str, reader: str, arm: str, position: int) -> Any:
    items = reader_study_item.c
    return (items.reader_study == ident) & (items.reader == reader) & (items.arm == arm) & (items.position == position)
