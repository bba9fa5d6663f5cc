"""The verbs of the web application: ``serve``, ``users``, ``log``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pneumoscope.cli.console import require_packages
from pneumoscope.cli.options import DatabaseURL, FilmsPlace, LogFormat, Workers  # noqa: TC001 - typer reads the annotations
from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from pneumoscope.server.node.config import NodeConfig
    from pneumoscope.server.run import Started
    from pneumoscope.server.store.audit_log import AuditLog
    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.users import Users

__all__ = ["log", "open_store", "serve", "users"]


def open_store(data: Path | None, database: str | None) -> Database:
    """Open the database that ``serve`` uses with the same two options.

    Raises:
        UsageError: There is none. It is not made: an empty log would be found whole.
        MissingExtra: The parts that reach it are not installed.
    """
    require_packages("sqlalchemy", needed_for="the database of the web application", extra="web")
    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.store.database import Database

    config = WebConfig.from_environment(data=None if data is None else data.expanduser(), database=database)
    url = config.database_url
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///")).expanduser()
        if not file.is_file():
            raise UsageError(
                "there is no database of the web application here",
                where=file,
                remedy="Give the --data or --database that serve was given",
            )
    return Database(url)


_PACKAGES = ("fastapi", "uvicorn", "jinja2", "python_multipart", "sqlalchemy", "alembic", "argon2", "prometheus_client")


def serve(  # noqa: PLR0917 - typer makes them options
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 without this, which is this machine alone.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, 8000 without it; 0 takes a free one.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the database, films and bundles; the user's data folder without."),
    ] = None,
    database: DatabaseURL = None,
    films: FilmsPlace = None,
    model: Annotated[
        str | None, typer.Option(help="The bundle in use until another is chosen: a shipped one's name, or a path.")
    ] = None,
    workers: Workers = None,
    queue: Annotated[
        int | None, typer.Option(min=1, help="Length of the queue; more films are answered with 503.")
    ] = None,
    keep_days: Annotated[
        int | None, typer.Option(min=0, help="Delete studies after so many days; 0 keeps them.")
    ] = None,
    allowed_hosts: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Other names of this server, with commas between them.")
    ] = None,
    root_path: Annotated[
        str | None, typer.Option(metavar="PATH", help="Path of a host below which a proxy shows the server.")
    ] = None,
    log_format: LogFormat = None,
    node: Annotated[
        bool, typer.Option("--node/--no-node", help="Run the DICOM node in the same process; see pneumoscope node.")
    ] = False,
    node_config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of the node's settings; --node alone takes its own.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
) -> None:
    """Start the web application: read films in the browser, keep a worklist, or use its REST API.

    Works on this machine with nothing set up: open the address that it prints; the token in it lets you in. On an
    address that others can reach, persons have to sign in: a code for the first administrator is printed. Ctrl+C stops
    it when the readings in hand are done. Each option is also a variable, PNEUMOSCOPE_WEB_PORT and so on
    (docs/rest-api.md). Research use only.

    Example: pneumoscope serve --port 8080 --open
    """
    from pneumoscope.cli.console import require_packages

    require_packages(*_PACKAGES, needed_for="the web application", extra="web")
    from pneumoscope.model.bundle import find_bundle
    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.run import run

    config = WebConfig.from_environment(
        host=host,
        port=port,
        data=None if data is None else data.expanduser(),
        database=database,
        films=films,
        model=model,
        workers=workers,
        queue=queue,
        keep_days=keep_days,
        allowed_hosts=allowed_hosts,
        root_path=root_path,
        log_format=log_format,
    )
    find_bundle(config.model)  # says no before anything is opened
    settings = _node_settings(node_config) if node or node_config is not None else None

    def tell(started: Started) -> None:
        _print_address(started)
        if settings is not None:
            typer.echo(f"The node is open: {settings.aet}@{settings.host}:{settings.port}")
        if open_browser:
            import webbrowser

            webbrowser.open(started.entrance)

    run(config, tell, settings)
    typer.echo("The web application is closed.")


def _node_settings(file: Path | None) -> NodeConfig:
    """The settings of the node that runs with the web application.

    Raises:
        MissingExtra: The node is not installed.
        ConfigError: The file cannot be used.
    """
    from pneumoscope.cli.node import NODE_PACKAGES

    require_packages(*NODE_PACKAGES, needed_for="the DICOM node", extra="node")
    from pneumoscope.reports.dicom.results import parse_kinds
    from pneumoscope.server.node.config import load_config

    settings = load_config(file)
    settings.check_open()
    parse_kinds(settings.results)
    return settings


def _print_address(started: Started) -> None:
    from pneumoscope.settings import NOTICE

    typer.echo(f"The web application is open: {started.entrance}")
    if started.entrance != started.address:
        typer.echo("The token in this address makes whoever has it the administrator: it is for you alone.")
    if started.code is not None:
        typer.echo(f"Set up the first administrator at {started.address}/setup with the code: {started.code}")
    typer.echo(f"{NOTICE} Stop it with Ctrl+C.")


_ACTOR = "terminal"  # as which it stands in the audit log


def users(
    what: Annotated[
        Literal["list", "password", "unlock"], typer.Argument(help="What to do; list without this.")
    ] = "list",
    name: Annotated[str | None, typer.Argument(help="Of the user.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Data folder of the web application, as given to serve.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Its database, as given to serve, instead of the folder's.")
    ] = None,
) -> None:
    """List the users of the web application, set a password, or end a lockout.

    For when nobody who could do it on the Admin page can log in. The server may run meanwhile. A new password is asked
    for on the terminal, or read as one line from standard input; it logs the user out everywhere. What is done is
    written into the audit log.

    Example: pneumoscope users password grace
    """
    from pneumoscope.errors import NotFound, UsageError

    store = open_store(data, database)
    from pneumoscope.server.store.users import Users

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
            all_users.unlock(row.name, by=_ACTOR)
            typer.echo(f"{row.name} may log in again.")
            return
        from pneumoscope.server.auth.passwords import Passwords, check_rules

        password = _prompt_password()
        check_rules(password, row.name)
        all_users.set_password(row.name, Passwords().hash(password), by=_ACTOR)
        typer.echo(f"{row.name} has a new password, and is logged out everywhere.")
    finally:
        store.close()


def _prompt_password() -> str:
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


_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def log(
    what: Annotated[Literal["verify"], typer.Argument(help="Recompute the hash chain.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Data folder of the web application, as given to serve.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Its database, as given to serve, instead of the folder's.")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(metavar="N:DIGEST", help="A head that was printed before: nothing up to it may have changed."),
    ] = None,
) -> None:
    """Verify the audit log of the web application: its lines, and the readings and verdicts that it tells of.

    Every line holds the sha256 of the one before; the log holds the sha256 of every reading and verdict, and is guarded
    by triggers of the database. Whoever changes a line and all that follow it, too, is found by a head that was kept
    elsewhere: write down what this prints, and give it as --head next time. Exit code 0: all as it was written; 7: a
    line, a trigger, a reading or a verdict was changed or taken away, or the head is not in the log.

    Example: pneumoscope log verify --head 1234:9f86d081...
    """
    del what
    from pneumoscope.errors import AuditLogTampered, UsageError

    wanted = None if head is None else _HEAD.fullmatch(head)
    if head is not None and wanted is None:
        raise UsageError("this is no head of a log", where=head, remedy="Give the one that was printed, as 12:ab34...")
    store = open_store(data, database)
    from pneumoscope.server.store.audit_log import AuditLog
    from pneumoscope.server.store.integrity import verify

    try:
        audit = AuditLog(store)
        checked = verify(store)
        found = checked.log
        if not checked.ok:
            raise AuditLogTampered(
                "; ".join(checked.findings()),
                where=store.shown,
                remedy="Keep the database as it is, and compare it with a backup",
            )
        if wanted is not None and _digest(audit, int(wanted[1])) != wanted[2]:
            raise AuditLogTampered(
                f"the audit log was written anew: line {wanted[1]} is not the one that was there",
                where=store.shown,
                remedy="Keep the database as it is, and compare it with a backup",
            )
    finally:
        store.close()
    typer.echo(
        f"Integrity verified: the audit log is whole ({found.entries:,} lines); {checked.readings:,} readings and "
        f"{checked.verdicts:,} verdicts are as it says."
    )
    typer.echo(f"head {found.entries}:{found.head}")


def _digest(audit: AuditLog, sequence: int) -> str:
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
