"""What the store gives out and takes in: frozen records, and how they are made from rows. Times are in UTC."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.reports.json_v1 import upgraded
from pneumoscope.types.studies import HistoryEntry, StoredFilm, StoredReading, Study, StudyDetail, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.studies import Source

__all__ = [
    "AuditCheck",
    "AuditEntry",
    "BundleRow",
    "EvidenceMap",
    "Examination",
    "FilmRow",
    "Neighbours",
    "NewFilm",
    "NewReading",
    "Page",
    "Query",
    "ReadingRow",
    "Role",
    "Scope",
    "SessionRow",
    "StudyRecord",
    "TokenRow",
    "UserRow",
    "to_audit_entry",
    "to_film",
    "to_reading",
    "to_session",
    "to_study",
    "to_token",
    "to_user",
    "to_verdict",
]

T = TypeVar("T")

Role = Literal["reader", "admin"]
Scope = Literal["read", "write", "admin"]


@dataclass(frozen=True, slots=True)
class EvidenceMap:
    """An evidence map as it is kept; ``of`` makes it and ``evidence`` gives the domain's form back.

    Attributes:
        values: float32, little endian, ``rows`` x ``columns``, in units of the logit.
        rows: Of the map.
        columns: Of the map.
        frame: The part of the film that it covers: (top, left, bottom, right) in film pixels.
        in_lungs: Share of the positive evidence in the lung fields; None if not known.
    """

    values: bytes
    rows: int
    columns: int
    frame: tuple[float, float, float, float]
    in_lungs: float | None = None

    @classmethod
    def of(cls, evidence: Evidence) -> EvidenceMap:
        """Keep the map of a reading."""
        rows, columns = evidence.map.shape
        values = evidence.map.astype("<f4").tobytes()
        top, left, bottom, right = (float(edge) for edge in evidence.frame)
        return cls(values, rows, columns, (top, left, bottom, right), evidence.in_lungs)

    def evidence(self) -> Evidence:
        """The domain's evidence; the zones follow from the map."""
        import numpy as np  # noqa: PLC0415 - rows are made without it

        from pneumoscope.types.evidence import Evidence, zone_shares  # noqa: PLC0415

        values = np.frombuffer(self.values, "<f4").reshape(self.rows, self.columns).astype(np.float32)
        return Evidence(values, zone_shares(values), self.frame, self.in_lungs)


@dataclass(frozen=True, slots=True)
class NewReading:
    """A reading to keep.

    Attributes:
        document: The Reading contract, from ``reports.json.to_dict``. What the worklist shows is taken out of it.
        evidence: None for a refused film.
        seconds: That the reading took.
        preset: The operating point that was asked for; None for the bundle's own. The document names the one used.
        forced: Read although the gate said no.
        choice: Whatever else was chosen, as one string; ``studies.reading_for`` finds a reading by it.
    """

    document: dict[str, Any]
    evidence: EvidenceMap | None = None
    seconds: float = 0.0
    preset: str | None = None
    forced: bool = False
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What the films of one examination share.

    Attributes:
        key: Keyed hash of the StudyInstanceUID; films of the same key join one study.
        patient: Keyed hash of the patient's id and its issuer; earlier films are found by it. It is not given out.
        age: In years, sex and what follows only where the site keeps identity.
        sex: "M", "F" or "O".
        film_date: When the films were taken, ISO 8601.
        accession: The accession number.
    """

    key: str | None = None
    patient: str | None = None
    age: float | None = None
    sex: str | None = None
    film_date: str | None = None
    accession: str | None = None


@dataclass(frozen=True, slots=True)
class NewFilm:
    """A film to keep, with its first readings.

    Attributes:
        sha256: Of the bytes received, in lower-case hexadecimal digits. It is the film's name.
        kept: The bytes to keep: those received, or for DICOM those without the patient's identity.
        name: Of the file, without folders.
        readings: Oldest first; at least one.
        format: "JPEG", "PNG", "DICOM", ...; None if it was not recognised.
        rows: None if it was not decoded.
        columns: None if it was not decoded.
        white: The value of white.
        spacing_mm: Of pixels: rows, columns.
        facts: Age, sex, view, body part ... that a reading uses, as text.
        statistics: Of the pixels as fractions of white, for drift; keys out of ``gate.statistics.STATISTICS``.
    """

    sha256: str
    kept: bytes = field(repr=False)
    name: str
    readings: tuple[NewReading, ...]
    format: str | None = None
    rows: int | None = None
    columns: int | None = None
    white: int | None = None
    spacing_mm: tuple[float, float] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    statistics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FilmRow(StoredFilm):
    """A film with what the store alone knows of it: ``blob`` is the address of the kept bytes."""

    blob: str


@dataclass(frozen=True, slots=True)
class ReadingRow(StoredReading):
    """A reading with what the store alone knows of it; ``choice`` as in ``NewReading``."""

    evidence: EvidenceMap | None
    choice: str


@dataclass(frozen=True, slots=True)
class AuditEntry(HistoryEntry):
    """One line of the audit log: ``digest`` is the sha256 of the line and of ``previous``, the digest before it."""

    sequence: int
    target: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What ``audit.verify`` found.

    Attributes:
        entries: How many were looked at.
        ok: The chain is whole.
        first_bad: Sequence number of the first line that is not as it was written, or that is missing; None if whole.
        head: Digest of the last line. Whoever keeps it elsewhere can prove that nothing before it was rewritten.
    """

    entries: int
    ok: bool
    first_bad: int | None
    head: str


