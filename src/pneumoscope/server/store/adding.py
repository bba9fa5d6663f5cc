"""Films and readings into the database: which study they join, what is written, and the study's summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, insert, select, update

from pneumoscope.errors import UsageError
from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.server.store.bundles import PINNED_BUNDLE, setting_of
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.tables import counter, film, reading, reading_body, study, study_word
from pneumoscope.server.store.text import clean, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from pneumoscope.server.store.records import Examination, NewFilm, NewReading
    from pneumoscope.types.studies import Source

__all__ = [
    "AddedStudy",
    "ReadingSummary",
    "check_films",
    "finding_in",
    "insert_films",
    "insert_reading",
    "is_forced",
    "next_change",
    "refresh_search_words",
    "refresh_summary",
    "same_inference",
    "standing_rows",
    "summarize",
    "summary_values",
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
        document: The Reading contract. A film that was read although quality control said no stays refused; its call
            and probability are kept beside that.
        preset: What was asked for; the document's own wins.
    """
    model, pattern, refusal = document.get("model"), document.get("pattern"), document.get("refusal")
    found = finding_in(document)
    return ReadingSummary(
        status="refused" if is_forced(document) else document["status"],
        call="" if found is None else found["call"],
        probability=None if found is None else float(found["probability"]),
        pattern=None if pattern is None else pattern["call"],
        refusal="" if refusal is None else refusal["code"],
        bundle="" if model is None else f"{model['name']} {model['version']}",
        bundle_sha256="" if model is None else model["sha256"],
        preset=preset if found is None else found["preset"],
    )


def finding_in(document: dict[str, Any]) -> dict[str, Any] | None:
    """The finding's object of a reading's document; version 1 has it under the finding's own name."""
    if isinstance(document.get("finding"), dict):
        return dict(document["finding"])
    return next(
        (part for part in document.values() if isinstance(part, dict) and {"threshold", "call", "preset"} <= set(part)),
        None,
    )


def is_forced(document: dict[str, Any]) -> bool:
    """Whether quality control's no was overruled; version 1 says so in a warning."""
    told = document.get("forced")
    return bool(told) if told is not None else any(text.startswith("forced: ") for text in document.get("warnings", ()))


def next_change(connection: Connection) -> int:
    """The number of a change that begins now; writers come one by one, so that numbers come in order."""
    here = counter.c.name == _CHANGES
    connection.execute(update(counter).where(here).values(value=counter.c.value + 1))
    return int(connection.execute(select(counter.c.value).where(here)).scalar_one())


def refresh_summary(connection: Connection, ident: str) -> None:
    """Write a study's summary anew, from the reading that stands for each of its films (``standing_rows``)."""
    rows = connection.execute(
        select(reading, film.c.position)
        .join(film, film.c.sha256 == reading.c.film)
        .where(reading.c.study == ident)
        .order_by(film.c.position, reading.c.ordinal)
    ).all()
    pinned = setting_of(connection, PINNED_BUNDLE)
    way = (str(pinned["sha256"]), str(pinned.get("preset", ""))) if isinstance(pinned, dict) else None
    values = summary_values(standing_rows(rows, way)) | {"changed": next_change(connection)}
    connection.execute(update(study).where(study.c.id == ident).values(values))


def standing_rows(rows: Sequence[Row[Any]], way: tuple[str, str] | None) -> list[Row[Any]]:
    """One reading of each film: the newest by the bundle and preset in use, else the newest of all.

    So looking with another bundle or preset leaves the worklist as it is.

    Args:
        rows: All readings of a study, by film and from old to new.
        way: sha256 of the bundle, and the preset; None if no bundle is in use.
    """
    newest: dict[str, Row[Any]] = {}
    standing: dict[str, Row[Any]] = {}
    for row in rows:
        newest[row.film] = row
        if (row.bundle_sha256, row.preset or "") == way:
            standing[row.film] = row
    return [standing.get(each, row) for each, row in newest.items()]


