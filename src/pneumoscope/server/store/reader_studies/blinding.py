"""What readers of a running study must not see: the worklist's entries of its films, and with them the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from pneumoscope.server.store import tables
from pneumoscope.server.store.tables import reader_study, reader_study_film, reader_study_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from pneumoscope.server.store.database import Database

__all__ = ["Blinding", "blinded_studies", "films_in_running_studies", "studies_in_running_reader_studies"]


def blinded_studies(reader: str) -> Select[Any]:
    """Ids of the worklist's studies whose films a reader reads, or has read, in a study that still runs."""
    return (
        select(reader_study_film.c.study)
        .join(reader_study, reader_study.c.id == reader_study_film.c.reader_study)
        .join(reader_study_reader, reader_study_reader.c.reader_study == reader_study.c.id)
        .where(reader_study.c.status == "running", reader_study_reader.c.reader == reader)
    )


def studies_in_running_reader_studies() -> Select[Any]:
    """Ids of the worklist's studies whose films are read in a reader study that runs."""
    chosen = select(reader_study_film.c.study).distinct()
    chosen = chosen.join(reader_study, reader_study.c.id == reader_study_film.c.reader_study)
    return chosen.where(reader_study.c.status == "running")


def films_in_running_studies(connection: Connection, studies: Iterable[str]) -> Sequence[str]:
    """Those of the worklist's studies whose films are read in a reader study that runs."""
    chosen = studies_in_running_reader_studies().where(reader_study_film.c.study.in_(list(studies)))
    return connection.execute(chosen).scalars().all()


class Blinding:
    """Asked for each request that names a study, a film or a reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hides(self, reader: str, *, study: str = "", film: str = "", reading: str = "") -> bool:
        """Whether a reader must not see it now: its film is of a running study that the reader reads in.

        Args:
            reader: Name of the user.
            study: Id in the worklist, or empty.
            film: sha256, or empty.
            reading: Id of any reading of such a film, or empty.
        """
        named: list[ColumnElement[bool]] = []
        if study:
            named.append(reader_study_film.c.study == study)
        if film:  # any film of the examination
            whose = select(tables.film.c.study).where(tables.film.c.sha256 == film)
            named.append(reader_study_film.c.study.in_(whose))
        if reading:
            whose = select(tables.reading.c.study).where(tables.reading.c.id == reading)
            named.append(reader_study_film.c.study.in_(whose))
        if not named:
            return False
        with self._database.read() as connection:
            return connection.execute(blinded_studies(reader).where(or_(*named)).limit(1)).first() is not None
