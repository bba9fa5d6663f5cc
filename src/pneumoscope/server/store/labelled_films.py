"""A labelled data set of what persons said: verdicts and panels, with provenance, without identity.

Films go out as PNG of their decoded pixels: what a file holds beside them (DICOM's header, EXIF) stays behind; text
that is burnt into the pixels does not. Films and patients are called by hashes with the key of the web application, so
that the same film and patient keep their names from one version to the next, and only the site can tell whose they are.
"""

from __future__ import annotations

import csv
import hmac
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any

from PIL import Image
from sqlalchemy import select

from pneumoscope import __version__
from pneumoscope.errors import DatasetError, FilmError, StorageError
from pneumoscope.films.load import load
from pneumoscope.server.store.adding import finding_in
from pneumoscope.server.store.records import to_verdict
from pneumoscope.server.store.tables import film, reading, reading_body, study, verdict
from pneumoscope.settings import NOTICE
from pneumoscope.storage import csv_text, make_folder, write_atomically
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from pneumoscope.server.store.blobs import BlobStore
    from pneumoscope.server.store.database import Database
    from pneumoscope.types.studies import Verdict

__all__ = ["COLUMNS", "ExportSummary", "export_dataset", "read_panel"]

COLUMNS = (
    "path",
    "label",
    "patient",
    "site",
    "age",
    "sex",
    "view",
    "boxes",
    "labelled_by",
    "labelled_at",
    "labelled_from",
    "in_sight_of_model",
    "bundle",
    "bundle_sha256",
    "model_probability",
    "model_call",
    "agreement",
)
"""Of films.csv. ``labelled_from`` is "verdict" or "panel"; a verdict is given in sight of the model's reading."""

