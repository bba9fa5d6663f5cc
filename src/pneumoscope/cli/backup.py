"""``pneumoscope backup`` and ``pneumoscope restore``: the whole store of a server, copied while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pneumoscope.server.config import WebConfig
    from pneumoscope.server.store.backup import BackupSummary

__all__ = ["backup", "restore"]

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the backup.")]
_Data = Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder of the server, as serve is given it.")]
_Database = Annotated[str | None, typer.Option(metavar="URL", help="Its database, as serve is given it.")]
_Films = Annotated[str | None, typer.Option(metavar="URL", help="Where its films are, as serve is given it.")]


def backup(folder: _Folder, data: _Data = None, database: _Database = None, films: _Films = None) -> None:
    """Back up the database, the films, the key and the imported bundles, while the server runs.

    The copy is one state of the database with all films that it names, and is read whole afterwards. A second backup
    into the same folder copies only the films that are new. Keep it as you keep the films: it holds them.

    Example: pneumoscope backup /backup/pneumoscope --data /var/lib/pneumoscope
    """
    from pneumoscope.cli.server import open_store

    store = open_store(data, database)
    try:
        from pneumoscope.server.data_folder import open_blobs
        from pneumoscope.server.store.backup import back_up

        config = _config(data, database, films)
        summary = back_up(store, open_blobs(config), config.data, folder)
    finally:
        store.close()
    _tell("Backed up and checked", summary)


def restore(folder: _Folder, data: _Data = None, database: _Database = None, films: _Films = None) -> None:
    """Restore a backup into an empty data folder or database, and check it.

    The database may be of another kind than the one that was backed up: a backup of SQLite goes into PostgreSQL and
    the other way round.

    Example: pneumoscope restore /backup/pneumoscope --data /srv/pneumoscope
    """
    from pneumoscope.cli.console import require_packages

    require_packages("sqlalchemy", needed_for="the store of the server", extra="web")
    from pneumoscope.server.data_folder import open_blobs, open_data_folder
    from pneumoscope.server.store.backup import restore as restored

    config = _config(data, database, films)
    open_data_folder(config.data)
    _tell("Restored and checked", restored(folder, config.database_url, open_blobs(config), config.data))


def _config(data: Path | None, database: str | None, films: str | None) -> WebConfig:
    from pneumoscope.server.config import WebConfig

    return WebConfig.from_environment(data=None if data is None else data.expanduser(), database=database, films=films)


def _tell(done: str, summary: BackupSummary) -> None:
    typer.echo(
        f"{done}: {summary.studies:,} studies, {summary.films:,} films ({summary.bytes / 1e6:,.1f} MB), "
        f"{len(summary.files):,} other files; audit log of {summary.log_entries:,} lines."
    )
    if summary.deleted_meanwhile:
        typer.echo(f"{len(summary.deleted_meanwhile):,} films were deleted while the backup was made.")
    typer.echo(f"head {summary.log_entries}:{summary.log_head}")
