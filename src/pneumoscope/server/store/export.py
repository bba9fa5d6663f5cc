"""The worklist as a table: one line a study, streamed as CSV, JSON or Parquet."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from pneumoscope.errors import MissingExtra
from pneumoscope.server.store.adding import finding_in
from pneumoscope.server.store.paging import study_page
from pneumoscope.server.store.records import to_verdict
from pneumoscope.server.store.tables import reading, reading_body, verdict
from pneumoscope.storage import csv_text
from pneumoscope.types.studies import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from pneumoscope.server.store.database import Database
    from pneumoscope.server.store.records import Query
    from pneumoscope.types.studies import Study, Verdict

__all__ = ["COLUMNS", "MEDIA_TYPES", "table_bytes", "table_rows"]

_PAGE = 500
_CHUNK = 1 << 16  # characters
_ROW_GROUP = 5000

COLUMNS: dict[str, type] = {
    "study": str,
    "label": str,
    "received": datetime,
    "source": str,
    "films": int,
    "status": str,
    "call": str,
    "probability": float,
    "threshold": float,
    "preset": str,
    "pattern": str,
    "refusal": str,
    "forced": bool,
    "bundle": str,
    "bundle_sha256": str,
    "film_sha256": str,
    "reading": str,
    "read_by": str,
    "read_at": datetime,
    "verdict": str,
    "corrected_to": str,
    "findings": str,
    "verdict_by": str,
    "verdict_at": datetime,
    "note": str,
    "age": float,
    "sex": str,
    "film_date": str,
    "accession": str,
}
"""Columns of the table, and what they hold. What is of a film is of the study's leading film, by its newest reading."""

MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


def table_rows(database: Database, query: Query) -> Iterator[dict[str, Any]]:
    """One row a study, in the order of the query; its limit and cursor are passed over.

    Pages are read one after the other, so that no lock and no transaction lasts as long as the reader is slow.

    Raises:
        UsageError: The order is unknown.
        StorageError: The database cannot be used.
    """
    cursor: str | None = None
    while True:
        with database.read() as connection:
            page = study_page(connection, replace(query, limit=_PAGE, cursor=cursor))
            rows = _rows(connection, page.items)
        yield from rows
        if page.next is None:
            return
        cursor = page.next


def table_bytes(rows: Iterator[dict[str, Any]], form: str, columns: dict[str, type] | None = None) -> Iterator[bytes]:
    """The table in one form: "csv" with a head, "json" (a list of objects) or "parquet".

    Args:
        rows: With the same columns.
        form: One of ``MEDIA_TYPES``.
        columns: Their names and what they hold; those of the worklist if not given.

    Raises:
        MissingExtra: Parquet, and pyarrow is not installed; before the first byte.
    """
    columns = COLUMNS if columns is None else columns
    if form == "parquet":
        return _parquet(rows, columns)
    return _csv(rows, columns) if form == "csv" else _json(rows)


def _rows(connection: Connection, studies: Sequence[Study]) -> list[dict[str, Any]]:
    if not studies:
        return []
    ids = [row.id for row in studies]
    newest = (
        select(reading.c.film, func.max(reading.c.ordinal).label("ordinal"))
        .where(reading.c.film.in_([row.lead for row in studies]))
        .group_by(reading.c.film)
        .subquery()
    )
    read = {
        row.film: row
        for row in connection.execute(
            select(reading, reading_body.c.document)
            .join(newest, (newest.c.film == reading.c.film) & (newest.c.ordinal == reading.c.ordinal))
            .join(reading_body, reading_body.c.reading == reading.c.id)
        )
    }
    rows = connection.execute(
        select(verdict).where(verdict.c.study.in_(ids)).order_by(verdict.c.study, verdict.c.ordinal.desc())
    )
    given = {
        ident: standing_verdict([to_verdict(row) for row in some])
        for ident, some in groupby(rows, lambda row: row.study)
    }
    return [_row(row, read.get(row.lead), given.get(row.id)) for row in studies]


def _row(row: Study, read: Any, given: Verdict | None) -> dict[str, Any]:
    found = None if read is None else finding_in(read.document)
    return {
        "study": row.id,
        "label": row.label,
        "received": row.received,
        "source": row.source,
        "films": row.films,
        "status": row.status,
        "call": row.call,
        "probability": row.probability,
        "threshold": None if found is None else float(found["threshold"]),
        "preset": None if read is None else read.preset,
        "pattern": row.pattern,
        "refusal": row.refusal,
        "forced": row.forced,
        "bundle": row.bundle,
        "bundle_sha256": None if read is None else read.bundle_sha256,
        "film_sha256": row.lead,
        "reading": None if read is None else read.id,
        "read_by": None if read is None else read.by,
        "read_at": None if read is None else read.created,
        "verdict": row.verdict,
        "corrected_to": row.corrected_to,
        "findings": None if given is None else "; ".join(given.findings),
        "verdict_by": None if given is None else given.by,
        "verdict_at": None if given is None else given.created,
        "note": row.note,
        "age": row.age,
        "sex": row.sex,
        "film_date": row.film_date,
        "accession": row.accession,
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _csv(rows: Iterator[dict[str, Any]], columns: dict[str, type]) -> Iterator[bytes]:
    """RFC 4180, UTF-8; cells that a spreadsheet would run as a formula are guarded."""
    yield csv_text([columns], line_end="\r\n").encode()
    for some in _batched(rows, _PAGE):
        yield csv_text(([_plain(value) for value in row.values()] for row in some), line_end="\r\n").encode()


def _json(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """A list with one object a line."""
    parts, size, before = ["["], 1, "\n"
    for row in rows:
        parts.append(before + json.dumps({name: _plain(value) for name, value in row.items()}, allow_nan=False))
        before, size = ",\n", size + len(parts[-1])
        if size > _CHUNK:
            yield "".join(parts).encode()
            parts, size = [], 0
    yield ("".join(parts) + "\n]\n").encode()


def _parquet(rows: Iterator[dict[str, Any]], columns: dict[str, type]) -> Iterator[bytes]:
    """Row groups of 5,000 studies."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra.named("pyarrow", extra="evaluate", needed_for="the worklist as Parquet") from error
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    kinds[datetime] = pa.timestamp("us", "UTC")
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])

    def pieces() -> Iterator[bytes]:
        sink = _Pieces()
        with parquet.ParquetWriter(sink, schema) as writer:
            for some in _batched(rows, _ROW_GROUP):
                writer.write_table(pa.Table.from_pylist(some, schema=schema))
                yield from sink.taken()
        yield from sink.taken()

    return pieces()


def _batched(rows: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    while some := list(islice(rows, size)):
        yield some


class _Pieces(io.RawIOBase):
    """A file that is only written, whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """Keep it until it is taken."""
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> list[bytes]:
        """What was written since."""
        parts, self._parts = self._parts, []
        return parts
