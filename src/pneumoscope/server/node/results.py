"""What is sent of a reading: the site's choice of objects, each with UIDs that are made of the reading and stay."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import dcmread

from pneumoscope.errors import ConfigError, FilmError, UsageError
from pneumoscope.films.load import load
from pneumoscope.model.decide import operating_point, summarize_operating_point
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.formats import FORMATS
from pneumoscope.reports.json import from_dict
from pneumoscope.reports.summary import ReportContext
from pneumoscope.server.node.queue import NewResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.server.context import Context
    from pneumoscope.server.store.records import ReadingRow
    from pneumoscope.types.operating_point import OperatingPointSummary
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["check_kinds", "results_of"]

_KINDS = {"sr": "sr"}
"""Kinds of results, and the report formats that make them."""


def check_kinds(kinds: Sequence[str]) -> None:
    """Say no before any film is read.

    Raises:
        ConfigError: There is no such kind.
        MissingExtra: What it needs is not installed.
    """
    for kind in kinds:
        if kind not in _KINDS:
            raise ConfigError(f"there is no result {kind!r}", where="results", remedy=f"There are: {', '.join(_KINDS)}")
        FORMATS[_KINDS[kind]].check()


def results_of(
    context: Context, row: ReadingRow, source: bytes, kinds: Sequence[str], film: Radiograph | None = None
) -> list[NewResult]:
    """Make the objects of a reading.

    Args:
        context: Of the server.
        row: The reading, as it was filed: the same row gives the same objects.
        source: The film as it came, with its patient.
        kinds: Of objects.
        film: What was read from it, if that is at hand.
    """
    reading = from_dict(row.document, None if row.evidence is None else row.evidence.evidence())
    meta = next((known.meta for known in context.bundles.all() if known.sha256 == row.bundle_sha256), None)
    given = ReportContext(
        film=_upright(source, reading, film, context.config.max_pixels),
        meaning=None if meta is None else _meaning(meta, row),
        source=source,
        created=row.created,
        finding="pneumonia" if meta is None else meta.finding,
    )
    return [_result(kind, FORMATS[_KINDS[kind]].write(reading, given)) for kind in kinds]


def _upright(source: bytes, reading: Reading, film: Radiograph | None, max_pixels: int) -> Radiograph | None:
    try:
        return apply_corrections(film or load(source, name="film", max_pixels=max_pixels), reading.corrections)
    except FilmError:
        return None


def _meaning(meta: BundleMeta, row: ReadingRow) -> OperatingPointSummary | None:
    try:
        return summarize_operating_point(operating_point(meta, row.preset))
    except UsageError:
        return None


def _result(kind: str, data: bytes) -> NewResult:
    with capture_warnings():
        header = dcmread(BytesIO(data), stop_before_pixels=True)
    return NewResult(kind, str(header.SOPClassUID), str(header.SOPInstanceUID), data)
