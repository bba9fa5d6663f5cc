"""``pneumoscope serve``: the reading room in the browser."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.web.run import Started

__all__ = ["serve"]

_PACKAGES = ("fastapi", "uvicorn", "jinja2", "python_multipart", "sqlalchemy", "alembic", "argon2", "prometheus_client")


def serve(  # noqa: PLR0917 - typer makes them options
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 127.0.0.1 without this, which is this machine alone.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="8000 without this; 0 takes a free one.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the database, films and bundles; the user's data folder without."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="postgresql://USER@HOST/NAME instead of SQLite in the folder.")
    ] = None,
    films: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Where films are kept: file:DIR or s3://BUCKET/PREFIX.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The bundle that reads until another is put in use: a shipped one, or a path.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Films read at the same time; without this, one a CPU.")
    ] = None,
    queue: Annotated[int | None, typer.Option(min=1, help="Films that may wait; more are answered with 503.")] = None,
    keep_days: Annotated[
        int | None, typer.Option(min=0, help="Delete studies after so many days; 0 keeps them.")
    ] = None,
    allowed_hosts: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Other names of this server, with commas between them.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
) -> None:
    """Open the reading room: drop films in the browser, keep a worklist, or send films to its API.

    Works on this machine with nothing set up: open the address that it prints; the token in it lets you in. On an
    address that others can reach, persons have to sign in: a code for the first administrator is printed. Ctrl+C stops
    it when the readings in hand are done. Each option is also a variable, PNEUMOSCOPE_WEB_PORT and so on; docs/web.md
    lists them all. Research use only.

    Example: pneumoscope serve --port 8080 --open
    """
    from pneumoscope.cli.extras import need

    need(*_PACKAGES, needed_for="the reading room", extra="web")
    from pneumoscope.bundle import find_bundle
    from pneumoscope.web.config import WebConfig
    from pneumoscope.web.run import run

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
    )
    find_bundle(config.model)  # says no before anything is opened

    def tell(started: Started) -> None:
        _tell(started)
        if open_browser:
            import webbrowser

            webbrowser.open(started.entrance)

    run(config, tell)
    typer.echo("The reading room is closed.")


def _tell(started: Started) -> None:
    from pneumoscope.settings import NOTICE

    typer.echo(f"The reading room is open: {started.entrance}")
    if started.entrance != started.address:
        typer.echo("The token in this address makes whoever has it the administrator: it is for you alone.")
    if started.code is not None:
        typer.echo(f"Set up the first administrator at {started.address}/setup with the code: {started.code}")
    typer.echo(f"{NOTICE} Stop it with Ctrl+C.")
