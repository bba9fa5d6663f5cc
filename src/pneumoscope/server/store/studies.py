"""Studies with their films, readings and verdicts: add, look up, change, delete."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, union_all, update

from pneumoscope.errors import Conflict, StorageError, UsageError
from pneumoscope.server.store import adding, paging, tables
from pneumoscope.server.store.adding import next_change, refresh_search_words, refresh_summary
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.garbage import collect_garbage, mark_unreferenced, unmark_referenced
from pneumoscope.server.store.integrity import DIGESTS_PER_ENTRY, digests_of_readings, digests_of_verdicts
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.reader_studies.blinding import blinded_studies, films_in_running_studies
from pneumoscope.server.store.records import (
    Examination,
    FilmRow,
    ReadingRow,
    StudyRecord,
    to_audit_entry,
    to_film,
    to_reading,
    to_study,
    to_verdict,
)
from pneumoscope.server.store.tables import audit, counter, deleted_study, film, reading, reading_body, study, verdict
from pneumoscope.server.store.text import clean, long_text, not_found
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from pneumoscope.server.store.blobs import BlobStore
    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.disk_space import DiskSpace
    from pneumoscope.server.store.records import Neighbours, NewFilm, NewReading, Page, Query
    from pneumoscope.types.studies import Source, Study, Verdict, VerdictKind

__all__ = [
    "Studies",
    "Verdicts",
    "film_row",
    "judged_films",
    "reading_rows",
    "study_changes_since",
    "study_detail",
    "study_row",
    "study_rows",
    "verdict_rows",
]

_IDS_PER_QUERY = 500  # ids in one question


def study_row(connection: Connection, ident: str) -> Study:
    """Raises NotFound."""
    row = connection.execute(select(study).where(study.c.id == ident)).first()
    if row is None:
        raise not_found("study", ident)
    return to_study(row)


def study_rows(connection: Connection, ids: Sequence[str]) -> tuple[Study, ...]:
    """Those that are there, in the order of ``ids``."""
    found: dict[str, Study] = {}
    for start in range(0, len(ids), _IDS_PER_QUERY):
        some = select(study).where(study.c.id.in_(ids[start : start + _IDS_PER_QUERY]))
        found |= {row.id: to_study(row) for row in connection.execute(some)}
    return tuple(found[ident] for ident in dict.fromkeys(ids) if ident in found)


def film_row(connection: Connection, sha256: str) -> FilmRow:
    """Raises NotFound."""
    row = connection.execute(select(film).where(film.c.sha256 == sha256)).first()
    if row is None:
        raise not_found("film", sha256)
    return to_film(row)


def reading_rows(
    connection: Connection, condition: ColumnElement[bool], limit: int | None = None
) -> tuple[ReadingRow, ...]:
    """Newest first."""
    body: list[Any] = [column for column in reading_body.c if column.name != "reading"]
    chosen = select(reading, *body).join(reading_body, reading_body.c.reading == reading.c.id).where(condition)
    rows = connection.execute(chosen.order_by(reading.c.ordinal.desc()).limit(limit))
    return tuple(to_reading(row) for row in rows)


def verdict_rows(connection: Connection, ident: str) -> tuple[Verdict, ...]:
    """Newest first."""
    rows = connection.execute(select(verdict).where(verdict.c.study == ident).order_by(verdict.c.ordinal.desc()))
    return tuple(to_verdict(row) for row in rows)


def study_detail(connection: Connection, ident: str) -> StudyRecord:
    """Raises NotFound."""
    films = connection.execute(select(film).where(film.c.study == ident).order_by(film.c.position)).all()
    # Who has only looked stands in the audit log, and would drown here what was done.
    done = select(audit).where(audit.c.target == f"study:{ident}", audit.c.action != "study.view")
    history = connection.execute(done.order_by(audit.c.sequence))
    return StudyRecord(
        study=study_row(connection, ident),
        films=tuple(to_film(row) for row in films),
        readings=reading_rows(connection, reading.c.study == ident),
        verdicts=verdict_rows(connection, ident),
        history=tuple(to_audit_entry(row) for row in history),
    )


def study_changes_since(connection: Connection, number: int, limit: int) -> tuple[int, tuple[str, ...]]:
    """The latest number, and what changed or went after ``number``, newest first."""
    latest = int(connection.execute(select(counter.c.value).where(counter.c.name == "changes")).scalar_one())
    if latest <= number:
        return latest, ()
    changed = select(study.c.id, study.c.changed).where(study.c.changed > number)
    changed = changed.order_by(study.c.changed.desc()).limit(limit)
    went = select(deleted_study.c.study, deleted_study.c.changed).where(deleted_study.c.changed > number)
    went = went.order_by(deleted_study.c.changed.desc()).limit(limit)
    both = union_all(select(changed.subquery()), select(went.subquery())).subquery()
    rows = connection.execute(select(both.c.id).order_by(both.c.changed.desc()).limit(limit))
    return latest, tuple(rows.scalars())


_DELETE_BATCH = 50  # studies that one transaction deletes, so that other writers get their turn
_MAX_FINDINGS = 20  # of one verdict
_COUNT_CAP = 10_000


class Studies:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database, blobs: BlobStore, disk: DiskSpace) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk

    def add(
        self,
        films: Sequence[NewFilm],
        *,
        label: str,
        source: Source,
        by: str,
        examination: Examination | None = None,
        note: str = "",
    ) -> Study:
        """Keep films as one study, in one transaction.

        A film that is there already (by sha256) is not added again: its study is the one that is given back, and the
        films that are new join it; of its readings those are kept that were made in a new way. Films of the examination
        of an earlier study, by its key, join that one.

        Args:
            films: At least one.
            label: What a person calls it; the first one of a study stays. Empty: the first film's name.
            source: Where it came from.
            by: Who added it.
            examination: What the films share.
            note: First note of a new study.

        Raises:
            UsageError: What is to be added makes no sense.
            StorageError: The bytes or the rows cannot be kept; then nothing is.
        """
        adding.check_films(films)
        self._disk.check(sum(len(one.kept) for one in films))
        kept_note = long_text(note, "note")
        blobs: dict[str, str] = {}
        now = self._database.now()
        try:
            for one in films:
                blobs[one.sha256] = self._blobs.put(one.kept)  # slow, and so before the one writer's turn
            with self._database.write() as connection:
                for address in unmark_referenced(connection, blobs.values()):  # deleted since it was put
                    self._blobs.put(next(one.kept for one in films if blobs[one.sha256] == address))
                added = adding.insert_films(
                    connection,
                    films,
                    blobs,
                    label=label,
                    source=source,
                    by=by,
                    examination=examination or Examination(),
                    note=kept_note,
                    now=now,
                )
                if added.films or added.readings:
                    detail = {"films": list(added.films[:100]), "new": added.new, "source": source}
                    _log_readings(connection, now, by, added, detail)
                return study_row(connection, added.study)
        except BaseException:
            self._discard(blobs.values())
            raise

    def add_reading(self, study: str, film: str, reading: NewReading, *, by: str) -> ReadingRow:
        """Keep another reading of a film of a study.

        Raises:
            NotFound: There is no such film in the study.
        """
        self._disk.check()
        now = self._database.now()
        with self._database.write() as connection:
            if film_row(connection, film).study != study:
                raise not_found("study of this film", study)
            name = adding.insert_reading(connection, study, film, reading, by=by, now=now)
            refresh_summary(connection, study)
            row = reading_rows(connection, _is_reading(name))[0]
            detail: dict[str, Any] = {"film": film, "reading": name, "bundle": row.bundle}
            detail |= {"preset": row.preset, "forced": row.forced}
            detail["reading_sha256"] = digests_of_readings(connection, [name])
            append_entry(connection, now, by, "study.read", target=f"study:{study}", detail=detail)
            return row

    def _discard(self, addresses: Iterable[str]) -> None:
        """Take away the bytes of films that could not be added; if that fails, too, retention does it later."""
        with suppress(StorageError):
            with self._database.write() as connection:
                mark_unreferenced(connection, addresses, self._database.now())
            collect_garbage(self._database, self._blobs)

    def of_film(self, sha256: str) -> Study | None:
        """The study of a film by the sha256 of the bytes received."""
        with self._database.read() as connection:
            row = connection.execute(select(tables.film.c.study).where(tables.film.c.sha256 == sha256)).first()
            return None if row is None else study_row(connection, row.study)

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
        way = adding.same_inference(film, bundle_sha256, preset, forced=forced, choice=choice)
        with self._database.read() as connection:
            return next(iter(reading_rows(connection, way, limit=1)), None)

    def page(self, query: Query) -> Page[Study]:
        """One page of the worklist.

        Raises:
            UsageError: The cursor is none, or of another order.
        """
        with self._database.read() as connection:
            return paging.study_page(connection, query)

    def count(self, query: Query, *, cap: int = _COUNT_CAP) -> int:
        """How many studies a query has, cursor and limit aside; never more than ``cap``."""
        with self._database.read() as connection:
            return paging.study_count(connection, query, cap)

    def neighbours(self, study: str, query: Query) -> Neighbours:
        """The studies before and after one in the order of a query; it need not itself be among the query's.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return paging.study_neighbours(connection, study, query)

    def get(self, study: str) -> Study:
        """One line of the worklist.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return study_row(connection, study)

    def get_many(self, ids: Sequence[str], *, blind: str = "") -> tuple[Study, ...]:
        """Those that are there and that the reader ``blind`` may see now, in the order of ``ids``."""
        with self._database.read() as connection:
            hidden = set(connection.execute(blinded_studies(blind)).scalars()) if blind else set()
            return study_rows(connection, [ident for ident in ids if ident not in hidden])

    def detail(self, study: str) -> StudyRecord:
        """All that is known of a study.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            return study_detail(connection, study)

    def film(self, sha256: str) -> FilmRow:
        """One film.

        Raises:
            NotFound: There is no such film.
        """
        with self._database.read() as connection:
            return film_row(connection, sha256)

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
            found = reading_rows(connection, _is_reading(reading))
        if not found:
            raise not_found("reading", reading)
        return found[0]

    def note(self, study: str, text: str, *, by: str) -> Study:
        """Write the note, in place of the one before. The audit log keeps that it was written, and not what.

        Raises:
            NotFound: There is no such study.
            UsageError: It is too long.
        """
        kept = long_text(text, "note")
        with self._database.write() as connection:
            before = study_row(connection, study)
            if before.note == kept:
                return before
            _write_note(connection, study, kept)
            refresh_search_words(connection, study)
            detail = {"characters": len(kept)}
            append_entry(connection, self._database.now(), by, "study.note", target=f"study:{study}", detail=detail)
            return study_row(connection, study)

    def delete(self, ids: Sequence[str], *, by: str) -> int:
        """Delete studies with their films, readings and verdicts; the audit log keeps that it happened.

        Args:
            ids: Those that are not there are passed over.
            by: Who deletes them.

        Returns:
            How many were there.

        Raises:
            Conflict: A film of one is read in a reader study that runs; then nothing is deleted.
        """
        some = list(dict.fromkeys(ids))
        count = 0
        with self._database.read() as connection:
            held = films_in_running_studies(connection, some)
        if held:
            raise Conflict(
                f"the films of {len(held)} of the studies are read in a reader study",
                where=f"study {held[0]}",
                remedy="Close the reader study first",
            )
        for start in range(0, len(some), _DELETE_BATCH):
            count += self._delete(some[start : start + _DELETE_BATCH], by)
        if count:
            collect_garbage(self._database, self._blobs)
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
            mark_unreferenced(connection, blobs, now)
            for ident, names in held.items():
                connection.execute(
                    insert(tables.deleted_study), {"study": ident, "changed": next_change(connection), "at": now}
                )
                append_entry(
                    connection, now, by, "study.delete", target=f"study:{ident}", detail={"films": names[:100]}
                )
        return len(held)

    def previous(self, study: str, *, limit: int = 20, blind: str = "") -> tuple[Study, ...]:
        """Other studies of the same patient, newest first; none where the patient is not known.

        Args:
            study: Its id.
            limit: At most so many.
            blind: A reader: what this reader must not see now is left out.

        Raises:
            NotFound: There is no such study.
        """
        with self._database.read() as connection:
            study_row(connection, study)
            whose = select(tables.study.c.patient).where(tables.study.c.id == study).scalar_subquery()
            chosen = select(tables.study).where(tables.study.c.patient == whose, tables.study.c.id != study)
            if blind:
                chosen = chosen.where(tables.study.c.id.not_in(blinded_studies(blind)))
            chosen = chosen.order_by(tables.study.c.received.desc(), tables.study.c.id.desc()).limit(limit)
            return tuple(to_study(row) for row in connection.execute(chosen))

    def changes_since(self, number: int, *, limit: int = 1000) -> tuple[int, tuple[str, ...]]:
        """The number of the latest change, and the ids of studies changed or deleted after ``number``, newest first."""
        with self._database.read() as connection:
            return study_changes_since(connection, number, limit)


