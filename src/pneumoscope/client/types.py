"""What a reading room answers, as typed structs. Fields that a newer server adds are passed over."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import Any, Literal

import msgspec

__all__ = [
    "Evidence",
    "Film",
    "Finding",
    "Model",
    "Pattern",
    "Reading",
    "Refusal",
    "Software",
    "Stored",
    "StoredFilm",
    "StoredReading",
    "Study",
    "StudyDetail",
    "Verdict",
    "reading_of",
]


class Film(msgspec.Struct, frozen=True):
    """Which film was read."""

    path: str
    sha256: str | None
    format: str | None
    rows: int | None
    columns: int | None


class Refusal(msgspec.Struct, frozen=True):
    """Why a film was not read."""

    code: str
    reason: str
    remedy: str


class Finding(msgspec.Struct, frozen=True):
    """The call at an operating point; ``name`` is its key in the JSON: "pneumonia"."""

    probability: float
    threshold: float
    preset: str
    call: str
    lower: float | None = None
    name: str = "pneumonia"


class Pattern(msgspec.Struct, frozen=True):
    """The pattern: a radiographic impression, not microbiology."""

    call: str | None
    set: tuple[str, ...]
    coverage: float | None


class Evidence(msgspec.Struct, frozen=True):
    """Share of the evidence by zone, and in the lungs."""

    zones: dict[str, float]
    in_lungs: float | None


class Model(msgspec.Struct, frozen=True):
    """Which bundle read."""

    name: str
    version: str
    sha256: str


class Software(msgspec.Struct, frozen=True):
    """Which program read."""

    name: str
    version: str


class Reading(msgspec.Struct, frozen=True):
    """The Reading; a refused one has no numbers. ``document`` is the JSON as it came."""

    film: Film
    status: Literal["read", "refused"]
    refusal: Refusal | None
    mended: tuple[str, ...]
    warnings: tuple[str, ...]
    probabilities: dict[str, float] | None
    finding: Finding | None
    pattern: Pattern | None
    evidence: Evidence | None
    model: Model | None
    software: Software
    notice: str
    document: dict[str, Any]


_PLAIN = frozenset({"finding", "document"})


def reading_of(document: dict[str, Any]) -> Reading:
    """The Reading of its JSON; the finding's object stands there under its own name.

    Raises:
        msgspec.ValidationError: It is no Reading.
    """
    known = set(Reading.__struct_fields__) - _PLAIN
    others = [key for key in document if key not in known]
    name = others[0] if len(others) == 1 else "pneumonia"
    found = document.get(name)
    plain = {key: value for key, value in document.items() if key in known}
    finding = None if found is None else {**found, "name": name}
    return msgspec.convert({**plain, "finding": finding, "document": document}, Reading)


class Stored(msgspec.Struct, frozen=True):
    """What became of one film that was sent.

    Attributes:
        name: Of the film.
        reading: Its reading; None if the server met a problem with this film.
        study: Id of the study; None if it was not stored.
        reading_id: Likewise.
        problem: What went wrong, in words.
    """

    name: str
    reading: Reading | None
    study: str | None
    reading_id: str | None
    problem: str = ""


class Study(msgspec.Struct, frozen=True):
    """A line of the worklist."""

    id: str
    label: str
    source: str
    received: datetime
    changed: int
    films: int
    status: str
    call: str | None
    probability: float | None
    pattern: str | None
    refusal: str | None
    verdict: str | None
    corrected_to: str | None
    lead: str
    bundle: str
    note: str


class StoredFilm(msgspec.Struct, frozen=True):
    """A film of a study."""

    sha256: str
    study: str
    position: int
    name: str
    format: str | None
    rows: int | None
    columns: int | None
    received: datetime
    facts: dict[str, str]
    kept: bool


class StoredReading(msgspec.Struct, frozen=True):
    """A reading of a study; ``document`` is the Reading's JSON."""

    id: str
    film: str
    study: str
    bundle: str
    preset: str | None
    seconds: float
    by: str
    created: datetime
    forced: bool
    document: dict[str, Any] = msgspec.field(name="reading")

    @property
    def reading(self) -> Reading:
        """The Reading."""
        return reading_of(self.document)


class Verdict(msgspec.Struct, frozen=True):
    """What a person said of a study."""

    id: str
    study: str
    by: str
    created: datetime
    kind: str
    corrected_to: str | None
    comment: str


class StudyDetail(msgspec.Struct, frozen=True):
    """All that is known of a study."""

    study: Study
    films: tuple[StoredFilm, ...]
    readings: tuple[StoredReading, ...]
    verdicts: tuple[Verdict, ...]