@dataclass(frozen=True, slots=True)
class StudyRecord(StudyDetail):
    """A study with what the store alone knows of its films and readings."""

    films: tuple[FilmRow, ...]
    readings: tuple[ReadingRow, ...]
    history: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person who may log in. The password's hash is given out by ``users.password_of`` alone."""

    id: str
    name: str
    role: Role
    active: bool
    created: datetime
    last_login: datetime | None
    failures: int
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A key for programs; ``prefix`` are its first characters, to tell it by."""

    id: str
    name: str
    user: str
    scopes: tuple[Scope, ...]
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    prefix: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A person who is logged in; ``hash`` is the sha256 of the cookie, ``user`` the user's name."""

    hash: str
    user: str
    csrf: str
    created: datetime
    expires: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class BundleRow:
    """An imported bundle."""

    name: str
    sha256: str
    added: datetime
    in_use: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows; ``next`` is the cursor of those that follow, None at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The studies before and after one in the order of a query; None at the ends."""

    previous: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """Which studies, in which order.

    Attributes:
        order: "newest" first, or by "urgency": highest probability first, refused ones last; or by "priority": by
            probability and waiting time, so that nothing waits for ever (``paging.LONGEST_WAIT_HOURS``).
        call: "pneumonia", "no pneumonia" or "indeterminate".
        verdict: "none" for studies without one.
        refusal: The code.
        since: Received at or after.
        until: Received before.
        text: Each word of it begins a word of the label, the note, or a film's name, or begins the study's id or a
            film's sha256.
        limit: Rows a page, 1 to 500.
        cursor: ``Page.next`` of the page before.
        blind: A reader: what this reader must not see, while a reader study runs, is left out.
    """

    order: Literal["newest", "urgency", "priority"] = "newest"
    call: str | None = None
    status: Literal["read", "refused"] | None = None
    source: Source | None = None
    verdict: Literal["none", "agree", "correct", "not-assessable"] | None = None
    refusal: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    limit: int = 50
    cursor: str | None = None
    blind: str = ""


# Rows of SQLAlchemy Core carry no types; each value is what its column in tables.py says.


def to_study(row: Row[Any]) -> Study:
    """A row of ``study``."""
    return Study(
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
        age=row.age,
        sex=row.sex,
        film_date=row.film_date,
        accession=row.accession,
        forced=row.status == "refused" and bool(row.call),
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
        statistics={name: values[name] for name in INPUT_STATISTICS if values[name] is not None},
        received=row.received,
        kept=row.bytes > 0,
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
        document=upgraded(row.document),
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


def to_verdict(row: Row[Any]) -> Verdict:
    """A row of ``verdict``."""
    return Verdict(
        id=row.id,
        study=row.study,
        by=row.by,
        created=row.created,
        kind=row.kind,
        corrected_to=row.corrected_to,
        comment=row.comment,
        findings=tuple(row.findings or ()),
    )


def to_audit_entry(row: Row[Any]) -> AuditEntry:
    """A row of ``audit``."""
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        detail=json.loads(row.detail),
        previous=row.previous,
        digest=row.digest,
    )


def to_user(row: Row[Any]) -> UserRow:
    """A row of ``account``."""
    return UserRow(row.id, row.name, row.role, row.active, row.created, row.last_login, row.failures, row.locked_until)


def to_session(row: Row[Any]) -> SessionRow:
    """A row of ``session`` with the user's name as ``user``."""
    return SessionRow(row.hash, row.user, row.csrf, row.created, row.expires, row.last_seen)


def to_token(row: Row[Any]) -> TokenRow:
    """A row of ``token`` with the user's name as ``user``."""
    return TokenRow(row.id, row.name, row.user, tuple(row.scopes), row.created, row.expires, row.last_used, row.prefix)
