"""The store of a reading room, as its keeper's verbs open it: beside a server that runs, not touching films."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pneumoscope.cli.extras import need
from pneumoscope.errors import UsageError

if TYPE_CHECKING:
    from pneumoscope.worklist.database import Database

__all__ = ["open_store"]


def open_store(data: Path | None, database: str | None) -> Database:
    """Open the database that ``serve`` uses with the same two options.

    Raises:
        UsageError: There is none. It is not made: an empty log would be found whole.
        MissingExtra: The parts that reach it are not installed.
    """
    need("sqlalchemy", needed_for="the store of the reading room", extra="web")
    from pneumoscope.web.config import WebConfig
    from pneumoscope.worklist.database import Database

    config = WebConfig.from_environment(data=None if data is None else data.expanduser(), database=database)
    url = config.database_url
    if url.startswith("sqlite:///"):
        file = Path(url.removeprefix("sqlite:///")).expanduser()
        if not file.is_file():
            raise UsageError(
                "there is no reading room here", where=file, remedy="Give the --data or --database that serve was given"
            )
    return Database(url)
