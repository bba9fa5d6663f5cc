"""What the server keeps of a study and gives out: one declaration for the store, the API and the client.

Frozen dataclasses and nothing else, so that the client needs no more than the standard library for them. All times are
aware, in UTC. What the store needs for itself alone (the address of a film's bytes, the evidence map) is added in
``server.store.records`` and never given out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the API and the client read the annotations
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "HistoryEntry",
    "Source",
    "StoredFilm",
    "StoredReading",
    "Study",
    "StudyDetail",
    "Verdict",
    "VerdictKind",
    "standing_verdict",
]

Source = Literal["web", "api", "node", "import"]
VerdictKind = Literal["agree", "correct", "not-assessable", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Study:
    """A line of the worklist.

    Its call, probability, pattern and bundle are those of the film with the highest probability, by the newest
    reading of each film; it is refused only if all films are.

    Attributes:
        changed: Grows with every change of any study.
        films: How many.
        refusal: The code, if refused.
        verdict: The newest one.
        lead: sha256 of the film that the summary is of.
        bundle: Name and version.
        age: In years; this and what follows only where the site keeps identity.
        sex: "M", "F" or "O", as DICOM has it.
        film_date: When the film was taken, ISO 8601.
        accession: The accession number.
        forced: Read although quality control said no: it stays refused, and its call is no call to rely on.
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
    age: float | None = None
    sex: str | None = None
    film_date: str | None = None
    accession: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class StoredFilm:
    """A film of a study.

    Attributes:
        sha256: Of the bytes received; the film's name.
        position: In the study, from 0.
        name: Of the file, without folders.
        format: "JPEG", "PNG", "DICOM", ...; None if it was not recognised.
        rows: None if it was not decoded.
        columns: None if it was not decoded.
        bytes: How many are kept.
        white: The value of white.
        spacing_mm: Of pixels: rows, columns.
        facts: Age, sex, view, body part ... that a reading uses, as text.
        statistics: Of the pixels as fractions of white, for drift.
        kept: Whether its bytes are there.
    """

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


def _json_name(name: str) -> str:
    return "reading" if name == "document" else name


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading of a film; ``document`` is the Reading's JSON, and is called "reading" in the JSON of this one.

    Attributes:
        bundle: Name and version; empty if the film was refused before a bundle was asked.
        preset: The operating point that was used.
        seconds: That the reading took.
        forced: Read although quality control said no.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"alias_generator": _json_name, "validate_by_name": True}

    id: str
    film: str
    study: str
    document: dict[str, Any]
    bundle: str
    bundle_sha256: str
    preset: str | None
    seconds: float
    by: str
    created: datetime
    forced: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a study.

    Attributes:
        kind: "correct" says that the reading was wrong, "not-assessable" that the film cannot be judged,
            "withdrawn" takes the one before it back.
        corrected_to: A class name, for "correct" only.
        comment: Free text.
        findings: What else the person saw, in free words, one a finding.
    """

    id: str
    study: str
    by: str
    created: datetime
    kind: VerdictKind
    corrected_to: str | None
    comment: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to a study, from the audit log."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """All that is known of a study; readings and verdicts newest first, films by position, history oldest first."""

    study: Study
    films: tuple[StoredFilm, ...]
    readings: tuple[StoredReading, ...]
    verdicts: tuple[Verdict, ...]
    history: tuple[HistoryEntry, ...]


def standing_verdict(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that holds: the newest one that was not taken back; None if there is none.

    Args:
        verdicts: Of one study, newest first.
    """
    held: list[Verdict] = []
    for each in reversed(verdicts):
        if each.kind != "withdrawn":
            held.append(each)
        elif held:
            held.pop()
    return held[-1] if held else None
