"""Garbage collection of blobs that no film refers to any more, safe against kills and against films that come again.

Rows and bytes lie in two places, and no transaction spans both. So an address is written down as doomed in the
transaction that deletes the last film of it, and taken away after; a program that is killed in between leaves it to
the next one. An address that was taken away stays noted for a day: whoever put the same bytes just before, and adds
their film just after, sees the note and puts them again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, insert, select, update

from pneumoscope.server.store.tables import film, unreferenced_blob

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

    from pneumoscope.server.store.blobs import BlobStore
    from pneumoscope.server.store.database import Database

__all__ = ["collect_garbage", "forget_collected", "mark_unreferenced", "unmark_referenced"]

_BATCH = 20
_REMEMBERED = timedelta(days=1)


def mark_unreferenced(connection: Connection, addresses: Iterable[str], now: datetime) -> None:
    """Note addresses that no film refers to."""
    for address in sorted(set(addresses)):
        if connection.execute(select(film.c.sha256).where(film.c.blob == address).limit(1)).first() is None:
            connection.execute(delete(unreferenced_blob).where(unreferenced_blob.c.address == address))
            connection.execute(insert(unreferenced_blob), {"address": address, "at": now, "done": False})


def unmark_referenced(connection: Connection, addresses: Iterable[str]) -> list[str]:
    """Strike off addresses that a film refers to from now on; those that may have been taken away already."""
    some = sorted(set(addresses))
    taken = (
        connection.execute(select(unreferenced_blob.c.address).where(unreferenced_blob.c.address.in_(some)))
        .scalars()
        .all()
    )
    if taken:
        connection.execute(delete(unreferenced_blob).where(unreferenced_blob.c.address.in_(taken)))
    return list(taken)


def collect_garbage(database: Database, blobs: BlobStore) -> int:
    """Take away the bytes of what is doomed; how many. A film that refers to one after all keeps it."""
    count = 0
    wanted = select(unreferenced_blob.c.address).where(
        ~unreferenced_blob.c.done, ~exists().where(film.c.blob == unreferenced_blob.c.address)
    )
    while True:
        with database.write() as connection:  # in the one writer's turn, so that no film comes in between
            connection.execute(
                delete(unreferenced_blob).where(
                    ~unreferenced_blob.c.done, exists().where(film.c.blob == unreferenced_blob.c.address)
                )
            )
            some = connection.execute(wanted.limit(_BATCH)).scalars().all()
            for address in some:
                blobs.delete(address)
            done = (
                update(unreferenced_blob)
                .where(unreferenced_blob.c.address.in_(some))
                .values(done=True, at=database.now())
            )
            connection.execute(done)
        count += len(some)
        if len(some) < _BATCH:
            return count


def forget_collected(connection: Connection, now: datetime) -> None:
    """Forget what was taken away more than a day ago."""
    connection.execute(
        delete(unreferenced_blob).where(unreferenced_blob.c.done, unreferenced_blob.c.at < now - _REMEMBERED)
    )
