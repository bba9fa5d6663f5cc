"""The table: parts of some thousand films each, whole or not there; refused films in a side table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pneumoscope.errors import MissingExtra
from pneumoscope.scoring.ledger import Part
from pneumoscope.settings import NOTICE
from pneumoscope.storage import csv_text, make_folder, open_atomically, storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pneumoscope.scoring.ledger import Ledger
    from pneumoscope.scoring.outcome import Cell, Failure, Outcome

__all__ = ["FAILED", "FOLDERS", "ScoreTable"]

FOLDERS: dict[str, str] = {"read": "readings", "refused": "refused"}
"""The subfolder of each final outcome."""

FAILED = "failed.csv"
"""What could not be come by in the last run."""

_INTEGERS = frozenset({"rows", "columns"})
_NUMBERS = frozenset({"threshold", "lower", "pattern_coverage"})


class ScoreTable:
    """Writes parts and their lines in the ledger, in an order that no kill can come between to any harm.

    First the files, each whole or not at all, then the ledger. What a kill left without a line is taken away when
    the table is opened again; a part whose file went missing since is taken out of the ledger and read again.

    Args:
        folder: Where to.
        ledger: Of this folder.
        columns: Names of the cells.
        form: "parquet" or "csv".

    Raises:
        MissingExtra: Parquet, and pyarrow is not installed.
        StorageError: The folder cannot be written.
    """

    def __init__(self, folder: Path, ledger: Ledger, columns: Sequence[str], form: Literal["parquet", "csv"]) -> None:
        self._folder, self._ledger, self._columns, self._form = folder, ledger, list(columns), form
        self._schema = _schema(columns) if form == "parquet" else None
        for name in FOLDERS.values():
            make_folder(folder / name)
        self.lost_parts = self._mend()

    def _mend(self) -> int:
        """Take away what a kill left; the number of parts that went missing."""
        known: set[str] = set()
        lost = 0
        for part in self._ledger.parts():
            if all(_size(self._folder / name) == size for name, size in part.files.items()):
                known |= part.files.keys()
            else:
                self._ledger.forget(part)
                lost += 1
        for name in FOLDERS.values():
            for path in (self._folder / name).iterdir():
                ours = path.name.startswith("part-") or path.name.endswith(".part")
                if ours and f"{name}/{path.name}" not in known:
                    with storage_errors(path):
                        path.unlink()
        return lost

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write one part: films that were read, films that were refused, then the ledger.

        Raises:
            StorageError: The disk is full; the part is then not in the ledger.
        """
        number = self._ledger.next_part()
        files: dict[str, int] = {}
        counts: dict[str, int] = {}
        for status, folder in FOLDERS.items():
            rows = [each.cells for each in outcomes if each.status == status and each.cells is not None]
            counts[status] = len(rows)
            if rows:
                name = f"{folder}/part-{number:06}.{self._form}"
                self._write_file(self._folder / name, rows)
                files[name] = _size(self._folder / name)
        final = [each.name for each in outcomes if each.status != "failed"]
        if final:
            self._ledger.commit(Part(number, files), final, read=counts["read"], refused=counts["refused"])
        self._ledger.note_failures([each.failure for each in outcomes if each.failure is not None])

    def _write_file(self, path: Path, rows: Sequence[tuple[Cell, ...]]) -> None:
        if self._schema is None:
            write_atomically(path, csv_text([self._columns, *rows], line_end="\r\n"))
            return
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415

        arrays = [
            pa.array(values, field.type) for field, values in zip(self._schema, zip(*rows, strict=True), strict=True)
        ]
        with open_atomically(path) as file:
            parquet.write_table(pa.Table.from_arrays(arrays, schema=self._schema), file, compression="zstd")

    def write_failures(self) -> list[Failure]:
        """Write what could not be come by beside the table; the file is gone when nothing is left of it.

        Raises:
            StorageError: The disk is full.
        """
        left = self._ledger.failures()
        path = self._folder / FAILED
        if left:
            rows = [(each.name, each.code, each.reason, each.remedy) for each in left]
            write_atomically(path, csv_text([("path", "code", "reason", "remedy"), *rows], line_end="\r\n"))
        else:
            with storage_errors(path):
                path.unlink(missing_ok=True)
        return left


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _schema(columns: Sequence[str]) -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="score", needed_for="a table as Parquet") from error

    def kind(name: str) -> Any:
        if name in _INTEGERS:
            return pa.int32()
        if name in _NUMBERS or name.startswith(("p(", "evidence ")):
            return pa.float64()
        return pa.bool_() if name == "forced" else pa.string()

    return pa.schema([pa.field(name, kind(name)) for name in columns], metadata={"notice": NOTICE})
