"""Reader studies: made as drafts, frozen when they start, closed; what changes later is a new version."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import case, delete, func, insert, select, update

from pneumoscope.errors import Conflict, UsageError
from pneumoscope.server.store.audit_log import append_entry
from pneumoscope.server.store.paging import new_id
from pneumoscope.server.store.reader_studies.blinding import Blinding
from pneumoscope.server.store.reader_studies.records import (
    Arm,
    Design,
    ReaderStudy,
    StudyFilm,
    to_reader_study,
    to_study_film,
)
from pneumoscope.server.store.reader_studies.sampling import one_per_patient, reading_order, sample_films
from pneumoscope.server.store.tables import (
    account,
    film,
    reader_study,
    reader_study_film,
    reader_study_item,
    reader_study_reader,
)
from pneumoscope.server.store.text import clean, long_text, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.reader_studies.candidates import Candidates

__all__ = ["ReaderStudies", "find_reader_study", "study_films"]


def find_reader_study(connection: Connection, ident: str) -> ReaderStudy:
    """One version. Raises NotFound."""
    found = _reader_studies(connection, ident=ident)
    if not found:
        raise not_found("reader study", ident)
    return found[0]


def study_films(connection: Connection, ident: str) -> tuple[StudyFilm, ...]:
    """The films of a study, in no order that means anything."""
    rows = connection.execute(select(reader_study_film).where(reader_study_film.c.reader_study == ident))
    return tuple(to_study_film(row) for row in rows)


def _reader_studies(
    connection: Connection, *, ident: str | None = None, reader: str | None = None
) -> tuple[ReaderStudy, ...]:
    counts = (
        select(
            reader_study_film.c.reader_study,
            func.count().label("films"),
            func.sum(case((reader_study_film.c.training, 1), else_=0)).label("training"),
        )
        .group_by(reader_study_film.c.reader_study)
        .subquery()
    )
    chosen = select(reader_study, counts.c.films, counts.c.training)
    chosen = chosen.outerjoin(counts, counts.c.reader_study == reader_study.c.id)
    if ident is not None:
        chosen = chosen.where(reader_study.c.id == ident)
    if reader is not None:
        mine = select(reader_study_reader.c.reader_study).where(
            reader_study_reader.c.reader == reader, reader_study_reader.c.left.is_(None)
        )
        chosen = chosen.where(reader_study.c.id.in_(mine), reader_study.c.status == "running")
    rows = connection.execute(chosen.order_by(reader_study.c.created.desc(), reader_study.c.id))
    return tuple(
        to_reader_study(row, int(row.films or 0) - int(row.training or 0), int(row.training or 0)) for row in rows
    )


class ReaderStudies:
    """Made by ``open_worklist``.

    Attributes:
        blinding: What readers must not see.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.blinding = Blinding(database)

    def create(
        self,
        design: Design,
        candidates: Candidates,
        *,
        by: str,
        films: int | None = None,
        share: float | None = None,
        training: int = 0,
        per_patient: bool = True,
        source: str = "worklist",
    ) -> ReaderStudy:
        """Draw the films and keep the study as a draft.

        Args:
            design: What is fixed.
            candidates: Films to draw from; those marked as training films are read as such.
            by: Who makes it.
            films: How many; None for all.
            share: Of films with the finding; None to take them as they come. With a share, films without a reference
                are left out.
            training: Training films to draw beside those that are marked.
            per_patient: Take one film of each patient.
            source: Where the films are from, in a few words.

        Raises:
            UsageError: There are not so many films, or a reader is no user or an administrator.
        """
        rng = np.random.default_rng(design.seed)
        out = Counter(candidates.left_out)
        marked = [each for each in candidates.films if each.training]
        if any(each.positive is None for each in marked):
            raise UsageError("a training film has no reference", where="training", remedy="Training gives feedback")
        taught = {each.patient for each in marked}
        rest = [each for each in candidates.films if not each.training and each.patient not in taught]
        if per_patient:
            out["of a patient of whom another film is taken"] += len(rest)
            rest = one_per_patient(rest, rng)
            out["of a patient of whom another film is taken"] -= len(rest)
        gaps = sum(each.positive is None for each in rest)
        if share is not None and gaps:
            out["without a reference"] += gaps
        chosen = [*marked, *sample_films(rest, films=films, share=share, training=training, rng=rng)]
        sampling = {
            "source": source,
            "candidates": len(candidates.films),
            "left_out": {reason: count for reason, count in out.items() if count},
            "films": films,
            "share": share,
            "training": training,
            "one_film_per_patient": per_patient,
            "with_finding": sum(each.positive is True and not each.training for each in chosen),
            "without_finding": sum(each.positive is False and not each.training for each in chosen),
            "without_reference": sum(each.positive is None for each in chosen),
        }
        if all(each.training for each in chosen):
            raise UsageError("there are no films to read", where="films", remedy="Choose others, or read films first")
        with self._database.write() as connection:
            design = _cleaned(connection, design)
            ident = new_id()
            values = {"id": ident, "series": ident, "version": 1, "design": design, "sampling": sampling}
            self._insert(connection, values, chosen, by=by)
            detail = {"name": design.name, "films": len(chosen), "readers": list(design.readers)[:50]}
            self._log(connection, by, "reader-study.create", ident, **detail)
            return find_reader_study(connection, ident)

    def list(self) -> tuple[ReaderStudy, ...]:
        """All versions, newest first."""
        with self._database.read() as connection:
            return _reader_studies(connection)

    def of_reader(self, reader: str) -> tuple[ReaderStudy, ...]:
        """Running studies that a reader reads in, newest first."""
        with self._database.read() as connection:
            return _reader_studies(connection, reader=reader)

    def get(self, ident: str) -> ReaderStudy:
        """One version.

        Raises:
            NotFound: There is no such reader study.
        """
        with self._database.read() as connection:
            return find_reader_study(connection, ident)

    def versions(self, ident: str) -> tuple[ReaderStudy, ...]:
        """All versions of the study of one, newest first."""
        with self._database.read() as connection:
            series = find_reader_study(connection, ident).series
            return tuple(
                sorted(
                    (each for each in _reader_studies(connection) if each.series == series),
                    key=lambda each: -each.version,
                )
            )

    def films(self, ident: str) -> tuple[StudyFilm, ...]:
        """The films of a study, for administrators only: labels and the model's readings stand beside them."""
        with self._database.read() as connection:
            return study_films(connection, ident)

    def change(self, ident: str, changes: dict[str, Any], *, by: str) -> ReaderStudy:
        """Change the design of a draft.

        Raises:
            NotFound: There is no such reader study.
            Conflict: It was started: it is frozen.
            UsageError: The design makes no sense.
        """
        with self._database.write() as connection:
            row = _draft(connection, ident, "changed")
            design = Design.from_json({**row.design.to_json(), **changes})
            design = _cleaned(connection, design)
            values = {"name": clean(design.name), "design": design.to_json()}
            connection.execute(update(reader_study).where(reader_study.c.id == ident).values(values))
            self._log(connection, by, "reader-study.change", ident, changed=sorted(changes))
            return find_reader_study(connection, ident)

    def start(self, ident: str, *, by: str) -> ReaderStudy:
        """Freeze a draft, draw the orders of reading, and let its readers in; an earlier version that runs is closed.

        Raises:
            NotFound: There is no such reader study.
            Conflict: It was started before.
            UsageError: It has no readers, or one is no reader any more.
        """
        now = self._database.now()
        with self._database.write() as connection:
            row = _draft(connection, ident, "started")
            design = row.design
            if not design.readers:
                raise UsageError("the study has no readers", where=ident, remedy="Name at least one user as a reader")
            _known_readers(connection, design.readers)
            films = study_films(connection, ident)
            _check_films(connection, films)
            by_arms = _arms_of_readers(design)
            for reader, arms in by_arms.items():
                listed = {"reader_study": ident, "reader": reader, "arms": list(arms)}
                connection.execute(insert(reader_study_reader), listed)
                items: list[dict[str, Any]] = []
                for number, arm in enumerate(arms):
                    some = films if number == 0 else [each for each in films if not each.training]
                    order = reading_order(some, seed=design.seed, reader=reader, arm=arm)
                    items += [
                        {
                            "reader_study": ident,
                            "reader": reader,
                            "arm": arm,
                            "position": position,
                            "film": each.film,
                            "draft": {},
                        }
                        for position, each in enumerate(order, 1)
                    ]
                connection.execute(insert(reader_study_item), items)
            for other in _reader_studies(connection):
                if other.series == row.series and other.status == "running":
                    self._close(connection, other.id, by)
            digest = _digest(design, films)
            values: dict[str, Any] = {"status": "running", "started": now, "digest": digest}
            connection.execute(update(reader_study).where(reader_study.c.id == ident).values(values))
            self._log(connection, by, "reader-study.start", ident, version=row.version, films=len(films), digest=digest)
            return find_reader_study(connection, ident)

    def close(self, ident: str, *, by: str) -> ReaderStudy:
        """End a running study: nothing more is read, and its readers see its films in the worklist again.

        Raises:
            NotFound: There is no such reader study.
            Conflict: It does not run.
        """
        with self._database.write() as connection:
            if find_reader_study(connection, ident).status != "running":
                raise Conflict("only a running reader study is closed", where=ident)
            self._close(connection, ident, by)
            return find_reader_study(connection, ident)

    def new_version(self, ident: str, *, by: str) -> ReaderStudy:
        """A draft with the same films and design, to be changed; readings stay with the version that they are of.

        Raises:
            NotFound: There is no such reader study.
            Conflict: There is a draft of it already.
        """
        with self._database.write() as connection:
            row = find_reader_study(connection, ident)
            series = [each for each in _reader_studies(connection) if each.series == row.series]
            if any(each.status == "draft" for each in series):
                raise Conflict("there is a draft of this reader study", where=ident, remedy="Change or delete that")
            version = max(each.version for each in series) + 1
            made = new_id()
            films = study_films(connection, ident)
            values = {"id": made, "series": row.series, "version": version}
            values |= {"design": row.design, "sampling": row.sampling}
            self._insert(connection, values, films, by=by)
            self._log(connection, by, "reader-study.version", made, version=version, of=ident)
            return find_reader_study(connection, made)

    def delete(self, ident: str, *, by: str) -> None:
        """Delete a draft; what was started is kept.

        Raises:
            NotFound: There is no such reader study.
            Conflict: It was started.
        """
        with self._database.write() as connection:
            _draft(connection, ident, "deleted")
            connection.execute(delete(reader_study).where(reader_study.c.id == ident))
            self._log(connection, by, "reader-study.delete", ident)

    def let_go(self, ident: str, reader: str, *, by: str) -> None:
        """Let a reader go who leaves half-way: what was read is kept, and progress does not wait for the rest.

        Raises:
            NotFound: There is no such reader in the study.
            Conflict: The study does not run.
        """
        now = self._database.now()
        with self._database.write() as connection:
            if find_reader_study(connection, ident).status != "running":
                raise Conflict("only a running reader study lets readers go", where=ident)
            where = (reader_study_reader.c.reader_study == ident) & (reader_study_reader.c.reader == reader)
            done = connection.execute(update(reader_study_reader).where(where).values(left=now)).rowcount
            if not done:
                raise not_found("reader of the study", reader)
            self._log(connection, by, "reader-study.let-go", ident, reader=reader)

    def _close(self, connection: Connection, ident: str, by: str) -> None:
        values = {"status": "closed", "closed": self._database.now()}
        connection.execute(update(reader_study).where(reader_study.c.id == ident).values(values))
        self._log(connection, by, "reader-study.close", ident)

    def _insert(self, connection: Connection, made: dict[str, Any], films: Sequence[StudyFilm], *, by: str) -> None:
        design: Design = made.pop("design")
        connection.execute(
            insert(reader_study),
            {
                **made,
                "name": clean(design.name),
                "status": "draft",
                "design": design.to_json(),
                "digest": "",
                "created": self._database.now(),
                "created_by": clean(by),
            },
        )
        rows = [{"reader_study": made["id"], **asdict(each)} for each in films]
        connection.execute(insert(reader_study_film), rows)

    def _log(self, connection: Connection, by: str, action: str, ident: str, **detail: Any) -> None:
        now = self._database.now()
        append_entry(connection, now, by, action, target=f"reader-study:{ident}", detail=detail)


