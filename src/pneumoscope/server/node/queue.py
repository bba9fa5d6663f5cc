"""The node's queue on disk: films that wait to be read, results that wait to be sent. It survives a kill at any moment.

A film is a file below ``films`` and a row; it has both before its sender is told that it was taken. A reading's results
are files below ``results``, and their rows are written in the one transaction that says that the film was read. What a
kill leaves between two steps is done again at the next start, and comes out the same: the worklist knows the reading,
and the results' UIDs are made of it.

No decision hangs on the clock; it is written down for people, and to forget what is long done. Files are called by
hashes, and none of this is for others' eyes (the folder's mode is 0700): the films are as they came.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from pneumoscope.errors import StorageError, UsageError, WorklistIncompatible
from pneumoscope.storage import make_folder, make_private, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Commitment", "Counts", "NewResult", "PendingResult", "Purpose", "Queue", "QueuedFilm", "Taken"]

Purpose = Literal["send", "prior"]
Taken = Literal["new", "same", "other"]

_VERSION = 1
_TABLES = """
CREATE TABLE film (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    instance TEXT NOT NULL UNIQUE,
    study TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sender TEXT NOT NULL,
    purpose TEXT NOT NULL,
    received REAL NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reading TEXT,
    kept INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX film_state ON film (state, number);
CREATE INDEX film_kept ON film (kept, state);
CREATE TABLE result (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    film INTEGER NOT NULL REFERENCES film (number) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    kind TEXT NOT NULL,
    sop_class TEXT NOT NULL,
    instance TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    refusals INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    UNIQUE (film, destination, instance)
);
CREATE INDEX result_state ON result (destination, state, number);
CREATE INDEX result_film ON result (film, state);
CREATE TABLE commitment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_uid TEXT NOT NULL,
    peer TEXT NOT NULL,
    answer TEXT NOT NULL,
    refusals INTEGER NOT NULL DEFAULT 0
);
"""


@dataclass(frozen=True, slots=True)
class QueuedFilm:
    """A film in the queue.

    Attributes:
        number: Its place.
        instance: SOP Instance UID.
        study: Study Instance UID.
        sop_class: SOP Class UID.
        sender: The AE title or program that it came from.
        purpose: "send" has its results sent; of a "prior" the reading is filed alone.
        attempts: How often its reading was begun.
        path: The file as it came.
    """

    number: int
    instance: str
    study: str
    sop_class: str
    sender: str
    purpose: Purpose
    attempts: int
    path: Path


@dataclass(frozen=True, slots=True)
class NewResult:
    """An object to send: its kind ("sr"), its UIDs, its file's bytes."""

    kind: str
    sop_class: str
    instance: str
    data: bytes


@dataclass(frozen=True, slots=True)
class PendingResult:
    """A result that waits to be sent."""

    number: int
    film: int
    kind: str
    sop_class: str
    instance: str
    refusals: int
    path: Path


