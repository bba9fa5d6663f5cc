"""Synthetic studies, many at once, for tests and measurements.

The films are a few drawn phantoms, so that there is a picture behind every row; the readings are drawn by chance and
no bundle made them. Their model is named "drawn", so that nobody takes them for readings.
"""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from sqlalchemy import insert, select, update

from pneumoscope.phantom.draw import KINDS, draw_phantom
from pneumoscope.quality.measures import INPUT_STATISTICS
from pneumoscope.quality.refusals import make_refusal
from pneumoscope.reports.json_v1 import VERSION
from pneumoscope.server.store import tables
from pneumoscope.server.store.adding import summarize
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.records import EvidenceMap
from pneumoscope.server.store.text import words_of
from pneumoscope.settings import NOTICE
from pneumoscope.types.evidence import ZONES

if TYPE_CHECKING:
    from datetime import datetime

    from pneumoscope.server.store.worklist import Worklist

__all__ = ["add_synthetic_studies"]

_BATCH = 2000
_PICTURES = 12
_ROWS, _COLUMNS = 320, 384
_MODEL = {"name": "drawn", "version": "0", "sha256": hashlib.sha256(b"drawn").hexdigest()}
_REFUSALS = ("not-a-radiograph", "not-a-chest", "not-frontal", "too-small", "blurred")
_PLACES = ("ward", "emergency", "intensive", "outpatient", "archive")
_SOURCES = ("web", "api", "node", "import")
_EVIDENCE_MAP = EvidenceMap(
    np.linspace(-1, 1, 64, dtype="<f4").tobytes(), 8, 8, (0.0, 0.0, float(_ROWS), float(_COLUMNS))
)


def add_synthetic_studies(worklist: Worklist, count: int, seed: int = 0, *, days: float = 90.0) -> tuple[str, ...]:
    """Add drawn studies of one film each, fast: many rows a statement, and one line in the audit log.

    One study of 25 is refused, one of 5 has a verdict, one of 10 a note. The labels are like
    "ward person0012345 film.png"; those of the number n hold it as seven digits.

    Args:
        worklist: Empty, or with other studies.
        count: How many studies.
        seed: The same seed gives the same studies; to add more, take another one.
        days: The films came within so many days before now.

    Returns:
        The ids, newest first.
    """
    chance = random.Random(seed)  # noqa: S311 - drawn films guard nothing
    blobs = [(worklist.blobs.put(data), len(data)) for data in _phantom_films(seed)]
    now = worklist.database.now()
    ids: list[str] = []
    for start in range(0, count, _BATCH):
        some = range(start, min(start + _BATCH, count))
        with worklist.database.write() as connection:
            before = connection.execute(select(tables.counter.c.value).where(tables.counter.c.name == "changes"))
            change = int(before.scalar_one())
            rows: dict[str, list[dict[str, Any]]] = {}
            for number in some:
                change += 1
                received = now - timedelta(days=days) * ((number + chance.random()) / count)
                blob = blobs[chance.randrange(len(blobs))]
                ids.append(
                    _synthetic_study(rows, chance, number=number, seed=seed, change=change, at=received, blob=blob)
                )
            for table in ("study", "study_word", "film", "reading", "reading_body", "verdict"):
                if rows.get(table):
                    connection.execute(insert(tables.metadata.tables[table]), rows[table])
            changes = update(tables.counter).where(tables.counter.c.name == "changes")
            connection.execute(changes.values(value=change))
    with worklist.database.write() as connection:
        append_entry(connection, now, "drawn", "worklist.fill", target="", detail={"count": count, "seed": seed})
        connection.exec_driver_sql("ANALYZE")
    return tuple(ids)