def _log_readings(
    connection: Connection, now: datetime, by: str, added: adding.AddedStudy, detail: dict[str, Any]
) -> None:
    """Log what was added, with the sha256 of each new reading; as many lines as that takes."""
    homes: dict[str, list[str]] = {added.study: []}
    for row in connection.execute(select(tables.reading.c.id, tables.reading.c.study).where(_are_readings(added))):
        homes.setdefault(row.study, []).append(row.id)
    action = "study.add" if added.films else "study.read"
    for home, ids in homes.items():
        for start in range(0, max(len(ids), 1), DIGESTS_PER_ENTRY):
            some = ids[start : start + DIGESTS_PER_ENTRY]
            said = detail | {"readings": len(ids), "reading_sha256": digests_of_readings(connection, some)}
            append_entry(connection, now, by, action, target=f"study:{home}", detail=said)
            action, detail = "study.read", {}


def _are_readings(added: adding.AddedStudy) -> ColumnElement[bool]:
    return tables.reading.c.id.in_(added.readings)


def _is_reading(name: str) -> ColumnElement[bool]:
    return tables.reading.c.id == name


def _write_note(connection: Connection, ident: str, text: str) -> None:
    values = {"note": text, "changed": next_change(connection)}
    connection.execute(update(tables.study).where(tables.study.c.id == ident).values(values))


