"""Studies and their films and readings: add, look up, change, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from pneumoscope.worklist import adding, lookup, paging, tables
from pneumoscope.worklist.audit import append
from pneumoscope.worklist.blobs.doomed import collect, doom, rescue
from pneumoscope.worklist.missing import no_such
from pneumoscope.worklist.summary import next_change, refresh, refresh_words
from pneumoscope.worklist.texts import long_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from pneumoscope.worklist.blobs.protocol import BlobStore
    from pneumoscope.worklist.database import Database
    from pneumoscope.worklist.records import (
        FilmRow,
        Neighbours,
        NewFilm,
        NewReading,
        Page,
        Query,
        ReadingRow,
        Source,
        StudyDetail,
        StudyRow,
    )

__all__ = ["Studies"]

_AT_ONCE = 50  # studies that one transaction deletes, so that other writers get their turn
_COUNTED = 10_000


class Studies:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database = database
        self._blobs = blobs

    def add(
        self, films: Sequence[NewFilm], *, label: str, source: Source, by: str, key: str | None = None, note: str = ""
    ) -> StudyRow:
        """Keep films as one study, in one transaction.

        A film that is there already (by sha256) is not added again: its study is the one that is given back, and the
        films that are new join it; of its readings those are kept that were made in a new way. Films with the ``key``
        of an earlier study join that one.

        Args:
            films: At least one.
            label: What a person calls it; the first one of a study stays. Empty: the first film's name.
            source: Where it came from.
            by: Who added it.
            key: What the films of one examination share: a hash of the StudyInstanceUID.
            note: First note of a new study.

        Raises:
            UsageError: What is to be added makes no sense.
            StorageError: The bytes or the rows cannot be kept; then nothing is.
        """
        adding.check_films(films)
        new = adding.New(films, label, source, by, key, long_text(note, "note"))
        blobs = {one.sha256: self._blobs.put(one.kept) for one in films}  # slow, and so before the one writer's turn
        now = self._database.now()
        with self._database.write() as connection:
            for address in rescue(connection, blobs.values()):  # deleted since it was put
                self._blobs.put(next(one.kept for one in films if blobs[one.sha256] == address))
            added = adding.add_films(connection, new, blobs, now)
            if added.films or added.readings:
                append(
                    connection,
                    now,
                    by,
                    "study.add" if added.films else "study.read",
                    target=f"study:{added.study}",
                    detail={
                        "films": list(added.films[:100]),
                        "new": added.new,
                        "readings": added.readings,
                        "source": source,
                    },
                )
            return lookup.study_row(connection, added.study)

    def add_reading(self, study: str, film: str, reading: NewReading, *, by: str) -> ReadingRow:
        """Keep another reading of a film of a study.

        Raises:
            NotFound: There is no such film in the study.
        """
        now = self._database.now()
        with self._database.write() as connection:
            if lookup.film_row(connection, film).study != study:
                raise no_such("study of this film", study)
            name = adding.add_reading(connection, study, film, reading, by=by, now=now)
            refresh(connection, study)
            row = lookup.readings(connection, _reading_is(name))[0]
            detail = {"film": film, "reading": name, "bundle": row.bundle, "preset": row.preset, "forced": row.forced}
            append(connection, now, by, "study.read", target=f"study:{study}", detail=detail)
            return row

    def of_film(self, sha256: str) -> StudyRow | None:
        """The study of a film by the sha256 of the bytes received."""
        with self._database.read() as connection:
            row = connection.execute(select(tables.film.c.study).where(tables.film.c.sha256 == sha256)).first()
            return None if row is None else lookup.study_row(connection, row.study)

    def reading_for(
        self, film: str, bundle_sha256: str, *, preset: str | None = None, forced: bool = False, choice: str = ""
    ) -> ReadingRow | None:
        """The newest reading of a film that was made in just this way.

        Args:
            film: Its sha256.
            bundle_sha256: Of the bundle.
            preset: The operating point that was used; None for any.
            forced: Read although the gate said no.
            choice: As it was given with the reading.
        """
        way = adding.same_way(film, bundle_sha256, preset, forced=forced, choice=choice)
        with self._database.read() as connection:
            return next(iter(lookup.readings(connection, way, limit=1)), None)

    def page(self, query: Query) -> Page[StudyRow]:
        """One page of the worklist.

        Raises:
            UsageError: The cursor is none, or of another order.
        """
        with self._database.read() as connection:
            return paging.page(connection, query)

    def count(self, query: Query, *, cap: int = _COUNTED) -> int:
        """How many studies a query has, cursor and limit aside; never more than ``cap``."""
        with self._database.read() as connection:
            return paging.count(connection, query, cap)

    def neighbours(self, study: str, query: Query) -> Neighbours:
        """The studies before and after one in the order of a query; it need not itself be among the query's.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return paging.neighbours(connection, study, query)

    def get(self, study: str) -> StudyRow:
        """One line of the worklist.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return lookup.study_row(connection, study)

    def get_many(self, ids: Sequence[str]) -> tuple[StudyRow, ...]:
        """Those that are there, in the order of ``ids``."""
        with self._database.read() as connection:
            return lookup.study_rows(connection, ids)

    def detail(self, study: str) -> StudyDetail:
        """All that is known of a study.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return lookup.detail(connection, study)

    def film(self, sha256: str) -> FilmRow:
        """One film.

        Raises:
            NotFound: There is no such film.
        """
        with self._database.read() as connection:
            return lookup.film_row(connection, sha256)

    def kept(self, sha256: str) -> bytes:
        """The kept bytes of a film, checked against their address.

        Raises:
            NotFound: There is no such film.
            StorageError: The bytes are not those that were kept.
        """
        return self._blobs.get(self.film(sha256).blob)

    def reading(self, reading: str) -> ReadingRow:
        """One reading.

        Raises:
            NotFound: There is no such reading.
        """
        with self._database.read() as connection:
            found = lookup.readings(connection, _reading_is(reading))
        if not found:
            raise no_such("reading", reading)
        return found[0]

    def note(self, study: str, text: str, *, by: str) -> StudyRow:
        """Write the note, in place of the one before. The audit log keeps that it was written, and not what.

        Raises:
            NotFound: There is no such study.
            UsageError: It is too long.
        """
        kept = long_text(text, "note")
        with self._database.write() as connection:
            before = lookup.study_row(connection, study)
            if before.note == kept:
                return before
            _write_note(connection, study, kept)
            refresh_words(connection, study)
            detail = {"characters": len(kept)}
            append(connection, self._database.now(), by, "study.note", target=f"study:{study}", detail=detail)
            return lookup.study_row(connection, study)

    def delete(self, ids: Sequence[str], *, by: str) -> int:
        """Delete studies with their films, readings and verdicts; the audit log keeps that it happened.

        Args:
            ids: Those that are not there are passed over.
            by: Who deletes them.

        Returns:
            How many were there.
        """
        some = list(dict.fromkeys(ids))
        count = 0
        for start in range(0, len(some), _AT_ONCE):
            count += self._delete(some[start : start + _AT_ONCE], by)
        if count:
            collect(self._database, self._blobs)
        return count

    def _delete(self, ids: list[str], by: str) -> int:
        now = self._database.now()
        with self._database.write() as connection:
            films = connection.execute(
                select(tables.film.c.study, tables.film.c.sha256, tables.film.c.blob).where(
                    tables.film.c.study.in_(ids)
                )
            )
            held: dict[str, list[str]] = {}
            blobs = set()
            for row in films:
                held.setdefault(row.study, []).append(row.sha256)
                blobs.add(row.blob)
            connection.execute(delete(tables.study).where(tables.study.c.id.in_(held)))  # the rest goes with it
            doom(connection, blobs, now)
            for ident, names in held.items():
                connection.execute(insert(tables.gone), {"study": ident, "changed": next_change(connection), "at": now})
                append(connection, now, by, "study.delete", target=f"study:{ident}", detail={"films": names[:100]})
        return len(held)

    def changes_since(self, number: int, *, limit: int = 1000) -> tuple[int, tuple[str, ...]]:
        """The number of the latest change, and the ids of studies changed or deleted after ``number``, newest first."""
        with self._database.read() as connection:
            return lookup.changes_since(connection, number, limit)


def _reading_is(name: str) -> ColumnElement[bool]:
    return tables.reading.c.id == name


def _write_note(connection: Connection, ident: str, text: str) -> None:
    values = {"note": text, "changed": next_change(connection)}
    connection.execute(update(tables.study).where(tables.study.c.id == ident).values(values))
