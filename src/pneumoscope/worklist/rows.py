"""From the database's rows to the store's records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pneumoscope.gate.statistics import STATISTICS
from pneumoscope.worklist.records import (
    AuditEntry,
    EvidenceMap,
    FilmRow,
    ReadingRow,
    SessionRow,
    StudyRow,
    TokenRow,
    UserRow,
    VerdictRow,
)

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["to_entry", "to_film", "to_reading", "to_session", "to_study", "to_token", "to_user", "to_verdict"]

# Rows of SQLAlchemy Core carry no types; each value is what its column in tables.py says.


def to_study(row: Row[Any]) -> StudyRow:
    """A row of ``study``."""
    return StudyRow(
        id=row.id,
        label=row.label,
        source=row.source,
        received=row.received,
        changed=row.changed,
        films=row.films,
        status=row.status,
        call=row.call or None,
        probability=row.probability,
        pattern=row.pattern,
        refusal=row.refusal or None,
        verdict=row.verdict or None,
        corrected_to=row.corrected_to,
        lead=row.lead,
        bundle=row.bundle,
        note=row.note,
    )


def to_film(row: Row[Any]) -> FilmRow:
    """A row of ``film``."""
    values = row._mapping  # noqa: SLF001 - the public way to a column by name
    return FilmRow(
        sha256=row.sha256,
        study=row.study,
        position=row.position,
        name=row.name,
        format=row.format,
        rows=row.rows,
        columns=row.columns,
        bytes=row.bytes,
        white=row.white,
        spacing_mm=None if row.spacing_row is None else (row.spacing_row, row.spacing_column),
        facts=row.facts,
        blob=row.blob,
        statistics={name: values[name] for name in STATISTICS if values[name] is not None},
        received=row.received,
    )


def to_reading(row: Row[Any]) -> ReadingRow:
    """A row of ``reading`` joined with ``reading_body``."""
    evidence = None
    if row.map is not None:
        top, left, bottom, right = row.map_frame
        evidence = EvidenceMap(row.map, row.map_rows, row.map_columns, (top, left, bottom, right), row.in_lungs)
    return ReadingRow(
        id=row.id,
        film=row.film,
        study=row.study,
        document=row.document,
        evidence=evidence,
        bundle=row.bundle,
        bundle_sha256=row.bundle_sha256,
        preset=row.preset,
        seconds=row.seconds,
        by=row.by,
        created=row.created,
        forced=row.forced,
        choice=row.choice,
    )


def to_verdict(row: Row[Any]) -> VerdictRow:
    """A row of ``verdict``."""
    return VerdictRow(row.id, row.study, row.by, row.created, row.kind, row.corrected_to, row.comment)


def to_entry(row: Row[Any]) -> AuditEntry:
    """A row of ``audit``."""
    detail = json.loads(row.detail)
    return AuditEntry(row.sequence, row.at, row.actor, row.action, row.target, detail, row.previous, row.digest)


def to_user(row: Row[Any]) -> UserRow:
    """A row of ``account``."""
    return UserRow(row.id, row.name, row.role, row.active, row.created, row.last_login, row.failures, row.locked_until)


def to_session(row: Row[Any]) -> SessionRow:
    """A row of ``session`` with the user's name as ``user``."""
    return SessionRow(row.hash, row.user, row.csrf, row.created, row.expires, row.last_seen)


def to_token(row: Row[Any]) -> TokenRow:
    """A row of ``token`` with the user's name as ``user``."""
    return TokenRow(row.id, row.name, row.user, tuple(row.scopes), row.created, row.expires, row.last_used, row.prefix)
