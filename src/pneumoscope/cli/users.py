"""``pneumoscope users``: help for those who cannot log in, from the machine of the reading room."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pneumoscope.worklist.users import Users

__all__ = ["users"]

_BY = "terminal"  # as which it stands in the audit log


def users(
    what: Annotated[
        Literal["list", "password", "unlock"], typer.Argument(help="What to do; list without this.")
    ] = "list",
    name: Annotated[str | None, typer.Argument(help="Of the user.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the reading room, as serve was given it.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Its database, as serve was given it, instead of the folder's.")
    ] = None,
) -> None:
    """List the users of the reading room, give one a new password, or end a lockout.

    For when nobody who could do it on the Admin page can log in. The server may run meanwhile. A new password is asked
    for on the terminal, or read as one line from standard input; it logs the user out everywhere. What is done is
    written into the audit log.

    Example: pneumoscope users password grace
    """
    from pneumoscope.cli.store import open_store
    from pneumoscope.errors import NotFound, UsageError

    store = open_store(data, database)
    from pneumoscope.worklist.users import Users

    try:
        all_users = Users(store)
        if what == "list":
            _list(all_users)
            return
        if name is None:
            raise UsageError("whose?", where=what, remedy=f"Give a name: pneumoscope users {what} NAME")
        row = all_users.get(name)
        if row is None:
            raise NotFound("there is no such user", where=name, remedy="pneumoscope users lists them")
        if what == "unlock":
            all_users.unlock(row.name, by=_BY)
            typer.echo(f"{row.name} may log in again.")
            return
        from pneumoscope.web.security.passwords import Passwords, check_rules

        password = _ask()
        check_rules(password, row.name)
        all_users.set_password(row.name, Passwords().hash(password), by=_BY)
        typer.echo(f"{row.name} has a new password, and is logged out everywhere.")
    finally:
        store.close()


def _ask() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("New password", hide_input=True, confirmation_prompt="The same again"))


def _list(known: Users) -> None:
    from rich import box
    from rich.table import Table

    from pneumoscope.cli.console import show

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("user", "role", "may log in", "last login", "locked until"):
        table.add_column(column, overflow="fold")
    for row in known.list():
        times = [f"{at:%Y-%m-%d %H:%M} UTC" if at else "-" for at in (row.last_login, row.locked_until)]
        table.add_row(row.name, row.role, "yes" if row.active else "no", *times)
    show(table)