def summary_values(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """The summary's columns of a study.

    Args:
        rows: The reading that stands for each film, with the film's position.
    """
    # The first of those with the highest probability; a refused film has none and comes after all that were read.
    lead = max(rows, key=lambda row: (_urgency(row), -row.position))
    return {
        "films": len(rows),
        "status": lead.status,
        "call": lead.call,
        "probability": lead.probability,
        "urgency": _urgency(lead),
        "pattern": lead.pattern,
        "refusal": lead.refusal,
        "lead": lead.film,
        "bundle": lead.bundle,
    }


def _urgency(row: Row[Any]) -> float:
    """The probability; -1 of a refused film, also where it was read all the same."""
    return -1.0 if row.status == "refused" or row.probability is None else float(row.probability)


def refresh_search_words(connection: Connection, ident: str) -> None:
    """Write anew which words a study is found by."""
    row = connection.execute(select(study).where(study.c.id == ident)).one()
    films = connection.execute(select(film.c.sha256, film.c.name).where(film.c.study == ident)).all()
    texts = [row.label, row.note, row.accession or "", row.film_date or "", *(one.name for one in films)]
    words = words_of(texts, [ident, *(one.sha256 for one in films)])
    connection.execute(delete(study_word).where(study_word.c.study == ident))
    connection.execute(insert(study_word), [{"study": ident, "word": word} for word in sorted(words)])


class AddedStudy(NamedTuple):
    """What came of films that were added: their study, whether it is a new one, the new films and readings."""

    study: str
    new: bool
    films: tuple[str, ...]
    readings: tuple[str, ...]


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


def insert_films(
    connection: Connection,
    films: Sequence[NewFilm],
    blobs: Mapping[str, str],
    *,
    label: str,
    source: Source,
    by: str,
    examination: Examination,
    note: str,
    now: datetime,
) -> AddedStudy:
    """Write films and readings that are not there yet, in a write transaction.

    Args:
        connection: Of the one writer.
        films: As ``check_films`` takes them.
        blobs: The address of each film's kept bytes, by the film's sha256.
        label: Of a new study.
        source: Of a new study.
        by: Who adds them.
        examination: What the films share; a study that they join gets what it does not have yet.
        note: Of a new study.
        now: The time.
    """
    named = {one.sha256: one for one in films}
    known: dict[str, str] = {
        row.sha256: row.study
        for row in connection.execute(select(film.c.sha256, film.c.study).where(film.c.sha256.in_(named))).all()
    }
    fresh = [one for one in named.values() if one.sha256 not in known]
    ident = _study_to_join(connection, examination.key, known)
    begun = ident is None and bool(fresh)
    if begun:
        ident = new_id()
        words = {"label": clean(label) or clean(films[0].name) or ident, "source": source, "note": note}
        connection.execute(insert(study), _EMPTY | words | {"id": ident, "received": now, "changed": 0})
    if ident is None:
        ident = known[films[0].sha256]
    touched = {ident} if fresh else set()
    if _complete_examination(connection, ident, examination):
        touched.add(ident)
    if fresh:
        place = connection.execute(select(func.count()).where(film.c.study == ident)).scalar_one()
        for position, one in enumerate(fresh, place):
            connection.execute(insert(film), _film_values(one, ident, position, blobs[one.sha256], now))
    written = []
    for one in named.values():
        home = known.get(one.sha256, ident)
        for reading_ in one.readings:
            if one.sha256 in known and _is_known_reading(connection, one.sha256, reading_):
                continue
            written.append(insert_reading(connection, home, one.sha256, reading_, by=by, now=now))
            touched.add(home)
    for home in sorted(touched):
        refresh_summary(connection, home)
    if ident in touched:
        refresh_search_words(connection, ident)
    return AddedStudy(ident, begun, tuple(one.sha256 for one in fresh), tuple(written))


def insert_reading(connection: Connection, ident: str, sha256: str, new: NewReading, *, by: str, now: datetime) -> str:
    """Write one reading; the study's summary is the caller's to refresh."""
    said = asdict(summarize(new.document, new.preset))
    if said["status"] == "refused" and not said["refusal"]:  # forced: the reason is that of the refusal before it
        before = select(reading.c.refusal).where(reading.c.film == sha256, reading.c.refusal != "")
        said["refusal"] = connection.execute(before.order_by(reading.c.ordinal.desc()).limit(1)).scalar() or "forced"
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


def _study_to_join(connection: Connection, key: str | None, known: Mapping[str, str]) -> str | None:
    """The study that new films join: the one with the key, else that of a film which is there already."""
    if key is not None:
        found = connection.execute(select(study.c.id).where(study.c.key == key)).scalar()
        if found is not None:
            return str(found)
    for home in dict.fromkeys(known.values()):
        if key is None or connection.execute(select(study.c.key).where(study.c.id == home)).scalar_one() is None:
            return home
    return None


def _complete_examination(connection: Connection, ident: str, examination: Examination) -> bool:
    """Write what a study does not have yet of the examination; whether there was anything."""
    row = connection.execute(select(study).where(study.c.id == ident)).one()._mapping  # noqa: SLF001 - public
    values = {
        name: clean(value) if isinstance(value, str) else value
        for name, value in asdict(examination).items()
        if value is not None and row[name] is None
    }
    if values:
        connection.execute(update(study).where(study.c.id == ident).values(values))
    return bool(values)


# ``refresh_summary`` fills it in before anybody sees it.
_EMPTY: dict[str, Any] = {
    "films": 0,
    "status": "refused",
    "call": "",
    "urgency": -1.0,
    "refusal": "",
    "verdict": "",
    "lead": "",
    "bundle": "",
}


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
