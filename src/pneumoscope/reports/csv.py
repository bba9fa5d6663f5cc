"""A reading as a row of a table for spreadsheets and statistics programs (RFC 4180)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.domain.evidence import ZONES
from pneumoscope.storage import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pneumoscope.domain.reading import Reading

__all__ = ["header", "row"]

_DIGITS = 6


def header(classes: Sequence[str], finding: str = "pneumonia") -> str:
    """The first line, its end included.

    Args:
        classes: The bundle's, in its order.
        finding: The bundle's.
    """
    return _line(
        [
            *("path", "sha256", "format", "rows", "columns", "status"),
            *("call", f"p({finding})", "threshold", "lower", "preset"),
            *(f"p({name})" for name in classes),
            *("pattern", "pattern_set", "pattern_coverage"),
            *(f"evidence {zone}" for zone in ZONES),
            *("refusal", "reason", "remedy", "mended", "warnings"),
            *("model", "model_version", "model_sha256", "software_version", "notice"),
        ]
    )


def row(reading: Reading, classes: Sequence[str]) -> str:
    """One line, its end included; what a refused film does not have is empty.

    Args:
        reading: What to write.
        classes: As for the header.
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
    return _line(
        [
            *(film.path, film.sha256, film.format, film.rows, film.columns, reading.status),
            *decision,
            *(probabilities.get(name) for name in classes),
            *look,
            *(zones.get(zone) for zone in ZONES),
            *((refusal.code, refusal.reason, refusal.remedy) if refusal else (None,) * 3),
            *("; ".join(reading.mended), "; ".join(reading.warnings)),
            *((model.name, model.version, model.sha256) if model else (None,) * 3),
            *(reading.software.version, reading.notice),
        ]
    )


def _line(cells: Iterable[object]) -> str:
    return csv_text([[round(cell, _DIGITS) if isinstance(cell, float) else cell for cell in cells]], line_end="\r\n")
