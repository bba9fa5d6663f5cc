"""What the store gives out and takes in: frozen records, and how they are made from rows. Times are in UTC."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pneumoscope.quality.measures import INPUT_STATISTICS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

    from pneumoscope.types.evidence import Evidence

__all__ = [
    "AuditCheck",
    "AuditEntry",
    "BundleRow",
    "EvidenceMap",
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
    "Source",
    "StudyDetail",
    "StudyRow",
    "TokenRow",
    "UserRow",
    "VerdictKind",
    "VerdictRow",
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

Source = Literal["web", "api", "node", "import"]
Role = Literal["reader", "admin"]
Scope = Literal["read", "write", "admin"]
VerdictKind = Literal["agree", "correct"]


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
class FilmRow:
    """One film; ``blob`` is the address of the kept bytes, ``bytes`` their number. The rest as in ``NewFilm``."""

    sha256: str
    study: str
    position: int
    name: str
    format: str | None
    rows: int | None
    columns: int | None
    bytes: int
    white: int | None
    spacing_mm: tuple[float, float] | None
    facts: dict[str, str]
    blob: str
    statistics: dict[str, float]
    received: datetime


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """One reading of one film; ``bundle`` is name and version, or empty if refused before a bundle was asked."""

    id: str
    film: str
    study: str
    document: dict[str, Any]
    evidence: EvidenceMap | None
    bundle: str
    bundle_sha256: str
    preset: str | None
    seconds: float
    by: str
    created: datetime
    forced: bool
    choice: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A line of the worklist.

    Its call, probability, pattern and bundle are those of the film with the highest probability, by the newest
    reading of each film; it is refused only if all films are.

    Attributes:
        changed: Grows with every change of any study; see ``studies.changes_since``.
        films: How many.
        refusal: The code, if refused.
        verdict: The newest one.
        lead: sha256 of the film that the summary is of.
        bundle: Name and version.
    """

    id: str
    label: str
    source: Source
    received: datetime
    changed: int
    films: int
    status: Literal["read", "refused"]
    call: str | None
    probability: float | None
    pattern: str | None
    refusal: str | None
    verdict: VerdictKind | None
    corrected_to: str | None
    lead: str
    bundle: str
    note: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What a person said of a study."""

    id: str
    study: str
    by: str
    created: datetime
    kind: VerdictKind
    corrected_to: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log: ``digest`` is the sha256 of the line and of ``previous``, the digest before it."""

    sequence: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
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
class StudyDetail:
    """All that is known of a study; readings and verdicts newest first, films by position, history oldest first."""

    study: StudyRow
    films: tuple[FilmRow, ...]
    readings: tuple[ReadingRow, ...]
    verdicts: tuple[VerdictRow, ...]
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
    path: str
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
        order: "newest" first, or by "urgency": highest probability first, refused ones last.
        call: "pneumonia", "no pneumonia" or "indeterminate".
        verdict: "none" for studies without one.
        refusal: The code.
        since: Received at or after.
        until: Received before.
        text: Each word of it begins a word of the label, the note, or a film's name, or begins the study's id or a
            film's sha256.
        limit: Rows a page, 1 to 500.
        cursor: ``Page.next`` of the page before.
    """

    order: Literal["newest", "urgency"] = "newest"
    call: str | None = None
    status: Literal["read", "refused"] | None = None
    source: Source | None = None
    verdict: Literal["none", "agree", "correct"] | None = None
    refusal: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    limit: int = 50
    cursor: str | None = None


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
        statistics={name: values[name] for name in INPUT_STATISTICS if values[name] is not None},
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


def to_audit_entry(row: Row[Any]) -> AuditEntry:
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
