"""The ledger of a table: which films are in it, by which bundle. A film enters after its part is whole."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from pneumoscope.errors import StorageError, UsageError
from pneumoscope.scoring.outcome import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["LEDGER", "Ledger", "Part"]

LEDGER = "_ledger.sqlite"
"""Its name in the table's folder; readers of partitioned tables pass over names that start with an underscore."""

_TABLES = """
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (number INTEGER PRIMARY KEY, files TEXT NOT NULL, read INTEGER, refused INTEGER);
CREATE TABLE IF NOT EXISTS films (name TEXT PRIMARY KEY, part INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failed (name TEXT PRIMARY KEY, code TEXT, reason TEXT, remedy TEXT);
"""


class Part:
    """One part of the table, as the ledger knows it.

    Args:
        number: From 1.
        files: Name of each file in the table's folder, and its bytes.
    """

    def __init__(self, number: int, files: Mapping[str, int]) -> None:
        self.number = number
        self.files = dict(files)


class Ledger:
    """A small SQLite file. Each part of the table is one transaction.

    Args:
        path: Where it is, or is to be.

    Raises:
        UsageError: Some other file.
        StorageError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._errors():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"the ledger cannot be written ({error})",
                where=self._path,
                remedy="Free some space, then run the same command again: what is in the table is not read again",
            ) from error
        except sqlite3.DatabaseError as error:
            raise UsageError(
                f"the ledger cannot be used ({error})", where=self._path, remedy="Give another --out"
            ) from error

    def settle(self, settings: Mapping[str, str | None]) -> None:
        """Hold this run to what the table was begun with; a new ledger takes it down.

        Raises:
            UsageError: The table was begun with another bundle or other settings.
        """
        with self._errors():
            known = {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM run")}
            if not known:
                self._db.execute("BEGIN IMMEDIATE")
                rows = [(key, json.dumps(value)) for key, value in settings.items()]
                self._db.executemany("INSERT INTO run VALUES (?, ?)", rows)
                self._db.execute("COMMIT")
                return
        for key, value in settings.items():
            if known.get(key) != value:
                raise UsageError(
                    f"the table was begun with {key} {known.get(key)}, and this run has {value}",
                    where=self._path.parent,
                    remedy="Give the same bundle and options again, or another --out",
                )

    def __contains__(self, name: str) -> bool:
        """Whether a film is in the table."""
        return self._db.execute("SELECT 1 FROM films WHERE name = ?", (name,)).fetchone() is not None

    def parts(self) -> list[Part]:
        """All parts, by their numbers."""
        rows = self._db.execute("SELECT number, files FROM parts ORDER BY number").fetchall()
        return [Part(number, json.loads(files)) for number, files in rows]

    def counts(self) -> tuple[int, int]:
        """Films in the table: read and refused."""
        read, refused = self._db.execute(
            "SELECT coalesce(sum(read), 0), coalesce(sum(refused), 0) FROM parts"
        ).fetchone()
        return int(read), int(refused)

    def next_part(self) -> int:
        """The number that no part has yet."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM parts").fetchone()[0])

    def commit(self, part: Part, names: Iterable[str], *, read: int, refused: int) -> None:
        """Take down a part whose files are whole.

        Raises:
            StorageError: The disk is full; the part is then not in the ledger, nor any of its films.
        """
        with self._errors(), self._transaction():
            row = (part.number, json.dumps(part.files), read, refused)
            self._db.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", row)
            self._db.executemany("INSERT INTO films VALUES (?, ?)", [(name, part.number) for name in names])
            self._db.execute("DELETE FROM failed WHERE name IN (SELECT name FROM films WHERE part = ?)", (part.number,))

    def forget(self, part: Part) -> None:
        """Take a part out, whose files are gone: its films are read again."""
        with self._errors(), self._transaction():
            self._db.execute("DELETE FROM films WHERE part = ?", (part.number,))
            self._db.execute("DELETE FROM parts WHERE number = ?", (part.number,))

    def note_failures(self, failures: Iterable[Failure]) -> None:
        """Take down what could not be come by."""
        rows = [(each.name, each.code, each.reason, each.remedy) for each in failures]
        with self._errors(), self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO failed VALUES (?, ?, ?, ?)", rows)

    def forget_failures(self) -> None:
        """A new run tries them again."""
        with self._errors(), self._transaction():
            self._db.execute("DELETE FROM failed")

    def failures(self) -> list[Failure]:
        """What could not be come by in the last run, by name."""
        return [Failure(*row) for row in self._db.execute("SELECT * FROM failed ORDER BY name")]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
