"""Whether the store is as the audit log says: the chain, the triggers that guard it, and every row that it vouches for.

The audit log holds the sha256 of each reading and each verdict as it was written. So whoever edits a probability or a
verdict in the database with another program is found, even though the log itself was left alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import BigInteger, Text, select, text, type_coerce

from pneumoscope.errors import UsageError
from pneumoscope.server.store.adding import standing_rows, summary_values
from pneumoscope.server.store.audit_log import AuditLog, append_entry
from pneumoscope.server.store.database import migrate, revision_of, revisions
from pneumoscope.server.store.records import to_verdict
from pneumoscope.server.store.tables import Instant, Json, audit, film, reading, reading_body, study, verdict
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select, Table

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.records import AuditCheck

__all__ = [
    "DIGESTS_PER_ENTRY",
    "IntegrityCheck",
    "digests_of_readings",
    "digests_of_verdicts",
    "migrate_and_record",
    "record_baseline",
    "verify",
]

DIGESTS_PER_ENTRY = 100
"""So many fit into one line of the log, with room for what else it says."""

_STREAM = {"yield_per": 1000}
_MAX_PROBLEMS = 20
_FIRST_WITH_DIGESTS = "0002"  # revision of the tables

# What is hashed, in this order; a column that a later release adds is not part of it, or old digests would not hold.
_READING = (
    "id",
    "film",
    "study",
    "ordinal",
    "created",
    "by",
    "bundle",
    "bundle_sha256",
    "preset",
    "seconds",
    "forced",
    "choice",
    "status",
    "call",
    "probability",
    "pattern",
    "refusal",
)
_BODY = ("document", "map", "map_rows", "map_columns", "map_frame", "in_lungs")
_VERDICT = ("id", "study", "ordinal", "by", "created", "kind", "corrected_to", "comment", "findings", "salt")

_SQLITE_TRIGGERS = ("audit_update", "audit_delete", "audit_insert", "audit_head_delete")
_POSTGRESQL_TRIGGERS = ("audit_keep", "audit_head_keep")


@dataclass(frozen=True, slots=True)
class IntegrityCheck:
    """What ``verify`` found.

    Attributes:
        log: The chain of the audit log.
        missing_triggers: Of those that refuse to change the log; dropped, disabled or replaced.
        problems: What in the tables is not as the log says; at most 20, in words.
        readings: How many were compared.
        verdicts: How many were compared.
    """

    log: AuditCheck
    missing_triggers: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    readings: int = 0
    verdicts: int = 0

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return self.log.ok and not self.missing_triggers and not self.problems

    def findings(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = list(self.problems)
        if self.missing_triggers:
            found.insert(0, f"triggers that guard the audit log are missing: {', '.join(self.missing_triggers)}")
        if not self.log.ok:
            found.insert(0, f"the audit log is not as written: line {self.log.first_bad} was changed or is missing")
        return tuple(found)


@dataclass(slots=True)
class _Logged:
    """What the log vouches for: (study, digest) by id, and which studies were deleted."""

    readings: dict[str, tuple[str, str]] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)


def verify(database: Database) -> IntegrityCheck:
    """Compare the log with itself, its triggers with what they should be, and the tables with the log.

    Raises:
        UsageError: The tables are of an older release.
        StorageError: The database cannot be used.
    """
    log = AuditLog(database).verify()
    with database.read() as connection:
        if revision_of(connection) != revisions()[-1]:
            raise UsageError(
                "the tables are of an older release", where=database.shown, remedy="Start pneumoscope serve once"
            )
        triggers = _missing_triggers(connection, sqlite=database.sqlite)
        if not log.ok:  # what it says of the tables cannot be relied on
            return IntegrityCheck(log, triggers)
        logged = _logged(connection)
        problems: list[str] = []
        readings = _compare(connection, "reading", logged, problems)
        verdicts = _compare(connection, "verdict", logged, problems)
        problems += _wrong_summaries(connection)
    return IntegrityCheck(log, triggers, tuple(problems[:_MAX_PROBLEMS]), readings, verdicts)


def digests_of_readings(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """sha256 of readings as they lie in the tables, by id."""
    chosen = _raw_readings().where(reading.c.id.in_(list(ids)))
    return {row.id: _row_digest(row, (*_READING, *_BODY)) for row in connection.execute(chosen)}


def digests_of_verdicts(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """sha256 of verdicts as they lie in the tables, by id."""
    chosen = _raw_verdicts().where(verdict.c.id.in_(list(ids)))
    return {row.id: _row_digest(row, _VERDICT) for row in connection.execute(chosen)}


def record_baseline(connection: Connection, now: datetime, *, by: str) -> int:
    """Let the log vouch from now on for rows that it does not know yet, those of releases before 0.4; how many."""
    logged = _logged(connection)
    count = 0
    for kind, chosen, names, known in (
        ("readings", _raw_readings(), (*_READING, *_BODY), logged.readings),
        ("verdicts", _raw_verdicts(), _VERDICT, logged.verdicts),
    ):
        fresh = [
            (row.id, [row.study, _row_digest(row, names)]) for row in connection.execute(chosen) if row.id not in known
        ]
        for start in range(0, len(fresh), DIGESTS_PER_ENTRY):
            some = dict(fresh[start : start + DIGESTS_PER_ENTRY])
            append_entry(connection, now, by, "log.baseline", target="", detail={kind: some})
        count += len(fresh)
    return count


def migrate_and_record(database: Database) -> None:
    """Bring the tables up to date; the log vouches from then on for the rows of releases before 0.4, too.

    Raises:
        WorklistIncompatible: A newer pneumoscope wrote the database.
        StorageError: It cannot be used, or holds tables of something else.
    """

    def upgraded(connection: Connection, before: str | None) -> None:
        if (
            before is None or before < _FIRST_WITH_DIGESTS
        ):  # later ones logged every row: an unknown one was smuggled in
            record_baseline(connection, database.now(), by="migration")

    migrate(database, upgraded)


def _logged(connection: Connection) -> _Logged:
    found = _Logged()
    chosen = select(audit.c.action, audit.c.target, audit.c.detail).where(
        (audit.c.action == "log.baseline") | ((audit.c.action >= "study.") & (audit.c.action < "study/"))
    )
    for action, target, detail in connection.execute(chosen.order_by(audit.c.sequence), execution_options=_STREAM):
        ident = target.removeprefix("study:")
        if action == "study.delete":
            found.deleted.add(ident)
            continue
        said = json.loads(detail)
        if action == "log.baseline":
            found.readings |= {name: (home, digest) for name, (home, digest) in said.get("readings", {}).items()}
            found.verdicts |= {name: (home, digest) for name, (home, digest) in said.get("verdicts", {}).items()}
            continue
        found.readings |= {name: (ident, digest) for name, digest in said.get("reading_sha256", {}).items()}
        found.verdicts |= {name: (ident, digest) for name, digest in said.get("verdict_sha256", {}).items()}
    return found


def _compare(connection: Connection, kind: Literal["reading", "verdict"], logged: _Logged, problems: list[str]) -> int:
    """Rows of a table with what the log says of them; how many rows there are."""
    reading_ = kind == "reading"
    chosen, names = (_raw_readings(), (*_READING, *_BODY)) if reading_ else (_raw_verdicts(), _VERDICT)
    left = dict(logged.readings if reading_ else logged.verdicts)
    count = 0
    for row in connection.execute(chosen, execution_options=_STREAM):
        count += 1
        home, digest = left.pop(row.id, ("", ""))
        if not digest:
            problems.append(f"{kind} {row.id} of study {row.study} is not in the log")
        elif home != row.study or digest != _row_digest(row, names):
            problems.append(f"{kind} {row.id} of study {row.study} was changed")
    problems += [
        f"{kind} {name} of study {home} is missing" for name, (home, _) in left.items() if home not in logged.deleted
    ]
    return count


def _possible_summaries(rows: list[Row[Any]]) -> list[dict[str, Any]]:
    """What the readings of a study may make of it: which bundle and preset were in use is not on record."""
    ways = {(row.bundle_sha256, row.preset or "") for row in rows}
    return [summary_values(standing_rows(rows, way)) for way in (None, *ways)]


def _wrong_summaries(connection: Connection) -> Iterator[str]:
    """Studies whose line in the worklist is not what their readings and their newest verdict make of it."""
    lines = (
        select(reading, film.c.position)
        .join(film, film.c.sha256 == reading.c.film)
        .order_by(reading.c.study, film.c.position, reading.c.ordinal)
    )
    verdicts = connection.execute(select(verdict).order_by(verdict.c.study, verdict.c.ordinal.desc()))
    holding = {
        ident: standing_verdict([to_verdict(row) for row in rows])
        for ident, rows in groupby(verdicts, lambda row: row.study)
    }
    summaries = {
        ident: _possible_summaries(list(rows))
        for ident, rows in groupby(connection.execute(lines, execution_options=_STREAM), lambda row: row.study)
    }
    for row in connection.execute(select(study), execution_options=_STREAM):
        values = row._mapping  # noqa: SLF001 - the public way to a column by name
        expected = summaries.get(row.id)
        if expected is None or not any(all(values[name] == value for name, value in one.items()) for one in expected):
            yield f"the summary of study {row.id} is not that of its readings"
        holds = holding.get(row.id)
        if (row.verdict, row.corrected_to) != (("", None) if holds is None else (holds.kind, holds.corrected_to)):
            yield f"the verdict of study {row.id} is not the one that holds"


def _missing_triggers(connection: Connection, *, sqlite: bool) -> tuple[str, ...]:
    if sqlite:
        there = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        guards = {name for name, sql in there if "RAISE(ABORT" in (sql or "") and "WHEN 0" not in sql}
        return tuple(name for name in _SQLITE_TRIGGERS if name not in guards)
    there = connection.execute(
        text(
            "SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND p.prosrc LIKE '%RAISE EXCEPTION%'"
        )
    )
    guards = set(there.scalars())
    return tuple(name for name in _POSTGRESQL_TRIGGERS if name not in guards)


def _raw_readings() -> Select[Any]:
    body = [_raw(column) for column in reading_body.c if column.name in _BODY]
    return select(*(_raw(reading.c[name]) for name in _READING), *body).join(
        reading_body, reading_body.c.reading == reading.c.id
    )


def _raw_verdicts() -> Select[Any]:
    return select(*_raw_columns(verdict, _VERDICT))


def _raw_columns(table: Table, names: tuple[str, ...]) -> list[ColumnElement[Any]]:
    return [_raw(table.c[name]) for name in names]


def _raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column as it lies in the database: a time as a number, JSON as text."""
    plain = BigInteger() if isinstance(column.type, Instant) else Text() if isinstance(column.type, Json) else None
    return column if plain is None else type_coerce(column, plain).label(column.key)


def _row_digest(row: Any, names: tuple[str, ...]) -> str:
    values = row._mapping  # noqa: SLF001 - the public way to a column by name
    found = [values[name] for name in names]
    parts = [hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value for value in found]
    return hashlib.sha256(json.dumps(parts, default=repr).encode()).hexdigest()
