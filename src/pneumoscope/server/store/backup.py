"""Backup of a whole data folder while the server runs, and restore; both are checked afterwards.

A backup is a folder: ``worklist.sqlite`` (whatever the database was), ``films/`` named by their sha256, ``bundles/``,
``identity.key`` and ``backup.json``. The database is copied first, as one state; then the films that it names, so that
a film that comes meanwhile belongs to the next backup. A second backup into the same folder copies only what is new.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, delete, func, insert, select, update

from pneumoscope import __version__
from pneumoscope.errors import NotFound, StorageError, UsageError
from pneumoscope.server.store.blobs import LocalBlobs
from pneumoscope.server.store.database import Database, migrate, revision_of, revisions
from pneumoscope.server.store.integrity import migrate_and_record, verify
from pneumoscope.server.store.tables import Instant, Json, bundle, film, metadata, study
from pneumoscope.storage import storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from pneumoscope.server.store.blobs import BlobStore

__all__ = ["BackupSummary", "back_up", "check_backup", "restore"]

_FORMAT = 1
_ROWS = 500
_COPIES = 8  # at once: most of the time goes into waiting for the disk
_DATABASE, _FILMS, _MANIFEST = "worklist.sqlite", "films", "backup.json"


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds.

    Attributes:
        created: When, ISO 8601 in UTC.
        software: Version of pneumoscope that made it.
        revision: Of the tables.
        studies: How many.
        films: How many have their bytes in it.
        bytes: Of all films together.
        deleted_meanwhile: Films that were deleted while it was made; their rows are in it, their bytes are not.
        database_sha256: Of ``worklist.sqlite``.
        files: sha256 of the other files (key, bundles) by name.
        log_entries: Of the audit log.
        log_head: Digest of its last line.
        format: Of this description.
    """

    created: str
    software: str
    revision: str
    studies: int
    films: int
    bytes: int
    deleted_meanwhile: tuple[str, ...]
    database_sha256: str
    files: dict[str, str]
    log_entries: int
    log_head: str
    format: int = _FORMAT


