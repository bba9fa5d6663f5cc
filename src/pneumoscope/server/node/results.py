"""What is sent of a reading: the site's choice of objects, each with UIDs that are made of the reading and stay."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import dcmread

from pneumoscope.errors import FilmError
from pneumoscope.films.load import load
from pneumoscope.model.report_context import make_report_context
from pneumoscope.quality.corrections import apply_corrections
from pneumoscope.quiet import capture_warnings
from pneumoscope.reports.dicom.results import RESULT_KINDS, dicom_results, parse_kinds, to_bytes
from pneumoscope.reports.json import from_dict
from pneumoscope.server.node.queue import NewResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.server.context import Context
    from pneumoscope.server.store.records import ReadingRow
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["results_of"]

_NAMES = {kind.sop_class: kind.name for kind in RESULT_KINDS.values()}
_NEED_LUNGS = frozenset({"seg"})


def results_of(
    context: Context, row: ReadingRow, source: bytes, kinds: Sequence[str], film: Radiograph | None = None
) -> list[NewResult]:
    """Make the objects of a reading; a kind for which it has nothing is left out.

    Args:
        context: Of the server.
        row: The reading, as it was filed: the same row gives the same objects.
        source: The film as it came, with its patient.
        kinds: Of objects, by the names of ``reports.dicom.results``.
        film: What was read from it, if that is at hand.
    """
    wanted = parse_kinds(kinds)
    reading = from_dict(row.document, None if row.evidence is None else row.evidence.evidence())
    meta = next((known.meta for known in context.bundles.all() if known.sha256 == row.bundle_sha256), None)
    with capture_warnings():
        header = dcmread(BytesIO(source), stop_before_pixels=True)
    given = make_report_context(
        meta,
        row.preset or "",
        reading,
        _upright(source, reading, film, context.config.max_pixels),
        header=header,
        created=row.created,
        lungs=not _NEED_LUNGS.isdisjoint(wanted),
    )
    made = dicom_results(reading, header, wanted, given)
    return [
        NewResult(
            _NAMES.get(str(each.SOPClassUID), "sr"), str(each.SOPClassUID), str(each.SOPInstanceUID), to_bytes(each)
        )
        for each in made
    ]


def _upright(source: bytes, reading: Reading, film: Radiograph | None, max_pixels: int) -> Radiograph | None:
    try:
        return apply_corrections(film or load(source, name="film", max_pixels=max_pixels), reading.corrections)
    except FilmError:
        return None
