"""A reading as a row of a table for spreadsheets and statistics programs (RFC 4180)."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pneumoscope.reports.summary import correction_words
from pneumoscope.storage import csv_text, make_folder, storage_errors
from pneumoscope.types.evidence import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pneumoscope.types.reading import Reading

__all__ = ["CsvFile", "cells", "columns", "header", "row"]

_DECIMALS = 6


def columns(classes: Sequence[str], finding: str = "pneumonia") -> list[str]:
    """The names of a row's cells.

    Args:
        classes: The bundle's, in its order.
        finding: The bundle's.
    """
    return [
        *("path", "sha256", "format", "rows", "columns", "status"),
        *("call", f"p({finding})", "threshold", "lower", "preset"),
        *(f"p({name})" for name in classes),
        *("pattern", "pattern_set", "pattern_coverage"),
        *(f"evidence {zone}" for zone in ZONES),
        *("refusal", "reason", "remedy", "corrections", "forced", "warnings"),
        *("model", "model_version", "model_sha256", "software_version", "notice"),
    ]


def cells(reading: Reading, classes: Sequence[str]) -> list[str | int | float | bool | None]:
    """One row, of every digit; what a refused film does not have is None.

    Args:
        reading: What to write.
        classes: As for the columns.
    """
    film, found, pattern, refusal, model = (
        reading.film,
        reading.finding,
        reading.pattern,
        reading.refusal,
        reading.model,
    )
    probabilities = reading.probabilities or {}
    zones = reading.evidence.zones if reading.evidence else {}
    decision = (found.call, found.probability, found.threshold, found.lower, found.preset) if found else (None,) * 5
    look = (pattern.call, "; ".join(pattern.set), pattern.coverage) if pattern else (None,) * 3
    return [
        *(film.path, film.sha256, film.format, film.rows, film.columns, reading.status),
        *decision,
        *(probabilities.get(name) for name in classes),
        *look,
        *(zones.get(zone) for zone in ZONES),
        *((refusal.code, refusal.reason, refusal.remedy) if refusal else (None,) * 3),
        *("; ".join(map(correction_words, reading.corrections)), reading.forced, "; ".join(reading.warnings)),
        *((model.name, model.version, model.sha256) if model else (None,) * 3),
        *(reading.software.version, reading.notice),
    ]


def header(classes: Sequence[str], finding: str = "pneumonia") -> str:
    """The first line, its end included; the arguments are those of ``columns``."""
    return _line(columns(classes, finding))


def row(reading: Reading, classes: Sequence[str]) -> str:
    """One line, its end included; what a refused film does not have is empty."""
    return _line(cells(reading, classes))


def _line(cells: Iterable[object]) -> str:
    return csv_text([[round(cell, _DECIMALS) if isinstance(cell, float) else cell for cell in cells]], line_end="\r\n")


class CsvFile:
    """Rows are on their way to the disk as soon as they are written, and a row is there whole or not at all.

    Args:
        path: Where to. An existing file is replaced.
        header: The first row.

    Raises:
        StorageError: The file cannot be made, or the disk is full.
    """

    def __init__(self, path: Path, header: str) -> None:
        self._path = path
        make_folder(path.parent)
        with storage_errors(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._whole = 0
        self.write(header)

    def write(self, row: str) -> None:
        """Write one row, its end included.

        Raises:
            StorageError: The disk is full; the file then ends with the last whole row.
        """
        data = row.encode("utf-8", "surrogateescape")  # the bytes of a file name that is no UTF-8 come back
        try:
            with storage_errors(self._path):
                written = 0
                while written < len(data):
                    written += os.write(self._file, data[written:])
        except BaseException:
            self._cut()
            raise
        self._whole += len(data)

    def _cut(self) -> None:
        with suppress(OSError):  # a pipe or a device has nothing to cut
            os.ftruncate(self._file, self._whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