def back_up(database: Database, blobs: BlobStore, data: Path, folder: Path) -> BackupSummary:
    """Copy a running store into a folder, and check the copy.

    Args:
        database: SQLite or PostgreSQL; readers and the writer go on meanwhile.
        blobs: Its films.
        data: The data folder, for the key and the imported bundles.
        folder: Made if it is not there; for its owner alone. It may hold an earlier backup of the same store.

    Raises:
        UsageError: The folder holds something else, or the tables are of another release.
        StorageError: Something cannot be read or written, or the copy is not what it should be.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        foreign = [path.name for path in folder.iterdir()]
    if foreign and not (folder / _MANIFEST).is_file():
        raise UsageError(
            "the folder holds something that is no backup", where=folder, remedy="Give a new folder, or an older backup"
        )
    if database.sqlite:
        _copy_sqlite(database, folder / _DATABASE)
    else:
        _copy_to_sqlite(database, folder / _DATABASE)
    files = _copy_beside(data, folder)
    copy = Database(f"sqlite:///{(folder / _DATABASE).absolute()}")
    try:
        addresses = _addresses(copy)
        missing = _copy_blobs(blobs, LocalBlobs(folder / _FILMS), addresses)
        gone = _deleted_meanwhile(database, missing)
        log = verify(copy).log
        with copy.read() as connection:
            studies = int(connection.execute(select(func.count()).select_from(study)).scalar_one())
            size = int(connection.execute(select(func.coalesce(func.sum(film.c.bytes), 0))).scalar_one())
    finally:
        copy.close()
    _one_file(folder / _DATABASE)
    summary = BackupSummary(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=__version__,
        revision=revisions()[-1],
        studies=studies,
        films=len(addresses) - len(gone),
        bytes=size,
        deleted_meanwhile=gone,
        database_sha256=_sha256(folder / _DATABASE),
        files=files,
        log_entries=log.entries,
        log_head=log.head,
    )
    write_atomically(folder / _MANIFEST, msgspec.json.format(msgspec.json.encode(asdict(summary)), indent=2))
    return check_backup(folder)


def check_backup(folder: Path) -> BackupSummary:
    """Read a backup whole, and compare every part with what is written of it.

    Raises:
        UsageError: It is none, or of a newer pneumoscope.
        StorageError: A part is missing or damaged.
    """
    summary = _summary(folder)
    if _sha256(folder / _DATABASE) != summary.database_sha256:
        raise _damaged(folder / _DATABASE)
    for name, digest in summary.files.items():
        if _sha256(folder / name) != digest:
            raise _damaged(folder / name)
    with tempfile.TemporaryDirectory(prefix="pneumoscope-") as scratch:  # opening it would leave files beside it
        copy = Path(scratch) / _DATABASE
        with storage_errors(copy):
            shutil.copyfile(folder / _DATABASE, copy)
        database = Database(f"sqlite:///{copy}")
        try:
            migrate_and_record(database)  # of an older release
            _check_store(database, LocalBlobs(folder / _FILMS), folder, without=set(summary.deleted_meanwhile))
        finally:
            database.close()
    return summary


def restore(folder: Path, database_url: str, blobs: BlobStore, data: Path) -> BackupSummary:
    """Make a store of a backup, in an empty place, and check it.

    Args:
        folder: The backup.
        database_url: Of a database without studies, SQLite or PostgreSQL, whatever the backup was of.
        blobs: Where the films go.
        data: The data folder, for the key and the bundles.

    Raises:
        UsageError: It is no backup, or the place is not empty.
        StorageError: The backup is damaged, or something cannot be written.
    """
    summary = check_backup(folder)
    database = _empty_database(database_url)
    try:
        _copy_rows(folder / _DATABASE, database)
        _copy_blobs(LocalBlobs(folder / _FILMS), blobs, _addresses(database))
        _copy_beside(folder, data)
        _check_store(database, blobs, data, without=set(summary.deleted_meanwhile))
    finally:
        database.close()
    return summary


def _summary(folder: Path) -> BackupSummary:
    path = folder / _MANIFEST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=BackupSummary)
    except FileNotFoundError as error:
        remedy = "Give a folder that pneumoscope backup made"
        raise UsageError("this folder is no backup", where=folder, remedy=remedy) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise _damaged(path) from error
    if found.format > _FORMAT or found.revision > revisions()[-1]:
        raise UsageError("a newer pneumoscope made the backup", where=folder, remedy="Install the newest pneumoscope")
    return found


def _damaged(path: Path) -> StorageError:
    return StorageError("the backup is damaged or not whole", where=path, remedy="Make a new one, or take an older one")


def _copy_sqlite(database: Database, target: Path) -> None:
    """One state of the file, by SQLite's own online copy; the copy comes to the tables of this release."""
    source = database.engine.url.database or ""
    with _replacing(target) as scratch:
        try:
            with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(scratch)) as there:
                here.backup(there)
        except sqlite3.Error as error:
            raise StorageError(f"the database cannot be copied ({error})", where=database.shown) from error
        copy = Database(f"sqlite:///{scratch}")
        try:
            migrate_and_record(copy)
        finally:
            copy.close()


def _copy_to_sqlite(database: Database, target: Path) -> None:
    with database.read() as connection:
        if revision_of(connection) != revisions()[-1]:
            raise UsageError(
                "the tables are of an older release", where=database.shown, remedy="Start pneumoscope serve once"
            )
    with _replacing(target) as scratch:
        copy = Database(f"sqlite:///{scratch}")
        try:
            migrate(copy)
            with database.read() as source, copy.write() as connection:
                _pour(source, connection)
        finally:
            copy.close()


def _copy_rows(source: Path, database: Database) -> None:
    with tempfile.TemporaryDirectory(prefix="pneumoscope-") as scratch:
        copy = Path(scratch) / _DATABASE
        with storage_errors(copy):
            shutil.copyfile(source, copy)
        backup = Database(f"sqlite:///{copy}")
        try:
            migrate_and_record(backup)  # of an older release
            with backup.read() as rows, database.write() as connection:
                _pour(rows, connection)
        finally:
            backup.close()


