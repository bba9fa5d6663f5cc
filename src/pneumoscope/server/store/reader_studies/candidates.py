"""Films of the worklist that may be read in a study, with their reference labels and what the model said."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, replace
from io import StringIO
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pneumoscope.errors import UsageError
from pneumoscope.server.store.adding import finding_in
from pneumoscope.server.store.paging import study_page
from pneumoscope.server.store.reader_studies.records import Candidate
from pneumoscope.server.store.records import to_verdict
from pneumoscope.server.store.tables import film, reading, reading_body, study, verdict
from pneumoscope.storage import csv_cell
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.records import Query

__all__ = [
    "Candidates",
    "LabelMeaning",
    "Reference",
    "csv_lines",
    "from_manifest",
    "from_worklist",
    "parse_manifest",
    "readable",
]

_BATCH = 500
_PRESENT = frozenset({"1", "yes", "true", "positive", "present"})
_ABSENT = frozenset({"0", "no", "false", "negative", "absent", "normal"})


@dataclass(frozen=True, slots=True)
class Candidates:
    """Films to draw from, and how many were left out, by the reason."""

    films: tuple[Candidate, ...]
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class Reference:
    """One line of a manifest.

    Attributes:
        name: A study of the worklist, or the sha256 of a film.
        label: The reference class; empty where the reference has a gap.
        patient: Whose film it is, in any form; only a keyed hash of it is kept.
        training: To be read as a training film.
    """

    name: str
    label: str
    patient: str = ""
    training: bool = False


class LabelMeaning:
    """What labels say of the finding.

    Args:
        finding: "pneumonia"; "no pneumonia" is its absence.
        positive: Classes that mean the finding.
        negative: Classes that mean its absence.
    """

    def __init__(self, finding: str, positive: Sequence[str], negative: Sequence[str]) -> None:
        self._present = _PRESENT | {finding.casefold(), *(name.casefold() for name in positive)}
        self._absent = _ABSENT | {f"no {finding.casefold()}", *(name.casefold() for name in negative)}

    def __call__(self, label: str) -> bool | None:
        """Whether the finding is present; None without a label.

        Raises:
            UsageError: The label is unknown.
        """
        folded = label.strip().casefold()
        if not folded:
            return None
        if folded in self._present:
            return True
        if folded in self._absent:
            return False
        raise UsageError(
            f"it is not known whether {label!r} means the finding",
            where="label",
            remedy=f"Take one of {', '.join(sorted(self._present | self._absent))}",
        )


def readable(text: str) -> str:
    """A table's text without what databases and pages refuse: a mark at its beginning, NUL, halves of characters."""
    return text.lstrip("\ufeff").replace("\0", " ").encode("utf-8", "replace").decode()


def csv_lines(rows: csv.DictReader[str], where: str) -> Iterator[dict[str, str | None]]:
    """The lines of a table.

    Raises:
        UsageError: It is no CSV.
    """
    try:
        yield from rows
    except csv.Error as error:
        raise UsageError(f"this is no CSV ({error})", where=where, remedy="Save it as CSV in UTF-8") from error


def parse_manifest(text: str) -> tuple[Reference, ...]:
    """Read a CSV with the columns ``study`` or ``film_sha256``, ``label``, and if wanted ``patient`` and ``training``.

    A table of the worklist with a column ``label`` is one; other columns are passed over.

    Raises:
        UsageError: A column is missing, a line names no film, or a film stands there with two labels.
    """
    rows = csv.DictReader(StringIO(readable(text)))
    names = [name.strip().casefold() for name in rows.fieldnames or ()]
    rows.fieldnames = names
    key = next((name for name in ("film_sha256", "film", "study") if name in names), None)
    if key is None or "label" not in names:
        raise UsageError(
            "the manifest has no columns study (or film_sha256) and label",
            where="manifest",
            remedy="Take the worklist's table as CSV and add a column label",
        )
    found: dict[str, Reference] = {}
    for number, row in enumerate(csv_lines(rows, "manifest"), 2):
        cells = {name: csv_cell((row.get(name) or "").strip()) for name in ("label", "patient", "training", key)}
        if not cells[key]:
            raise UsageError(f"line {number} names no film", where="manifest", remedy=f"Fill in the column {key}")
        training = cells["training"].casefold() in _PRESENT
        one = Reference(cells[key], cells["label"], cells["patient"], training)
        if found.setdefault(one.name, one) != one:
            raise UsageError(f"line {number} says of {one.name} what another line does not", where="manifest")
    if not found:
        raise UsageError("the manifest has no lines", where="manifest")
    return tuple(found.values())


