"""Films and readings into the database: which study they join, what is written, and the study's summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from pneumoscope.errors import UsageError
from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.tables import counter, film, reading, reading_body, study, study_word
from pneumoscope.server.store.text import clean, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from pneumoscope.server.store.records import NewFilm, NewReading, Source

__all__ = [
    "AddedStudy",
    "NewStudy",
    "ReadingSummary",
    "check_films",
    "insert_films",
    "insert_reading",
    "next_change",
    "refresh_search_words",
    "refresh_summary",
    "same_inference",
    "summarize",
]

_CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class ReadingSummary:
    """A reading in short; what is absent is '' but for numbers and names that are never filtered by."""

    status: str
    call: str
    probability: float | None
    pattern: str | None
    refusal: str
    bundle: str
    bundle_sha256: str
    preset: str | None


def summarize(document: dict[str, Any], preset: str | None = None) -> ReadingSummary:
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
    return ReadingSummary(
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


def refresh_summary(connection: Connection, ident: str) -> None:
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


def refresh_search_words(connection: Connection, ident: str) -> None:
    """Write anew which words a study is found by."""
    row = connection.execute(select(study.c.label, study.c.note).where(study.c.id == ident)).one()
    films = connection.execute(select(film.c.sha256, film.c.name).where(film.c.study == ident)).all()
    words = words_of([row.label, row.note, *(one.name for one in films)], [ident, *(one.sha256 for one in films)])
    connection.execute(delete(study_word).where(study_word.c.study == ident))
    connection.execute(insert(study_word), [{"study": ident, "word": word} for word in sorted(words)])


@dataclass(frozen=True, slots=True)
class NewStudy:
    """What ``studies.add`` was asked for."""

    films: Sequence[NewFilm]
    label: str
    source: Source
    by: str
    key: str | None
    note: str


@dataclass(frozen=True, slots=True)
class AddedStudy:
    """What came of it: the study, whether it is a new one, the new films, and how many readings are new."""

    study: str
    new: bool
    films: tuple[str, ...]
    readings: int


def check_films(films: Sequence[NewFilm]) -> None:
    """See that what is to be added can be.

    Raises:
        UsageError: No film, one without a reading, a name that is no sha256, or statistics of other names.
    """
    if not films:
        raise UsageError("a study has at least one film", where="films")
    for one in films:
        if len(one.sha256) != 64 or not set(one.sha256) <= set("0123456789abcdef"):
            raise UsageError("a film is named by 64 lower-case hexadecimal digits", where=one.sha256[:80])
        if not one.readings:
            raise UsageError("a film is kept together with a reading", where=one.sha256)
        if strange := set(one.statistics) - set(INPUT_STATISTICS):
            raise UsageError(f"there are no input statistics of the name {min(strange)}", where=one.sha256)


def insert_films(connection: Connection, new: NewStudy, blobs: Mapping[str, str], now: datetime) -> AddedStudy:
    """Write films and readings that are not there yet, in a write transaction.

    Args:
        connection: Of the one writer.
        new: What to add.
        blobs: The address of each film's kept bytes, by the film's sha256.
        now: The time.
    """
    films = {one.sha256: one for one in new.films}
    known: dict[str, str] = {
        row.sha256: row.study
        for row in connection.execute(select(film.c.sha256, film.c.study).where(film.c.sha256.in_(films))).all()
    }
    fresh = [one for one in films.values() if one.sha256 not in known]
    ident = _study_to_join(connection, new, known)
    begun = ident is None and bool(fresh)
    if ident is None:
        ident = _insert_study(connection, new, now) if fresh else known[new.films[0].sha256]
    if fresh:
        place = connection.execute(select(func.count()).where(film.c.study == ident)).scalar_one()
        for position, one in enumerate(fresh, place):
            connection.execute(insert(film), _film_values(one, ident, position, blobs[one.sha256], now))
    written, touched = 0, {ident} if fresh else set()
    for one in films.values():
        home = known.get(one.sha256, ident)
        for reading_ in one.readings:
            if one.sha256 in known and _is_known_reading(connection, one.sha256, reading_):
                continue
            insert_reading(connection, home, one.sha256, reading_, by=new.by, now=now)
            written += 1
            touched.add(home)
    for home in sorted(touched):
        refresh_summary(connection, home)
    if fresh:
        refresh_search_words(connection, ident)
    return AddedStudy(ident, begun, tuple(one.sha256 for one in fresh), written)


def insert_reading(connection: Connection, ident: str, sha256: str, new: NewReading, *, by: str, now: datetime) -> str:
    """Write one reading; the study's summary is the caller's to refresh."""
    said = asdict(summarize(new.document, new.preset))
    last = connection.execute(select(func.max(reading.c.ordinal)).where(reading.c.study == ident)).scalar()
    name = new_id()
    connection.execute(
        insert(reading),
        said
        | {
            "id": name,
            "film": sha256,
            "study": ident,
            "ordinal": (last or 0) + 1,
            "created": now,
            "by": clean(by),
            "seconds": float(new.seconds),
            "forced": new.forced,
            "choice": new.choice,
        },
    )
    seen = new.evidence
    body: dict[str, Any] = {"reading": name, "document": new.document}
    if seen is not None:
        body |= {"map": seen.values, "map_rows": seen.rows, "map_columns": seen.columns}
        body |= {"map_frame": list(seen.frame), "in_lungs": seen.in_lungs}
    connection.execute(insert(reading_body), body)
    return name


def same_inference(sha256: str, bundle_sha256: str, preset: str | None, *, forced: bool, choice: str) -> Any:
    """The condition of readings of a film that were made in one way."""
    way = (
        (reading.c.film == sha256)
        & (reading.c.bundle_sha256 == bundle_sha256)
        & (reading.c.forced == forced)
        & (reading.c.choice == choice)
    )
    return way if preset is None else way & (reading.c.preset == preset)


def _is_known_reading(connection: Connection, sha256: str, new: NewReading) -> bool:
    said = summarize(new.document, new.preset)
    way = same_inference(sha256, said.bundle_sha256, said.preset, forced=new.forced, choice=new.choice)
    return connection.execute(select(reading.c.id).where(way).limit(1)).first() is not None


def _study_to_join(connection: Connection, new: NewStudy, known: Mapping[str, str]) -> str | None:
    """The study that new films join: the one with the key, else that of a film which is there already."""
    if new.key is not None:
        found = connection.execute(select(study.c.id).where(study.c.key == new.key)).scalar()
        if found is not None:
            return str(found)
    for home in dict.fromkeys(known.values()):
        key = connection.execute(select(study.c.key).where(study.c.id == home)).scalar_one()
        if new.key is None or key is None:
            if new.key is not None:
                connection.execute(update(study).where(study.c.id == home).values(key=new.key))
            return home
    return None


def _insert_study(connection: Connection, new: NewStudy, now: datetime) -> str:
    """An empty study; ``refresh`` fills in the summary before anybody sees it."""
    ident = new_id()
    connection.execute(
        insert(study),
        {
            "id": ident,
            "key": new.key,
            "label": clean(new.label) or clean(new.films[0].name) or ident,
            "source": new.source,
            "received": now,
            "changed": next_change(connection),
            "films": 0,
            "status": "refused",
            "call": "",
            "urgency": -1.0,
            "refusal": "",
            "verdict": "",
            "lead": "",
            "bundle": "",
            "note": new.note,
        },
    )
    return ident


def _film_values(new: NewFilm, ident: str, position: int, blob: str, now: datetime) -> dict[str, Any]:
    row, column = new.spacing_mm or (None, None)
    return {
        "sha256": new.sha256,
        "study": ident,
        "position": position,
        "name": clean(new.name),
        "format": new.format,
        "rows": new.rows,
        "columns": new.columns,
        "bytes": len(new.kept),
        "white": new.white,
        "spacing_row": row,
        "spacing_column": column,
        "facts": new.facts,
        "blob": blob,
        "received": now,
        **{name: new.statistics.get(name) for name in INPUT_STATISTICS},
    }