def _draft(connection: Connection, ident: str, what: str) -> ReaderStudy:
    row = find_reader_study(connection, ident)
    if row.status != "draft":
        raise Conflict(
            f"the reader study was started, and cannot be {what}", where=ident, remedy="Make a new version of it"
        )
    return row


def _cleaned(connection: Connection, design: Design) -> Design:
    """The design with texts that any page can show, and readers as the accounts have them.

    Raises:
        UsageError: A reader is no active user, or an administrator.
    """
    return replace(
        design,
        name=clean(design.name),
        instructions=long_text(design.instructions, "instructions"),
        classes=tuple(clean(name, 64) for name in design.classes),
        positive=tuple(clean(name, 64) for name in design.positive),
        readers=_known_readers(connection, design.readers),
    )


def _check_films(connection: Connection, films: Sequence[StudyFilm]) -> None:
    there: set[str] = set()
    names = [each.film for each in films]
    for begin in range(0, len(names), 500):
        some = select(film.c.sha256).where(film.c.sha256.in_(names[begin : begin + 500]))
        there |= set(connection.execute(some).scalars())
    if lost := len(films) - len(there):
        raise UsageError(f"{lost} of the films were deleted from the worklist", where="films", remedy="Draw them anew")


def _known_readers(connection: Connection, names: Sequence[str]) -> tuple[str, ...]:
    """The names as the accounts have them.

    Raises:
        UsageError: One is no active user, or an administrator, who sees labels and results.
    """
    rows = connection.execute(select(account.c.name, account.c.folded, account.c.role, account.c.active))
    known = {row.folded: row for row in rows}
    found = []
    for name in names:
        row = known.get(name.strip().casefold())
        if row is None or not row.active:
            raise UsageError(
                f"{clean(name)!r} is no active user", where="readers", remedy="Make the user on the Admin page first"
            )
        if row.role != "reader":
            raise UsageError(
                f"{row.name} is an administrator, who sees labels and the model's readings",
                where="readers",
                remedy="Make an account with the role reader for this person",
            )
        found.append(row.name)
    if len(set(found)) != len(found):
        raise UsageError("a reader stands in the list twice", where="readers")
    return tuple(found)


def _arms_of_readers(design: Design) -> dict[str, tuple[Arm, ...]]:
    """Which arms each reader reads, in their order; independent arms are drawn by the seed, as even as can be."""
    if design.arms == "sequential":
        return dict.fromkeys(design.readers, ("unaided", "aided"))
    if design.arms == "unaided":
        return dict.fromkeys(design.readers, ("unaided",))
    drawn = np.random.default_rng([design.seed, 1]).permutation(len(design.readers))
    arms: tuple[Arm, Arm] = ("unaided", "aided")
    return {design.readers[int(index)]: (arms[number % 2],) for number, index in enumerate(drawn)}


def _digest(design: Design, films: Sequence[StudyFilm]) -> str:
    """sha256 of all that is frozen."""
    said = [design.to_json(), sorted((asdict(each) for each in films), key=lambda each: str(each["film"]))]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
