"""How long studies are kept, and what is deleted after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from pneumoscope.errors import UsageError
from pneumoscope.server.store.garbage import collect_garbage, forget_collected, mark_unreferenced
from pneumoscope.server.store.reader_studies.blinding import studies_in_running_reader_studies
from pneumoscope.server.store.tables import deleted_study, film, study

if TYPE_CHECKING:
    from pneumoscope.server.store.worklist import Worklist

__all__ = ["RetentionResult", "apply_retention", "delete_unreferenced"]

_BATCH = 500
_MIN_AGE = 3600.0  # seconds: bytes younger than this may be of a film that is being added
_DELETIONS_KEPT = timedelta(days=7)  # how long pages are told that a study is gone


@dataclass(frozen=True, slots=True)
class RetentionResult:
    """What was taken away: studies, bytes that nothing referred to (blobs), unfinished writes, ended sessions."""

    studies: int
    blobs: int
    unfinished: int
    sessions: int


def apply_retention(worklist: Worklist, keep_days: float, *, by: str = "retention") -> RetentionResult:
    """Delete studies that are older than so many days, and clear up.

    The audit log keeps that they were there and that they were deleted.

    Args:
        worklist: The store.
        keep_days: Counted from when the study was received; 0 keeps them for ever, and only clears up.
        by: Who stands in the log.

    Raises:
        UsageError: A negative number of days.
    """
    if keep_days < 0:
        raise UsageError("a study is kept for 0 days (for ever) or more", where="keep_days")
    studies = 0
    now = worklist.database.now()
    if keep_days:
        old = select(study.c.id).where(study.c.received < now - timedelta(days=keep_days)).order_by(study.c.received)
        old = old.where(study.c.id.not_in(studies_in_running_reader_studies()))  # they go when it is closed
        while True:
            with worklist.database.read() as connection:
                ids = connection.execute(old.limit(_BATCH)).scalars().all()
            if not ids:
                break
            studies += worklist.studies.delete(ids, by=by)
    with worklist.database.write() as connection:
        connection.execute(delete(deleted_study).where(deleted_study.c.at < now - _DELETIONS_KEPT))
        forget_collected(connection, now)
    worklist.database.tidy()
    return RetentionResult(studies, delete_unreferenced(worklist), worklist.blobs.sweep(), worklist.sessions.purge())


def delete_unreferenced(worklist: Worklist, *, older_than: float = _MIN_AGE) -> int:
    """Take away bytes that no film refers to: those of films that were put and never added; how many.

    Args:
        worklist: The store.
        older_than: Seconds. Younger ones may be of a film that is being added.
    """
    some: list[str] = []
    count = 0
    for address, age in worklist.blobs.addresses():
        if age > older_than:
            some.append(address)
        if len(some) == _BATCH:
            count += _delete_unreferenced(worklist, some)
            some = []
    return count + _delete_unreferenced(worklist, some)


def _delete_unreferenced(worklist: Worklist, addresses: list[str]) -> int:
    with worklist.database.read() as connection:
        held = set(connection.execute(select(film.c.blob).where(film.c.blob.in_(addresses))).scalars())
    loose = [address for address in addresses if address not in held]
    if not loose:
        return 0
    with worklist.database.write() as connection:
        mark_unreferenced(connection, loose, worklist.database.now())
    return collect_garbage(worklist.database, worklist.blobs)