_PAGE = 200


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written.

    Attributes:
        version: sha256 over the films with their labels, patients and provenance.
        films: In the data set.
        patients: Of them.
        labels: Films by label.
        in_sight: Films whose label was given in sight of the model.
        left_out: Why studies with a verdict are not in it, and how many.
    """

    version: str
    films: int
    patients: int
    labels: dict[str, int]
    in_sight: int
    left_out: dict[str, int]


def read_panel(file: Path) -> dict[str, dict[str, str]]:
    """The reference.csv that ``pneumoscope panel`` writes, by film: the study's id or the film's sha256.

    Raises:
        DatasetError: It cannot be read, or has no columns film and label.
    """
    remedy = "Take the reference.csv that pneumoscope panel writes"
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeError, csv.Error) as error:
        raise DatasetError(f"the panel's reference cannot be read ({error})", where=file, remedy=remedy) from error
    if not rows or not {"film", "label"} <= set(rows[0]):
        raise DatasetError("the panel's reference has no columns film and label", where=file, remedy=remedy)
    return {row["film"]: row for row in rows if row["label"]}


def export_dataset(
    database: Database,
    blobs: BlobStore,
    key: bytes,
    folder: Path,
    *,
    site: str,
    panel: Mapping[str, Mapping[str, str]] | None = None,
    bar: Callable[[], None] = lambda: None,
) -> ExportSummary:
    """Write films.csv, dataset.json and the films below ``films``.

    A study counts if it has one film, and a standing verdict "agree" or "correct" or a panel's label; the panel's
    label stands over the verdict. Films that are already there are not written anew, so that an export that was
    killed goes on.

    Args:
        database: Of the worklist.
        blobs: Where its films are.
        key: Of the web application.
        folder: Where to; films of an earlier version that are no longer labelled are taken away.
        site: Name of the site in the column ``site``.
        panel: By study's id or film's sha256: label and agreement.
        bar: Told of each study.

    Raises:
        DatasetError: There is no labelled film.
        StorageError: The disk is full or the folder cannot be written.
    """
    make_folder(folder / "films")
    rows: list[dict[str, Any]] = []
    left_out: dict[str, int] = {}
    with database.read() as connection:
        found = list(_labelled(connection, panel or {}, left_out))
    for record in found:
        bar()
        name = f"films/{_keyed(key, 'film', record['sha256'])}.png"
        if not (folder / name).is_file():
            try:
                data = _png(blobs.get(record["blob"]), record["name"])
            except StorageError:
                left_out["its film is not kept"] = left_out.get("its film is not kept", 0) + 1
                continue
            except FilmError:
                left_out["its film cannot be decoded"] = left_out.get("its film cannot be decoded", 0) + 1
                continue
            write_atomically(folder / name, data)
        patient = _keyed(key, "patient", record["patient"] or f"study {record['study']}")
        rows.append({**record, "path": name, "patient": patient, "site": site, "boxes": "", "view": record["view"]})
    if not rows:
        raise DatasetError(
            "no film has a label: there are no verdicts, and no panel's label fits",
            where=folder,
            remedy="Give verdicts on the worklist, or --panel reference.csv",
        )
    rows.sort(key=lambda row: str(row["path"]))
    table = csv_text([COLUMNS, *([row[column] for column in COLUMNS] for row in rows)])
    version = sha256(table.encode("utf-8", "surrogateescape")).hexdigest()
    labels: dict[str, int] = {}
    for row in rows:
        labels[row["label"]] = labels.get(row["label"], 0) + 1
    summary = ExportSummary(
        version,
        len(rows),
        len({row["patient"] for row in rows}),
        dict(sorted(labels.items())),
        sum(row["in_sight_of_model"] == "yes" for row in rows),
        left_out,
    )
    write_atomically(folder / "films.csv", table)
    about = {
        "schema_version": 1,
        "version": version,
        "site": site,
        "films": summary.films,
        "patients": summary.patients,
        "labels": summary.labels,
        "in_sight_of_model": summary.in_sight,
        "left_out": left_out,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": f"pneumoscope {__version__}",
        "notice": NOTICE,
    }
    write_atomically(folder / "dataset.json", json.dumps(about, indent=1) + "\n")
    kept = {str(row["path"]) for row in rows}
    for stale in (folder / "films").glob("*.png"):
        if f"films/{stale.name}" not in kept:
            stale.unlink()
    return summary


def _labelled(
    connection: Connection, panel: Mapping[str, Mapping[str, str]], left_out: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """The labelled films, with who said so when, and which reading stood there then."""
    columns = (
        study.c.id.label("study"),
        *(study.c.films, study.c.patient, study.c.age, study.c.sex),
        *(film.c.sha256, film.c.name, film.c.blob, film.c.facts),
    )
    chosen = select(*columns).join(film, film.c.sha256 == study.c.lead).order_by(study.c.received, study.c.id)
    listed = connection.execute(chosen).all()
    for start in range(0, len(listed), _PAGE):
        some = listed[start : start + _PAGE]
        given = _standing(connection, [row.study for row in some])
        for row in some:
            said, expert = given.get(row.study), panel.get(row.study) or panel.get(row.sha256)
            if expert is None and (said is None or said.kind == "not-assessable"):
                continue
            if row.films != 1:
                left_out["its study has several films"] = left_out.get("its study has several films", 0) + 1
                continue
            shown = _shown(connection, row.sha256, None if expert is not None or said is None else said.created)
            label = expert["label"] if expert is not None else _label_of(said, shown)
            if not label:
                left_out["its verdict names no class"] = left_out.get("its verdict names no class", 0) + 1
                continue
            yield {
                "study": row.study,
                "sha256": row.sha256,
                "name": row.name,
                "blob": row.blob,
                "patient": row.patient,
                "age": "" if row.age is None else f"{row.age:g}",
                "sex": row.sex or "",
                "view": dict(row.facts or {}).get("ViewPosition", ""),
                "label": label,
                "labelled_by": "panel" if expert is not None or said is None else said.by,
                "labelled_at": "" if expert is not None or said is None else said.created.isoformat(),
                "labelled_from": "panel" if expert is not None else "verdict",
                "in_sight_of_model": "no" if expert is not None else "yes",
                "bundle": "" if shown is None else shown.bundle,
                "bundle_sha256": "" if shown is None else shown.bundle_sha256,
                "model_probability": "" if shown is None or shown.probability is None else f"{shown.probability:.6f}",
                "model_call": "" if shown is None else shown.call,
                "agreement": "" if expert is None else expert.get("agreement", ""),
            }


def _standing(connection: Connection, studies: list[str]) -> dict[str, Verdict]:
    rows = connection.execute(
        select(verdict).where(verdict.c.study.in_(studies)).order_by(verdict.c.study, verdict.c.ordinal.desc())
    )
    found = {
        ident: standing_verdict([to_verdict(row) for row in some]) for ident, some in groupby(rows, lambda r: r.study)
    }
    return {ident: one for ident, one in found.items() if one is not None}


def _shown(connection: Connection, sha: str, at: datetime | None) -> Any:
    """The newest reading of the film at a time; the newest of all without one."""
    chosen = (
        select(reading, reading_body.c.document)
        .join(reading_body, reading_body.c.reading == reading.c.id)
        .where(reading.c.film == sha)
        .order_by(reading.c.ordinal.desc())
    )
    rows = connection.execute(chosen).all()
    before = [row for row in rows if at is None or row.created <= at]
    return before[0] if before else rows[-1] if rows else None


def _label_of(said: Verdict | None, shown: Any) -> str:
    """The class of a verdict: what it corrects to, or what the reading called."""
    if said is None or shown is None:
        return ""
    if said.kind == "correct":
        return said.corrected_to or ""
    found = finding_in(shown.document) or {}
    name = str(found.get("name", "pneumonia"))
    return name if shown.call == name else "normal" if shown.call == f"no {name}" else ""


def _keyed(key: bytes, kind: str, text: str) -> str:
    return hmac.new(key, f"dataset {kind} {text}".encode(), sha256).hexdigest()[:24]


def _png(data: bytes, name: str) -> bytes:
    """The pixels alone; deeper films are stretched to 16 bits, so that white is white."""
    radiograph = load(data, name=name)
    pixels = radiograph.pixels
    if radiograph.white > 255:
        pixels = (pixels.astype("uint32") * 65535 // radiograph.white).astype("uint16")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
