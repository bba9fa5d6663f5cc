"""Tables of films, as spreadsheets and other machines write them: text of any coding and separator, Parquet, Excel."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from pneumoscope.data.passengers import is_litter
from pneumoscope.errors import DatasetError, MissingExtra
from pneumoscope.films.sniff import FILM_SUFFIXES
from pneumoscope.storage import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["TABLE_SUFFIXES", "FilmFinder", "Rows", "plain_column", "read_rows", "table_suffix"]

TABLE_SUFFIXES = (".csv", ".tsv", ".txt.gz", ".csv.gz", ".tsv.gz", ".parquet", ".xlsx", ".xlsm")
"""Ends of the names of files that are tables."""

_SEPARATORS = ",;\t|"
_HEAD = 1 << 18  # bytes of a table that have its header
_LOOKED_AT = 30  # records that tell the separator
_MOST_BYTES = 2 << 30  # of a table, unpacked
_REMEDY = "Write it as UTF-8 text with a header line, or as Parquet"
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Rows:
    """Rows of a table by the names of their columns, however those are capitalised and spaced.

    Attributes:
        names: The columns, as the table writes them.
        rows: The cells.
    """

    def __init__(self, names: list[str], rows: list[list[str]]) -> None:
        self.names = names
        self.rows = rows
        self._places = {plain_column(name): place for place, name in reversed(list(enumerate(names)))}

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, *columns: str) -> bool:
        """Whether there are all of these columns."""
        return all(plain_column(name) in self._places for name in columns)

    def cell(self, row: list[str], *columns: str) -> str | None:
        """The first of these columns that has something in it; None if none has."""
        for name in columns:
            place = self._places.get(plain_column(name))
            if place is not None and place < len(row) and (text := row[place].strip()):
                return text
        return None


def plain_column(name: str) -> str:
    """The name of a column in small letters, words apart by one space."""
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def table_suffix(path: Path) -> str | None:
    """How the name of a table ends; None if the file is no table by its name."""
    name = path.name.lower()
    if not name.endswith(TABLE_SUFFIXES):
        return None
    if is_litter(path.name) or name.startswith("~$"):  # Excel's lock file
        return None
    return next((suffix for suffix in TABLE_SUFFIXES if name.endswith(suffix)), None)


def read_rows(table: Path, *, header_only: bool = False) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a table, as text; an empty cell is "".

    The coding (UTF-8, UTF-16, Windows-1252), the separator (comma, semicolon, tab, bar) and a column of row numbers
    without a name are found out.

    Raises:
        DatasetError: It cannot be read.
        MissingExtra: It is Parquet or Excel, and the package for it is not installed.
    """
    suffix = table_suffix(table) or table.suffix.lower()
    try:
        if suffix == ".parquet":
            return _read_parquet(table, header_only=header_only)
        if suffix in {".xlsx", ".xlsm"}:
            return _read_excel(table, header_only=header_only)
        return _read_text(_bytes(table, header_only=header_only), table, header_only=header_only)
    except (OSError, EOFError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DatasetError(f"the table cannot be read ({reason})", where=table, remedy=_REMEDY) from error
    except (ValueError, zlib.error) as error:
        raise DatasetError(f"the table cannot be understood ({error})", where=table, remedy=_REMEDY) from error


def _bytes(table: Path, *, header_only: bool) -> bytes:
    """The text, unpacked; for the header alone, its first lines."""
    most = _HEAD if header_only else _MOST_BYTES + 1
    with gzip.open(table) if table.suffix.lower() == ".gz" else table.open("rb") as file:
        data = file.read(most)
    if header_only and len(data) == _HEAD and b"\0" not in data:
        return data[: data.rindex(b"\n") + 1] if b"\n" in data else data
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it unpacks to more than {_MOST_BYTES >> 30} GiB")
    return data


def _read_text(data: bytes, table: Path, *, header_only: bool) -> tuple[list[str], list[list[str]]]:
    if data[:4] == b"PK\x03\x04" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise DatasetError(
            "this is a spreadsheet under the name of a text file",
            where=table,
            remedy="Save it as CSV, or name it .xlsx",
        )
    text = _decoded(data)
    if "\0" in text:
        raise ValueError("it has zero bytes: not a text")
    separator = _separator(text, table)
    limit = csv.field_size_limit(len(text) + 1)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=False)
        records = ([cell.strip("\ufeff") for cell in line] for line in lines if any(cell.strip() for cell in line))
        header = next(records, [])
        if re.fullmatch(r"sep=.", (text[:5])) and len(header) <= 2:  # as Excel marks its separator
            header = next(records, [])
        rows = [] if header_only else [[csv_cell(cell) for cell in line] for line in records]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    finally:
        csv.field_size_limit(limit)
    header = [name.strip() for name in header]
    if rows and len(header) > 1 and all(len(row) == len(header) + 1 for row in rows[:_LOOKED_AT]):
        header = ["", *header]  # row names without a name, as R writes them
    return header, rows