def from_worklist(database: Database, query: Query, meaning: Callable[[str], bool | None]) -> Candidates:
    """The leading film of each study of a query, with the verdict that holds as its reference.

    Refused films, films whose bytes were not kept, and forced readings are left out. A verdict "not assessable" leaves
    a film out, too; without a verdict a film has no reference.

    Raises:
        UsageError: A verdict corrects to a class that says nothing of the finding.
    """
    found: list[Candidate] = []
    out: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        with database.read() as connection:
            page = study_page(connection, replace(query, limit=_BATCH, cursor=cursor))
            out["refused by quality control"] += sum(row.status != "read" for row in page.items)
            some = {row.id: row for row in page.items if row.status == "read"}
            labels = _verdicts(connection, some)
            for one in _with_readings(connection, list(some), out):
                label = labels.get(one.study, "")
                if label is None:
                    out["called not assessable"] += 1
                else:
                    found.append(replace(one, label=label, positive=meaning(label)))
        if page.next is None:
            return Candidates(tuple(found), _counted(out))
        cursor = page.next


def from_manifest(
    database: Database,
    references: Sequence[Reference],
    meaning: Callable[[str], bool | None],
    *,
    keyed: Callable[[str], str],
) -> Candidates:
    """The films of a manifest, as they are in the worklist.

    Args:
        database: Of the worklist.
        references: Lines of the manifest.
        meaning: What a label says of the finding.
        keyed: Keyed hash of a patient.

    Raises:
        UsageError: A line names no film of the worklist, or a label is unknown.
    """
    found: list[Candidate] = []
    out: Counter[str] = Counter()
    unknown: list[str] = []
    for start in range(0, len(references), _BATCH):
        with database.read() as connection:
            named = _named(connection, [each.name for each in references[start : start + _BATCH]])
            unknown += [each.name for each in references[start : start + _BATCH] if each.name not in named]
            made = {one.study: one for one in _with_readings(connection, list(named.values()), out)}
        for each in references[start : start + _BATCH]:
            one = made.get(named.get(each.name, ""))
            if one is None:
                continue
            patient = keyed(each.patient) if each.patient else one.patient
            found.append(
                replace(one, patient=patient, label=each.label, positive=meaning(each.label), training=each.training)
            )
    if unknown:
        raise UsageError(
            f"{len(unknown)} of the manifest's films are not in the worklist: {', '.join(unknown[:5])}",
            where="manifest",
            remedy="Give ids of studies or sha256 of films that are there",
        )
    return Candidates(tuple({one.film: one for one in found}.values()), _counted(out))


def _counted(out: Counter[str]) -> dict[str, int]:
    return {reason: count for reason, count in out.items() if count}


def _named(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """Studies by the names that a manifest has for them."""
    rows = connection.execute(select(study.c.id).where(study.c.id.in_(names))).scalars()
    found = {ident: ident for ident in rows}
    films = connection.execute(select(film.c.sha256, film.c.study).where(film.c.sha256.in_(names)))
    return found | {row.sha256: row.study for row in films}


def _verdicts(connection: Connection, studies: Mapping[str, Any]) -> dict[str, str | None]:
    """What persons say of studies, as a label; None where they say that nobody can tell."""
    rows = connection.execute(
        select(verdict).where(verdict.c.study.in_(studies)).order_by(verdict.c.study, verdict.c.ordinal.desc())
    )
    by_study: dict[str, list[Any]] = {}
    for row in rows:
        by_study.setdefault(row.study, []).append(to_verdict(row))
    found: dict[str, str | None] = {}
    for ident, some in by_study.items():
        holds = standing_verdict(some)
        if holds is None:
            continue
        call = studies[ident].call or ""
        agreed = "" if call == "indeterminate" else call
        found[ident] = {"agree": agreed, "correct": holds.corrected_to or ""}.get(holds.kind)
    return found


def _with_readings(connection: Connection, studies: Sequence[str], out: Counter[str]) -> Iterator[Candidate]:
    """The leading films of studies with their newest readings; what cannot be shown or was refused is counted."""
    newest = (
        select(reading.c.film, func.max(reading.c.ordinal).label("ordinal"))
        .where(reading.c.study.in_(studies), reading.c.status == "read", reading.c.forced.is_(False))
        .group_by(reading.c.film)
        .subquery()
    )
    rows = connection.execute(
        select(study, film.c.bytes, reading.c.id.label("reading"), reading_body.c.document)
        .join(film, film.c.sha256 == study.c.lead)
        .outerjoin(newest, newest.c.film == study.c.lead)
        .outerjoin(reading, (reading.c.film == newest.c.film) & (reading.c.ordinal == newest.c.ordinal))
        .outerjoin(reading_body, reading_body.c.reading == reading.c.id)
        .where(study.c.id.in_(studies))
        .order_by(study.c.id)
    )
    for row in rows:
        if row.reading is None:
            out["refused by quality control"] += 1
            continue
        if not row.bytes:
            out["without pixels"] += 1
            continue
        said = finding_in(row.document) or {}
        model = row.document.get("model") or {}
        yield Candidate(
            film=row.lead,
            study=row.id,
            reading=row.reading,
            patient=row.patient or row.id,
            probability=said.get("probability"),
            threshold=said.get("threshold"),
            model_positive=None if not said else said["call"] == said.get("name", "pneumonia"),
            bundle=" ".join(str(model[name]) for name in ("name", "version") if model.get(name)),
        )
