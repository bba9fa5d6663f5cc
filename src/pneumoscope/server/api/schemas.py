"""What the API gives out and takes in.

Fields are listed here again, and the rows are not given out as they are: what a program may rely on is a contract, and
a field that the store needs for itself must not go out because it was added there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from datetime import datetime

    from pneumoscope.server.store.records import (
        AuditEntry,
        FilmRow,
        ReadingRow,
        Source,
        StudyDetail,
        StudyRow,
        VerdictKind,
        VerdictRow,
    )

__all__ = [
    "Action",
    "Done",
    "FilmOut",
    "Note",
    "ReadingOut",
    "StudyDetailOut",
    "StudyOut",
    "StudyPage",
    "Verdict",
    "VerdictOut",
]

Id = Annotated[str, Field(min_length=1, max_length=64)]


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class StudyOut(_Out):
    """A line of the worklist."""

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

    @classmethod
    def of(cls, row: StudyRow) -> StudyOut:
        """As the store has it."""
        return cls.model_validate(row)


class StudyPage(_Out):
    """Some studies; ``next`` is the cursor of those that follow."""

    items: list[StudyOut]
    next: str | None


class FilmOut(_Out):
    """A film of a study; without the address of its bytes."""

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
    statistics: dict[str, float]
    received: datetime
    kept: bool

    @classmethod
    def of(cls, row: FilmRow) -> FilmOut:
        """As the store has it."""
        names = cls.model_fields.keys() - {"kept"}
        return cls(**{name: getattr(row, name) for name in names}, kept=row.bytes > 0)


class ReadingOut(_Out):
    """A reading of a film; ``reading`` is the Reading itself."""

    id: str
    film: str
    study: str
    reading: dict[str, Any]
    bundle: str
    bundle_sha256: str
    preset: str | None
    seconds: float
    by: str
    created: datetime
    forced: bool

    @classmethod
    def of(cls, row: ReadingRow) -> ReadingOut:
        """As the store has it."""
        names = cls.model_fields.keys() - {"reading"}
        return cls(**{name: getattr(row, name) for name in names}, reading=row.document)


class VerdictOut(_Out):
    """What a person said of a study."""

    id: str
    study: str
    by: str
    created: datetime
    kind: VerdictKind
    corrected_to: str | None
    comment: str

    @classmethod
    def of(cls, row: VerdictRow) -> VerdictOut:
        """As the store has it."""
        return cls.model_validate(row)


class HistoryOut(_Out):
    """One thing that happened to a study."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: AuditEntry) -> HistoryOut:
        """As the audit log has it."""
        return cls.model_validate(row)


class StudyDetailOut(_Out):
    """All that is known of a study; readings and verdicts newest first, films by position, history oldest first."""

    study: StudyOut
    films: list[FilmOut]
    readings: list[ReadingOut]
    verdicts: list[VerdictOut]
    history: list[HistoryOut]

    @classmethod
    def of(cls, detail: StudyDetail) -> StudyDetailOut:
        """As the store has it."""
        return cls(
            study=StudyOut.of(detail.study),
            films=[FilmOut.of(row) for row in detail.films],
            readings=[ReadingOut.of(row) for row in detail.readings],
            verdicts=[VerdictOut.of(row) for row in detail.verdicts],
            history=[HistoryOut.of(row) for row in detail.history],
        )


class Note(BaseModel):
    """A note, in place of the one before."""

    model_config = ConfigDict(extra="forbid")
    note: Annotated[str, Field(max_length=4000)]


class Verdict(BaseModel):
    """What a person says of a study; "correct" says that the reading was wrong, and what is right."""

    model_config = ConfigDict(extra="forbid")
    kind: VerdictKind
    corrected_to: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    comment: Annotated[str, Field(max_length=4000)] = ""


class Action(BaseModel):
    """One thing to do to many studies."""

    model_config = ConfigDict(extra="forbid")
    action: Literal["delete", "agree"]
    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class Done(BaseModel):
    """To how many studies it was done; those that were not there do not count."""

    done: int
