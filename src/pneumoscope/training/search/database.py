"""Where a study is kept: a SQLite file for one machine, PostgreSQL for several."""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pneumoscope.errors import MissingExtra, StorageError, TrainingError, UsageError
from pneumoscope.storage import make_folder
from pneumoscope.training.search.ledger import retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.engine import URL

__all__ = ["open_study", "reaching", "shown"]

_IDENTITY = "pneumoscope"
_BUSY = 60  # seconds that one process waits for another's write in a SQLite file


class _Storage(RDBStorage):
    """A heartbeat that cannot be sent is missed, and ends nothing: the next one, or the next report, will tell."""

    def record_heartbeat(self, trial_id: int) -> None:
        with suppress(StorageInternalError, SQLAlchemyError):
            super().record_heartbeat(trial_id)


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turn a database's no into one clear line.

    Raises:
        StorageError: In place of the database's errors.
    """
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, sqlite3.Error) as error:
        told = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        reason = " ".join(str(getattr(told, "orig", None) or told).split())
        raise StorageError(
            f"the study's database cannot be used ({reason})",
            where=where,
            remedy="See that it runs, that the URL is right and the disk not full; then run the same command again: "
            "finished trials are kept",
        ) from error


@contextmanager
def open_study(
    storage: str, name: str, identity: Mapping[str, Any], pruner: optuna.pruners.BasePruner, *, heartbeat: int
) -> Iterator[optuna.Study]:
    """Open a study, or begin it; its connections are closed in the end.

    Args:
        storage: A URL of SQLite or PostgreSQL, or the path of a SQLite file.
        name: Of the study.
        identity: What makes it this search; a study of another identity is refused.
        pruner: Who ends hopeless trials.
        heartbeat: Seconds between signs of life; after three without one another machine takes the trial up.

    Raises:
        UsageError: The URL is of no such database.
        MissingExtra: PostgreSQL without its driver.
        StorageError: The database cannot be reached or written.
        TrainingError: The study is another search.
    """
    url = _url(storage)
    where = shown(storage)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.drivername == "sqlite":
        options = {"connect_args": {"timeout": _BUSY}}
        _prepare_sqlite(url, where)
    with reaching(where), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # Optuna's word for the heartbeat, since version 2
        try:
            kept = _Storage(
                url.render_as_string(hide_password=False),
                engine_kwargs=options,
                heartbeat_interval=heartbeat,
                grace_period=3 * heartbeat,
                heartbeat_stale_trial_callback=retry(),
            )
        except RuntimeError as error:  # tables of another release
            raise StorageError(
                f"the database is of another release of Optuna ({' '.join(str(error).split())})",
                where=where,
                remedy="Take the release that wrote it, or another database",
            ) from error
    try:
        with reaching(where):
            study = optuna.create_study(
                storage=kept, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner
            )
            known = study.user_attrs.get(_IDENTITY)
            if known is None:
                study.set_user_attr(_IDENTITY, dict(identity))
            elif known != dict(identity):
                raise TrainingError(
                    f"the study {name} is another search",
                    where=where,
                    remedy="Give another --study, or leave it out: the name then follows from the search",
                )
            yield study
    finally:
        kept.remove_session()
        kept.engine.dispose()


def shown(storage: str) -> str:
    """The database as it may be printed: without the password."""
    return _url(storage).render_as_string(hide_password=True)


def _url(storage: str) -> URL:
    kinds = "Give sqlite:///FILE, or postgresql://USER@HOST/DATABASE (with the password in PGPASSWORD or ~/.pgpass)"
    if "://" not in storage:
        return make_url(f"sqlite:///{Path(storage).expanduser()}")
    try:
        url = make_url(storage)
    except ArgumentError as error:
        raise UsageError("this is no URL of a database", where="--storage", remedy=kinds) from error
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database not in {None, "", ":memory:"}:
        return url.set(drivername="sqlite")
    if backend in {"postgresql", "postgres"}:
        if find_spec("psycopg") is None:
            raise MissingExtra.named("psycopg", extra="search", needed_for="a study in PostgreSQL")
        return url.set(drivername="postgresql+psycopg")
    raise UsageError(f"a study is not kept in {url.drivername!r}", where="--storage", remedy=kinds)


def _prepare_sqlite(url: URL, where: str) -> None:
    """Write-ahead logging, so that readers and a writer do not wait for each other; the file remembers it."""
    path = Path(url.database or "")
    make_folder(path.parent)
    with reaching(where), closing(sqlite3.connect(path, timeout=_BUSY)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