def _decoded(data: bytes) -> str:
    for mark, coding in _MARKS:
        if data.startswith(mark):
            return data.decode(coding)
    head = data[:1000]
    if len(head) > 3 and head.count(0) > len(head) / 4:  # UTF-16 without its mark
        return data.decode("utf-16-be" if head[0] == 0 else "utf-16-le")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _separator(text: str, table: Path) -> str:
    """The separator that cuts the first records into the same number of cells, more than one; the most of them wins."""
    if text.startswith("sep=") and len(text) > 5:
        return text[4]
    head = text[: 1 << 18]
    best, found = (0.0, 0), "\t" if table.name.lower().startswith(".tsv") or ".tsv" in table.name.lower() else ","
    for separator in _SEPARATORS:
        try:
            lines = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
            widths = [len(line) for line, _ in zip(lines, range(_LOOKED_AT), strict=False) if any(line)]
        except csv.Error:
            continue
        if len(widths) > 2 and len(text) > len(head):
            widths.pop()  # cut in two, perhaps
        if not widths or widths[0] < 2:
            continue
        alike = Counter(widths).most_common(1)[0]
        score = (alike[1] / len(widths) if alike[0] > 1 else 0.0, widths[0])
        if score > best:
            best, found = score, separator
    return found


def _read_parquet(table: Path, *, header_only: bool) -> tuple[list[str], list[list[str]]]:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - heavy, and only learning needs it
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="train", needed_for="a Parquet table") from error
    if header_only:
        return list(pq.read_schema(table).names), []
    content = pq.read_table(table)
    columns = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in content.columns]
    return list(content.column_names), [list(row) for row in zip(*columns, strict=True)]


def _read_excel(table: Path, *, header_only: bool) -> tuple[list[str], list[list[str]]]:
    """The first sheet that has two rows or more."""
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - only for Excel
    except ImportError as error:
        raise MissingExtra.named("openpyxl", extra="tables", needed_for="an Excel table") from error
    try:
        book = load_workbook(table, read_only=True, data_only=True)
    except Exception as error:  # whatever it says of foreign bytes
        raise ValueError("no Excel file, or a damaged one") from error
    try:
        for sheet in book.worksheets:
            records = ([_excel_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True))
            filled = (record for record in records if any(record))
            header = next(filled, [])
            while header and not header[-1]:
                header.pop()
            if not header:
                continue
            return header, [] if header_only else list(filled)
        return [], []
    finally:
        book.close()


def _excel_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


class FilmFinder:
    """Finds the films that a table names, wherever they lie below its folder.

    A path may have Windows separators, be absolute on another machine, lack its suffix, or be the bare name of a film
    in one of many folders.

    Attributes:
        moved: Paths that were found by their end alone.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.normpath(root))
        self._index: dict[str, list[str]] | None = None
        self._inside: set[str] = set()
        self.moved = 0

    def find(self, path: str) -> str:
        """The path from the root with forward slashes; absolute if it lies elsewhere, as it stands if not found."""
        if not path:
            return ""
        if self._is_file(path):
            return _from_root(path, self._root)
        slashed = path.replace("\\", "/")
        if slashed != path and not _DRIVE.match(path) and self._is_file(slashed):
            return _from_root(slashed, self._root)
        parts = [part for part in PureWindowsPath(path).parts if not part.endswith(("\\", "/", ":"))]
        parts = [part for part in parts if part not in {"..", "."}]
        for start in range(len(parts)):
            ending = "/".join(parts[start:])
            if self._is_file(ending):
                self.moved += 1
                return _from_root(ending, self._root)
        found = self._by_name(parts)
        if found is not None:
            return found
        return _from_root(slashed if "\\" in path and not _DRIVE.match(path) else path, self._root)

    def find_existing(self, path: str) -> str | None:
        """The path from the root with forward slashes; None if there is no such film."""
        place = self.find(path)
        return place if place and (self._is_file(place) or place in self._inside) else None

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.isfile(os.path.join(self._root, path))  # noqa: PTH113, PTH118 - a hundred thousand of these
        except ValueError:
            return False

    def _by_name(self, parts: list[str]) -> str | None:
        """The one film whose path has the longest end in common; None if there is none, or several."""
        if not parts:
            return None
        places = self._places(parts[-1])
        while len(places) > 1 and len(parts) > 1:
            wanted = [part.lower() for part in parts]
            common = [_common_end(wanted, place.lower().split("/")) for place in places]
            best = max(common)
            kept = [place for place, n in zip(places, common, strict=True) if n == best]
            if len(kept) == len(places) or len(kept) == 1:
                places = kept
                break
            places = kept
        if len(places) != 1:
            return None
        self.moved += 1
        return places[0]

    def _places(self, name: str) -> list[str]:
        index = self._files()
        name = name.lower()
        return index.get(name) or index.get(f"stem {name}") or []

    def _files(self) -> dict[str, list[str]]:
        """Relative paths of all films below the root, by name, and by name without suffix."""
        if self._index is None:
            from pneumoscope.data.layout import files_below  # noqa: PLC0415 - which asks for tables itself
            from pneumoscope.data.passengers import passenger_kind  # noqa: PLC0415

            self._index = {}
            for file in files_below(self._root):
                if file.suffix.lower() not in FILM_SUFFIXES and file.suffix and not file.suffix[1:].isdigit():
                    continue
                inner = file.relative_to(self._root)
                if passenger_kind(inner.parts) is not None:
                    continue
                if not file.exists():
                    self._inside.add(inner.as_posix())
                self._index.setdefault(file.name.lower(), []).append(inner.as_posix())
                self._index.setdefault(f"stem {file.stem.lower()}", []).append(inner.as_posix())
        return self._index

    def sentences(self) -> Iterable[str]:
        """What a person should know, each a sentence."""
        if self.moved:
            yield f"{self.moved} films were found by the end of their path or their name, not by the path in the table"


def _common_end(one: list[str], other: list[str]) -> int:
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _from_root(path: str, root: Path) -> str:
    """The path from the root with forward slashes; absolute if it lies elsewhere."""
    whole = Path(os.path.normpath(root / path))
    return (whole.relative_to(root) if whole.is_relative_to(root) else whole.absolute()).as_posix()