class Verdicts:
    """Made by ``open_worklist``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(
        self,
        study: str,
        kind: VerdictKind,
        corrected_to: str | None = None,
        comment: str = "",
        *,
        findings: Sequence[str] = (),
        by: str,
    ) -> Verdict:
        """Give a verdict; earlier ones are kept, and the newest one stands in the worklist.

        Args:
            study: Its id.
            kind: "correct" says that the reading was wrong, "not-assessable" that the film cannot be judged. Who
                corrects to what the reading says already, agrees with it, and that is what is kept.
            corrected_to: A class name, for "correct" only.
            comment: Free text; it is not in the audit log.
            findings: What else is seen, in free words; at most 20.
            by: Who says so.

        Raises:
            NotFound: There is no such study.
            UsageError: "correct" without ``corrected_to``, another kind with it, or too long a comment.
        """
        told = clean(corrected_to or "") or None
        if kind not in {"agree", "correct", "not-assessable"} or (kind == "correct") != (told is not None):
            raise UsageError(
                "a verdict agrees, corrects to something, or says that the film is not assessable",
                where="verdict",
                remedy='Give "agree" or "not-assessable" alone, or "correct" with what it should have been',
            )
        seen = [text for one in findings if (text := clean(one))]
        if len(seen) > _MAX_FINDINGS:
            raise UsageError(f"a verdict has at most {_MAX_FINDINGS} findings", where="findings")
        kept = long_text(comment, "comment")
        with self._database.write() as connection:
            row = study_row(connection, study)
            if told is not None and _is_called(connection, row, told):
                kind, told = "agree", None
            self._append(connection, row, kind, by=by, corrected_to=told, comment=kept, findings=seen)
            _show_verdict(connection, study, kind, told)
            return verdict_rows(connection, study)[0]

    def withdraw(self, study: str, verdict: str, *, by: str) -> Verdict | None:
        """Take one's own verdict back; it is kept, and the one before it holds again.

        Args:
            study: Its id.
            verdict: The one that holds, so that nobody takes back what they have not seen.
            by: Who gave it, and takes it back.

        Returns:
            The verdict that holds now.

        Raises:
            NotFound: There is no such study.
            Conflict: Another verdict holds, or somebody else gave it.
        """
        with self._database.write() as connection:
            row = study_row(connection, study)
            holds = standing_verdict(verdict_rows(connection, study))
            if holds is None or holds.id != verdict or holds.by != clean(by):
                raise Conflict(
                    "this verdict cannot be taken back: another one holds, or another person gave it",
                    where=f"study {study}",
                    remedy="Give another verdict",
                )
            self._append(connection, row, "withdrawn", by=by)
            before = standing_verdict(verdict_rows(connection, study))
            _show_verdict(connection, study, before.kind if before else "", before.corrected_to if before else None)
            return before

    def _append(
        self,
        connection: Connection,
        row: Study,
        kind: VerdictKind,
        *,
        by: str,
        corrected_to: str | None = None,
        comment: str = "",
        findings: Sequence[str] = (),
    ) -> None:
        table, now = tables.verdict, self._database.now()
        last = connection.execute(select(func.max(table.c.ordinal)).where(table.c.study == row.id)).scalar()
        values: dict[str, Any] = {
            "id": new_id(),
            "study": row.id,
            "ordinal": (last or 0) + 1,
            "by": clean(by),
            "created": now,
            "kind": kind,
            "corrected_to": corrected_to,
            "comment": comment,
            "findings": list(findings),
            "salt": new_id(),
        }
        connection.execute(insert(table), values)
        detail: dict[str, Any] = {"verdict": values["id"], "kind": kind, "corrected_to": corrected_to, "call": row.call}
        detail["verdict_sha256"] = digests_of_verdicts(connection, [values["id"]])
        append_entry(connection, now, by, "study.verdict", target=f"study:{row.id}", detail=detail)

    def of(self, study: str) -> tuple[Verdict, ...]:
        """Newest first."""
        with self._database.read() as connection:
            return verdict_rows(connection, study)


def _show_verdict(connection: Connection, ident: str, kind: str, corrected_to: str | None) -> None:
    """Write the verdict that holds into the worklist."""
    said = {"verdict": kind, "corrected_to": corrected_to, "changed": next_change(connection)}
    connection.execute(update(tables.study).where(tables.study.c.id == ident).values(said))


def _is_called(connection: Connection, row: Study, class_name: str) -> bool:
    """Whether a study's reading says already what it is corrected to: its pattern, or the absence of the finding."""
    if row.call is None or row.call == "indeterminate":
        return False
    if row.pattern is not None:
        return row.pattern == class_name
    document = reading_rows(connection, tables.reading.c.film == row.lead, limit=1)[0].document
    return row.call.startswith("no ") and class_name in _negative_classes(document)


def judged_films(connection: Connection) -> dict[str, str]:
    """What persons say of films, as a call, by the films' sha256: of studies of one film that have a verdict."""
    found = {}
    chosen = select(study).where(study.c.films == 1, study.c.verdict.in_(("agree", "correct")), study.c.call != "")
    for row in connection.execute(chosen).all():
        if row.verdict == "agree":
            found[row.lead] = row.call
            continue
        document = reading_rows(connection, tables.reading.c.film == row.lead, limit=1)[0].document
        name = (adding.finding_in(document) or {}).get("name", "pneumonia")
        found[row.lead] = f"no {name}" if row.corrected_to in _negative_classes(document) else name
    return found


def _negative_classes(document: dict[str, Any]) -> list[str]:
    positive = document.get("positive_classes")
    return ["normal"] if positive is None else [name for name in document["probabilities"] if name not in positive]
