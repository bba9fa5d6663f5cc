"""Readings into the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pneumoscope.model.decide import operating_point
from pneumoscope.reports.json import to_dict
from pneumoscope.server.store.records import EvidenceMap, NewFilm, NewReading

if TYPE_CHECKING:
    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.context import Context
    from pneumoscope.server.engine.job import Choice, Outcome
    from pneumoscope.server.store.records import ReadingRow
    from pneumoscope.types.studies import Source

__all__ = ["Sender", "StoredReading", "document_of", "find_stored", "new_reading", "store_outcome"]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends films, and by which way."""

    name: str
    source: Source


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading in the worklist."""

    study: str
    reading_id: str
    document: dict[str, Any]

    @classmethod
    def of(cls, row: ReadingRow) -> StoredReading:
        """As the store has it."""
        return cls(row.study, row.id, row.document)


def document_of(outcome: Outcome) -> dict[str, Any]:
    """The reading as the contract's object."""
    return to_dict(outcome.reading)


def find_stored(context: Context, sha256: str, choice: Choice) -> StoredReading | None:
    """The reading of a film that was read in just this way before."""
    if context.worklist.studies.of_film(sha256) is None:
        return None
    known = context.bundles.get(choice.bundle)
    row = _same(context, sha256, known.sha256, choice, known.meta)
    return None if row is None else StoredReading.of(row)


def store_outcome(context: Context, outcome: Outcome, choice: Choice, sender: Sender) -> StoredReading:
    """Put a film and its reading into the worklist; a film that is there already gets one more reading.

    Raises:
        StorageError: The disk or the database cannot be written. Then nothing of it is kept.
    """
    studies = context.worklist.studies
    meta = context.bundles.get(choice.bundle).meta
    reading = new_reading(outcome, choice, meta)
    film = outcome.reading.film
    sha256 = str(film.sha256)
    known = studies.of_film(sha256)
    if known is None:
        known = studies.add(
            [_new_film(outcome, reading, sha256)],
            label=film.path,
            source=sender.source,
            by=sender.name,
            examination=outcome.examination,
        )
        if outcome.thumbnail:
            context.thumbnails.put(sha256, outcome.thumbnail)
    model = outcome.reading.model
    row = _same(context, sha256, model.sha256 if model else "", choice, meta)
    if row is None:  # the film was there, and was read otherwise
        row = studies.add_reading(known.id, sha256, reading, by=sender.name)
    return StoredReading.of(row)


def _same(context: Context, sha256: str, bundle: str, choice: Choice, meta: BundleMeta) -> ReadingRow | None:
    """The newest reading of a film by a bundle in the way of a choice."""
    return context.worklist.studies.reading_for(
        sha256, bundle, preset=operating_point(meta, choice.preset).preset, forced=choice.force, choice=choice.key
    )


def new_reading(outcome: Outcome, choice: Choice, meta: BundleMeta) -> NewReading:
    """The reading as the store takes it."""
    evidence = outcome.reading.evidence
    return NewReading(
        document=document_of(outcome),
        evidence=None if evidence is None else EvidenceMap.of(evidence),
        seconds=outcome.seconds,
        preset=operating_point(meta, choice.preset).preset,
        forced=choice.force,
        choice=choice.key,
    )


def _new_film(outcome: Outcome, reading: NewReading, sha256: str) -> NewFilm:
    film, radiograph = outcome.reading.film, outcome.radiograph
    return NewFilm(
        sha256=sha256,
        kept=outcome.kept,
        name=film.path,
        readings=(reading,),
        format=film.format,
        rows=film.rows,
        columns=film.columns,
        white=None if radiograph is None else radiograph.white,
        spacing_mm=None if radiograph is None else radiograph.spacing_mm,
        facts={} if radiograph is None else dict(radiograph.facts),
        statistics=outcome.statistics,
    )