def _synthetic_study(
    rows: dict[str, list[dict[str, Any]]],
    chance: random.Random,
    *,
    number: int,
    seed: int,
    change: int,
    at: datetime,
    blob: tuple[str, int],
) -> str:
    """One study into ``rows``, by table; its id."""
    ident = hashlib.sha256(f"study {seed} {number}".encode()).hexdigest()[:16]
    sha256 = hashlib.sha256(f"film {seed} {number}".encode()).hexdigest()
    reading = hashlib.sha256(f"reading {seed} {number}".encode()).hexdigest()[:16]
    name = f"person{number:07}.png"
    label = f"{chance.choice(_PLACES)} {name}"
    note = f"ask again {chance.choice(_PLACES)}" if chance.random() < 0.1 else ""
    document = _synthetic_reading(name, sha256, chance)
    said = summarize(document)
    verdict, corrected = "", None
    if said.status == "read" and chance.random() < 0.2:
        verdict = "agree" if chance.random() < 0.85 else "correct"
        corrected = chance.choice(("normal", "bacterial", "viral")) if verdict == "correct" else None
    shared = {
        "status": said.status,
        "call": said.call,
        "probability": said.probability,
        "pattern": said.pattern,
        "refusal": said.refusal,
        "bundle": said.bundle,
    }

    def add(table: str, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    add(
        "study",
        **shared,
        id=ident,
        key=None,
        label=label,
        source=chance.choices(_SOURCES, (4, 2, 3, 1))[0],
        received=at,
        changed=change,
        films=1,
        urgency=-1.0 if said.probability is None else said.probability,
        verdict=verdict,
        corrected_to=corrected,
        lead=sha256,
        note=note,
    )
    for word in words_of([label, note, name], [ident, sha256]):
        add("study_word", word=word, study=ident)
    statistics = dict(zip(INPUT_STATISTICS, (0.48, 0.24, 0.02, 0.95, 0.1, 1.2), strict=True))
    add(
        "film",
        sha256=sha256,
        study=ident,
        position=0,
        name=name,
        format="PNG",
        rows=_ROWS,
        columns=_COLUMNS,
        bytes=blob[1],
        white=255,
        spacing_row=None,
        spacing_column=None,
        facts={},
        blob=blob[0],
        received=at,
        **{key: max(0.0, chance.gauss(value, value / 10)) for key, value in statistics.items()},
    )
    add(
        "reading",
        **shared,
        id=reading,
        film=sha256,
        study=ident,
        ordinal=1,
        created=at,
        by="drawn",
        bundle_sha256=said.bundle_sha256,
        preset=said.preset,
        seconds=chance.lognormvariate(-1.5, 0.4),
        forced=False,
        choice="",
    )
    seen = _EVIDENCE_MAP if said.status == "read" else None
    add(
        "reading_body",
        reading=reading,
        document=document,
        map=None if seen is None else seen.values,
        map_rows=None if seen is None else seen.rows,
        map_columns=None if seen is None else seen.columns,
        map_frame=None if seen is None else list(seen.frame),
        in_lungs=None,
    )
    if verdict:
        given = {"id": reading[::-1], "study": ident, "ordinal": 1, "by": "drawn", "created": at, "comment": ""}
        add("verdict", **given, kind=verdict, corrected_to=corrected)
    return ident


def _synthetic_reading(name: str, sha256: str, chance: random.Random) -> dict[str, Any]:
    """A reading in the form of the contract; two of three films look like a disease, as in the shipped bundle's set."""
    film = {"path": name, "sha256": sha256, "format": "PNG", "rows": _ROWS, "columns": _COLUMNS}
    document: dict[str, Any] = {
        "version": VERSION,
        "film": film,
        "status": "read",
        "refusal": None,
        "corrections": [],
        "forced": False,
        "warnings": ["This reading was drawn by chance; no bundle made it"],
        "probabilities": None,
        "positive_classes": [],
        "finding": None,
        "pattern": None,
        "evidence": None,
        "model": _MODEL,
        "software": {"name": "pneumoscope", "version": "drawn"},
        "notice": NOTICE,
    }
    if chance.random() < 0.04:
        return document | {"status": "refused", "refusal": asdict(make_refusal(chance.choice(_REFUSALS)))}
    probability = round(chance.betavariate(4, 1) if chance.random() < 0.6 else chance.betavariate(1, 4), 6)
    bacterial = round(probability * chance.random(), 6)
    viral = round(probability - bacterial, 6)
    call = "no pneumonia" if probability < 0.3 else "indeterminate" if probability < 0.7 else "pneumonia"
    pattern = "bacterial" if bacterial > viral else "viral"
    return document | {
        "probabilities": {"normal": round(1 - probability, 6), "bacterial": bacterial, "viral": viral},
        "positive_classes": ["bacterial", "viral"],
        "finding": {
            "name": "pneumonia",
            "probability": probability,
            "threshold": 0.7,
            "lower": 0.3,
            "preset": "three-way",
            "call": call,
            "expected": None,
        },
        "pattern": {"call": pattern if call == "pneumonia" else None, "set": [pattern], "coverage": 0.9},
        "evidence": {"zones": dict.fromkeys(ZONES, 0.0), "in_lungs": None},
    }


def _phantom_films(seed: int) -> list[bytes]:
    """A few phantoms as PNG."""
    found = []
    for number in range(_PICTURES):
        phantom = draw_phantom(seed * 100 + number, KINDS[number % len(KINDS)], rows=_ROWS, columns=_COLUMNS)
        out = io.BytesIO()
        Image.fromarray(phantom.pixels).save(out, "PNG")
        found.append(out.getvalue())
    return found
