"""``pneumoscope log``: whether the audit log of the reading room is as it was written."""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pneumoscope.worklist.audit import Audit

__all__ = ["log"]

_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def log(
    what: Annotated[Literal["verify"], typer.Argument(help="Compute the chain of the log again.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the reading room, as serve was given it.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Its database, as serve was given it, instead of the folder's.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="N:DIGEST", help="A head that was printed before: nothing up to it may have changed."),
    ] = None,
) -> None:
    """Say whether the audit log of the reading room is as it was written, line by line.

    Every line holds the sha256 of the one before. Whoever changes a line and all that follow it, too, is found by a
    head that was kept elsewhere: write down what this prints, and give it as --head next time. Exit code 0: whole;
    7: a line was changed or taken away, or the head is not in the log.

    Example: pneumoscope log verify --head 1234:9f86d081...
    """
    del what
    from pneumoscope.cli.store import open_store
    from pneumoscope.errors import LogBroken, UsageError

    wanted = None if head is None else _HEAD.fullmatch(head)
    if head is not None and wanted is None:
        raise UsageError("this is no head of a log", where=head, remedy="Give the one that was printed, as 12:ab34...")
    store = open_store(data, database)
    from pneumoscope.worklist.audit import Audit

    try:
        audit = Audit(store)
        found = audit.verify()
        if not found.ok:
            raise LogBroken(
                f"the audit log is not as it was written: line {found.first_bad} was changed or is missing",
                where=store.shown,
                remedy="Keep the database as it is, and compare it with a backup",
            )
        if wanted is not None and _digest(audit, int(wanted[1])) != wanted[2]:
            raise LogBroken(
                f"the audit log was written anew: line {wanted[1]} is not the one that was there",
                where=store.shown,
                remedy="Keep the database as it is, and compare it with a backup",
            )
    finally:
        store.close()
    typer.echo(f"The audit log is whole: {found.entries:,} lines.")
    typer.echo(f"head {found.entries}:{found.head}")


def _digest(audit: Audit, sequence: int) -> str:
    """The digest of a line; empty if there is no such line."""
    cursor = None
    while True:
        page = audit.page(limit=500, cursor=cursor)
        for entry in page.items:
            if entry.sequence == sequence:
                return entry.digest
        if page.next is None or page.items[-1].sequence < sequence:
            return ""
        cursor = page.next