def _pour(source: Connection, target: Connection) -> None:
    """All rows of all tables, as they lie in the database, into tables that are empty but for their first rows."""
    for table in metadata.sorted_tables:
        raw = _raw_table(table)
        chosen = source.execute(select(raw), execution_options={"yield_per": _ROWS})
        if table.name == "audit_head":  # its row is there, and is not deleted
            row = chosen.one()
            target.execute(update(raw).values(dict(row._mapping)))  # noqa: SLF001 - the public way to a dict
            continue
        if table.name == "counter":
            target.execute(delete(raw))
        for some in chosen.partitions(_ROWS):
            target.execute(insert(raw), [dict(row._mapping) for row in some])  # noqa: SLF001 - as above


def _raw_table(table: Table) -> Table:
    """The table with times as numbers and JSON as text: what comes out goes in, to the bit."""

    def plain(kind: Any) -> Any:
        return BigInteger() if isinstance(kind, Instant) else Text() if isinstance(kind, Json) else kind

    return Table(table.name, MetaData(), *(Column(column.name, plain(column.type)) for column in table.columns))


def _empty_database(url: str) -> Database:
    database = Database(url)
    try:
        migrate(database)
        _check_empty(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_empty(database: Database) -> None:
    with database.read() as connection:
        for name in ("study", "account", "audit"):
            if connection.execute(select(metadata.tables[name]).limit(1)).first() is not None:
                remedy = "Restore into an empty place"
                raise UsageError("there is a worklist already", where=database.shown, remedy=remedy)


def _addresses(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(select(film.c.blob).distinct()).scalars())


def _copy_blobs(source: BlobStore, target: BlobStore, addresses: list[str]) -> list[str]:
    """Copy what is not there yet; the addresses that the source does not have."""

    def copy(address: str) -> str | None:
        if target.has(address):
            return None
        try:
            target.put(source.get(address))
        except NotFound:
            return address
        return None

    with ThreadPoolExecutor(_COPIES) as pool:
        return [address for address in pool.map(copy, addresses) if address is not None]


def _deleted_meanwhile(database: Database, missing: list[str]) -> tuple[str, ...]:
    """Those of the missing blobs that the store no longer refers to.

    Raises:
        StorageError: It refers to one that is not there.
    """
    for address in missing:
        with database.read() as connection:
            if connection.execute(select(film.c.sha256).where(film.c.blob == address)).first() is not None:
                raise StorageError(
                    "the bytes of a film are missing in the store itself",
                    where=address,
                    remedy="Delete its study, or put the film back from an older backup",
                )
    return tuple(missing)


def _copy_beside(source: Path, target: Path) -> dict[str, str]:
    """The key and the imported bundles; their sha256 by name.

    Raises:
        UsageError: Another key is there already.
    """
    found = {}
    for path in [source / "identity.key", *sorted((source / "bundles").glob("*.onnx"))]:
        if not path.is_file():
            continue
        name = path.relative_to(source).as_posix()
        with storage_errors(path):
            data = path.read_bytes()
        if name == "identity.key" and (target / name).is_file() and (target / name).read_bytes() != data:
            raise UsageError("another key is there already", where=target / name, remedy="Restore into an empty folder")
        write_atomically(target / name, data)
        with storage_errors(target / name):
            (target / name).chmod(0o600)
            (target / name).parent.chmod(0o700)
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def _check_store(database: Database, blobs: BlobStore, data: Path, *, without: set[str]) -> None:
    """Every row as the log says, every film and bundle as its sha256 says.

    Raises:
        StorageError: Something is not.
    """
    found = verify(database)
    if not found.ok:
        what = found.problems[0] if found.problems else "its audit log or the triggers of it are not as they were"
        raise StorageError(f"the copy is not as the audit log says: {what}", where=database.shown)
    addresses = [address for address in _addresses(database) if address not in without]
    with ThreadPoolExecutor(_COPIES) as pool:
        for _ in pool.map(lambda address: len(blobs.get(address)), addresses):
            pass  # get compares the bytes with their sha256
    with database.read() as connection:
        for sha256 in connection.execute(select(bundle.c.sha256)).scalars():
            path = data / "bundles" / f"{sha256}.onnx"
            if _sha256(path) != sha256:
                raise _damaged(path)


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A place to write a database to that takes the target's place when it is whole."""
    with storage_errors(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as scratch:
        path = Path(scratch) / target.name
        yield path
        _one_file(path)
        path.replace(target)


def _one_file(path: Path) -> None:
    """Put SQLite's log into the file, so that the file is all there is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _damaged(path) from error