@dataclass(frozen=True, slots=True)
class Commitment:
    """An answer to a request for storage commitment that waits to be sent.

    Attributes:
        number: Its place.
        transaction: Transaction UID of the request.
        peer: AE title of who asked.
        held: SOP class and instance of the objects that are held.
        missing: Of those that are not, with the reason (PS3.3 C.14.1.1).
        refusals: How often the peer said no.
    """

    number: int
    transaction: str
    peer: str
    held: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str, int], ...]
    refusals: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many films and results there are in each state."""

    waiting: int
    read: int
    failed: int
    results_waiting: int
    results_sent: int
    results_refused: int


class Queue:
    """One node's queue; safe to use from many threads, and from one process alone.

    Args:
        folder: Made if it is not there, for its owner alone.

    Raises:
        UsageError: Another node uses the folder.
        StorageError: It cannot be written.
        WorklistIncompatible: A newer pneumoscope wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = make_folder(folder)
        make_private([folder])
        self.incoming = make_folder(folder / "incoming")
        self._films, self._results = make_folder(folder / "films"), make_folder(folder / "results")
        self._lock = RLock()
        self._owner = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._owner)
            raise UsageError(
                "another node works in this folder", where=folder, remedy="Stop it, or give another --data"
            ) from error
        try:
            self._database = self._open()
            self._sweep()
        except BaseException:
            os.close(self._owner)
            raise

    def _open(self) -> sqlite3.Connection:
        path = self.folder / "queue.sqlite"
        with self._reaching():
            database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                database.execute(f"PRAGMA {pragma}")
            version = int(database.execute("PRAGMA user_version").fetchone()[0])
            if version > _VERSION:
                database.close()
                raise WorklistIncompatible(
                    "a newer pneumoscope wrote the node's queue", where=path, remedy="Install the newest pneumoscope"
                )
            if version == 0:
                database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
        make_private([path])
        return database

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(
                f"the node's queue cannot be used ({error})",
                where=self.folder,
                remedy="See that the disk is not full; what was taken is whole",
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._reaching():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, self._reaching():
            return self._database.execute(query, values).fetchall()

    def close(self) -> None:
        """Let go of the folder."""
        with self._lock:
            self._database.close()
            os.close(self._owner)

    def take(
        self, file: Path, *, instance: str, study: str, sop_class: str, digest: str, sender: str, purpose: Purpose
    ) -> Taken:
        """Take a film whose file lies, written and flushed to the disk, in ``incoming``.

        Args:
            file: Moved if the film is new; else it stays.
            instance: SOP Instance UID.
            study: Study Instance UID.
            sop_class: SOP Class UID.
            digest: Of the data set, to tell the same object from another of the same UID.
            sender: AE title or program.
            purpose: What for.

        Returns:
            "new"; "same" if it is there already; "other" if an object of this UID with other content is.

        Raises:
            StorageError: The disk cannot be written; then nothing is taken.
        """
        with self._lock:
            known = self._rows("SELECT digest FROM film WHERE instance = ?", instance)
            if known:
                return "same" if known[0][0] == digest else "other"
            path = self._film_path(instance)
            with storage_errors(path):
                size = file.stat().st_size
                path.parent.mkdir(exist_ok=True)
                file.replace(path)
                _sync_folder(path.parent)
            values = (instance, study, sop_class, digest, size, sender, purpose, time.time())
            try:
                with self._writing() as database:
                    database.execute(
                        "INSERT INTO film (instance, study, sop_class, digest, bytes, sender, purpose, received, state)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                        values,
                    )
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return "new"

    def waiting(self) -> list[tuple[int, str]]:
        """Number and study of every film that waits, in their order."""
        return [
            (row[0], row[1]) for row in self._rows("SELECT number, study FROM film WHERE state = 'waiting' ORDER BY 1")
        ]

    def number_of(self, instance: str) -> int | None:
        """The number of a film that is known."""
        rows = self._rows("SELECT number FROM film WHERE instance = ?", instance)
        return int(rows[0][0]) if rows else None

    def begin(self, number: int) -> QueuedFilm | None:
        """Count an attempt to read a film, and give it; None if it does not wait any more."""
        with self._writing() as database:
            database.execute(
                "UPDATE film SET attempts = attempts + 1 WHERE number = ? AND state = 'waiting'", (number,)
            )
            row = database.execute(
                "SELECT number, instance, study, sop_class, sender, purpose, attempts FROM film"
                " WHERE number = ? AND state = 'waiting'",
                (number,),
            ).fetchone()
        return None if row is None else QueuedFilm(*(*row, self._film_path(row[1])))

    def finish(
        self, film: QueuedFilm, *, reading: str | None, results: Sequence[NewResult], destinations: Sequence[str]
    ) -> None:
        """Say that a film was read, and have its results sent.

        Args:
            film: It.
            reading: Its id in the worklist; None if it could not be filed, for good.
            results: To send.
            destinations: Where to.

        Raises:
            StorageError: The disk cannot be written; then the film still waits.
        """
        for result in results if destinations else ():
            self._keep(result)
        with self._writing() as database:
            database.execute(
                "UPDATE film SET state = ?, reading = ? WHERE number = ?",
                ("failed" if reading is None else "read", reading, film.number),
            )
            database.executemany(
                "INSERT OR IGNORE INTO result (film, destination, kind, sop_class, instance) VALUES (?, ?, ?, ?, ?)",
                [
                    (film.number, place, each.kind, each.sop_class, each.instance)
                    for each in results
                    for place in destinations
                ],
            )

    def _keep(self, result: NewResult) -> None:
        path = self._result_path(result.instance)
        with storage_errors(path):
            path.parent.mkdir(exist_ok=True)
            temporary = self.incoming / f"{path.stem}.result"
            with temporary.open("wb") as file:
                file.write(result.data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)

    def pending(self, destination: str, limit: int = 100) -> list[PendingResult]:
        """The results that wait for a destination: those that it has said no to come last."""
        rows = self._rows(
            "SELECT number, film, kind, sop_class, instance, refusals FROM result"
            " WHERE destination = ? AND state = 'waiting' ORDER BY refusals, number LIMIT ?",
            destination,
            limit,
        )
        return [PendingResult(*(*row, self._result_path(row[4]))) for row in rows]

    def sent(self, result: PendingResult) -> bool:
        """Say that a result arrived; whether it was the last one of its film for all destinations."""
        with self._writing() as database:
            database.execute("UPDATE result SET state = 'sent', error = '' WHERE number = ?", (result.number,))
            left = database.execute(
                "SELECT 1 FROM result WHERE film = ? AND state != 'sent' LIMIT 1", (result.film,)
            ).fetchone()
        return left is None

    def refused(self, result: PendingResult, error: str, *, most: int) -> bool:
        """Say that a destination said no to a result; whether it is given up, after ``most`` times."""
        given_up = result.refusals + 1 >= most
        with self._writing() as database:
            database.execute(
                "UPDATE result SET refusals = refusals + 1, error = ?, state = ? WHERE number = ?",
                (error[:500], "refused" if given_up else "waiting", result.number),
            )
        return given_up

    def send_again(self) -> int:
        """Have results that were given up sent again; how many."""
        with self._writing() as database:
            return database.execute(
                "UPDATE result SET state = 'waiting', refusals = 0 WHERE state = 'refused'"
            ).rowcount

    def destinations(self) -> set[str]:
        """For which results wait."""
        return {row[0] for row in self._rows("SELECT DISTINCT destination FROM result WHERE state = 'waiting'")}

    def holds(self, sop_class: str, instance: str) -> int:
        """Whether an object is held: 0, or the failure reason of storage commitment (PS3.3 C.14.1.1).

        Returns:
            0 if its file is here; 0119H if it is of another class; 0112H if there is none.
        """
        rows = self._rows("SELECT sop_class, kept FROM film WHERE instance = ?", instance)
        if not rows or not rows[0][1]:
            return 0x0112
        return 0 if rows[0][0] == sop_class else 0x0119

    def commit(self, transaction: str, peer: str, references: Sequence[tuple[str, str]]) -> None:
        """Keep the answer to a request for storage commitment until it was sent."""
        found = [(sop_class, instance, self.holds(sop_class, instance)) for sop_class, instance in references]
        with self._writing() as database:
            database.execute(
                "INSERT INTO commitment (transaction_uid, peer, answer) VALUES (?, ?, ?)",
                (transaction, peer, json.dumps(found)),
            )

    def commitments(self) -> list[Commitment]:
        """The answers that wait to be sent."""
        rows = self._rows("SELECT number, transaction_uid, peer, answer, refusals FROM commitment ORDER BY refusals, 1")
        return [
            Commitment(
                number,
                transaction,
                peer,
                tuple((each[0], each[1]) for each in json.loads(answer) if not each[2]),
                tuple((each[0], each[1], each[2]) for each in json.loads(answer) if each[2]),
                refusals,
            )
            for number, transaction, peer, answer, refusals in rows
        ]

    def committed(self, commitment: Commitment) -> None:
        """Say that an answer was sent, or is given up."""
        with self._writing() as database:
            database.execute("DELETE FROM commitment WHERE number = ?", (commitment.number,))

    def commitment_refused(self, commitment: Commitment) -> None:
        """Say that an answer could not be sent."""
        with self._writing() as database:
            database.execute("UPDATE commitment SET refusals = refusals + 1 WHERE number = ?", (commitment.number,))

    def counts(self) -> Counts:
        """How many there are of each kind."""
        films = dict(self._rows("SELECT state, count(*) FROM film GROUP BY state"))
        results = dict(self._rows("SELECT state, count(*) FROM result GROUP BY state"))
        told = [films.get(state, 0) for state in ("waiting", "read", "failed")]
        return Counts(*told, *(results.get(state, 0) for state in ("waiting", "sent", "refused")))

    def tidy(self, *, hold_seconds: float, remember_seconds: float) -> int:
        """Delete files of films and results that are done, and forget what is long done.

        Args:
            hold_seconds: That a film's file stays after it came, whatever became of it, for storage commitment.
            remember_seconds: That the node knows a film that is done.

        Returns:
            How many films' files were deleted.
        """
        done = "NOT EXISTS (SELECT 1 FROM result WHERE result.film = film.number AND result.state != 'sent')"
        rows = self._rows(
            f"SELECT number, instance FROM film WHERE kept = 1 AND state = 'read' AND received < ? AND {done}",  # noqa: S608
            time.time() - hold_seconds,
        )
        for number, instance in rows:
            with self._writing() as database:
                database.execute("UPDATE film SET kept = 0 WHERE number = ?", (number,))
            self._film_path(instance).unlink(missing_ok=True)
            for (result,) in self._rows("SELECT DISTINCT instance FROM result WHERE film = ?", number):
                self._result_path(result).unlink(missing_ok=True)
        with self._writing() as database:
            database.execute(
                "DELETE FROM film WHERE kept = 0 AND state = 'read' AND received < ?", (time.time() - remember_seconds,)
            )
        return len(rows)

    def _sweep(self) -> None:
        """Take away what a kill left: half a file, and files that no row speaks of."""
        with storage_errors(self.folder):
            for path in self.incoming.iterdir():
                path.unlink(missing_ok=True)
            films = {_name(row[0]) for row in self._rows("SELECT instance FROM film WHERE kept = 1")}
            results = {
                _name(row[0])
                for row in self._rows(
                    "SELECT r.instance FROM result r JOIN film f ON f.number = r.film WHERE f.kept = 1"
                )
            }
            for folder, known in ((self._films, films), (self._results, results)):
                for path in folder.glob("*/*.dcm"):
                    if path.stem not in known:
                        path.unlink(missing_ok=True)

    def _film_path(self, instance: str) -> Path:
        name = _name(instance)
        return self._films / name[:2] / f"{name}.dcm"

    def _result_path(self, instance: str) -> Path:
        name = _name(instance)
        return self._results / name[:2] / f"{name}.dcm"


def _name(instance: str) -> str:
    return hashlib.sha256(instance.encode()).hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
