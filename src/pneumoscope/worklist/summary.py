"""What a reading, and a study of several, is in short: the columns that the worklist shows and filters by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from pneumoscope.worklist.tables import counter, film, reading, study, study_word
from pneumoscope.worklist.texts import words_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["Short", "next_change", "refresh", "refresh_words", "short"]

_CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Short:
    """A reading in short; what is absent is '' but for numbers and names that are never filtered by."""

    status: str
    call: str
    probability: float | None
    pattern: str | None
    refusal: str
    bundle: str
    bundle_sha256: str
    preset: str | None


def short(document: dict[str, Any], preset: str | None = None) -> Short:
    """Take a reading's document in short.

    Args:
        document: The Reading contract. The finding's object is found by its keys: its name is the bundle's.
        preset: What was asked for; the document's own wins.
    """
    model, pattern, refusal = document.get("model"), document.get("pattern"), document.get("refusal")
    found = next(
        (part for part in document.values() if isinstance(part, dict) and {"threshold", "call", "preset"} <= set(part)),
        None,
    )
    return Short(
        status=document["status"],
        call="" if found is None else found["call"],
        probability=None if found is None else float(found["probability"]),
        pattern=None if pattern is None else pattern["call"],
        refusal="" if refusal is None else refusal["code"],
        bundle="" if model is None else f"{model['name']} {model['version']}",
        bundle_sha256="" if model is None else model["sha256"],
        preset=preset if found is None else found["preset"],
    )


def next_change(connection: Connection) -> int:
    """The number of a change that begins now; writers come one by one, so that numbers come in order."""
    here = counter.c.name == _CHANGES
    connection.execute(update(counter).where(here).values(value=counter.c.value + 1))
    return int(connection.execute(select(counter.c.value).where(here)).scalar_one())


def refresh(connection: Connection, ident: str) -> None:
    """Write a study's summary anew, from the newest reading of each of its films."""
    newest = (
        select(reading.c.film, func.max(reading.c.ordinal).label("ordinal"))
        .where(reading.c.study == ident)
        .group_by(reading.c.film)
        .subquery()
    )
    rows = connection.execute(
        select(reading, film.c.position)
        .join(newest, (newest.c.film == reading.c.film) & (newest.c.ordinal == reading.c.ordinal))
        .join(film, film.c.sha256 == reading.c.film)
        .order_by(film.c.position)
    ).all()
    # The first of those with the highest probability; a refused film has none and comes after all that were read.
    lead = max(rows, key=lambda row: (_urgency(row.probability), -row.position))
    connection.execute(
        update(study)
        .where(study.c.id == ident)
        .values(
            changed=next_change(connection),
            films=len(rows),
            status=lead.status,
            call=lead.call,
            probability=lead.probability,
            urgency=_urgency(lead.probability),
            pattern=lead.pattern,
            refusal=lead.refusal,
            lead=lead.film,
            bundle=lead.bundle,
        )
    )


def _urgency(probability: float | None) -> float:
    return -1.0 if probability is None else probability


def refresh_words(connection: Connection, ident: str) -> None:
    """Write anew which words a study is found by."""
    row = connection.execute(select(study.c.label, study.c.note).where(study.c.id == ident)).one()
    films = connection.execute(select(film.c.sha256, film.c.name).where(film.c.study == ident)).all()
    words = words_of([row.label, row.note, *(one.name for one in films)], [ident, *(one.sha256 for one in films)])
    connection.execute(delete(study_word).where(study_word.c.study == ident))
    connection.execute(insert(study_word), [{"study": ident, "word": word} for word in sorted(words)])
