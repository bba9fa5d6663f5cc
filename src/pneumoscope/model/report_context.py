"""What reports of a reading are given: the film, its place in the stored pixels, its lungs, the bundle's words."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pneumoscope.errors import UsageError
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.model.decide import operating_point, summarize_operating_point
from pneumoscope.model.population import bundle_population
from pneumoscope.quality.corrections import film_geometry
from pneumoscope.quiet import capture_warnings
from pneumoscope.types.report_context import ReportContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pydicom.dataset import Dataset

    from pneumoscope.model.schema import BundleMeta
    from pneumoscope.types.correction import Correction
    from pneumoscope.types.film_geometry import FilmGeometry
    from pneumoscope.types.operating_point import OperatingPointSummary
    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["make_report_context", "stored_geometry"]


def make_report_context(
    meta: BundleMeta | None,
    preset: str,
    reading: Reading,
    film: Radiograph | None,
    *,
    source: bytes | None = None,
    header: Dataset | None = None,
    created: datetime | None = None,
    lungs: bool = False,
    facts: Mapping[str, str] | None = None,
) -> ReportContext:
    """What reports of a reading are given.

    Args:
        meta: Of the bundle that read it; None if it is no longer there.
        preset: The operating point.
        reading: Read or refused.
        film: As it was read (corrected); None if it could not be decoded.
        source: The film's file, where it is DICOM.
        header: Its data set, where it is at hand; else it is read from the source.
        created: When the film was read; now, without it.
        lungs: Whether the lung fields are asked for, too; a refused film has none.
        facts: Of the film, where its bytes do not tell them.
    """
    geometry, fields = None, None
    if reading.status == "read" and (header is not None or source is not None):
        geometry = stored_geometry(reading.corrections, header=header, source=source)
    if lungs and film is not None and reading.status == "read":
        found = lung_segmenter().find(film)
        fields = found.mask if found.enough else None
    return ReportContext(
        film=film,
        meaning=None if meta is None else _meaning(meta, preset),
        source=source,
        created=created,
        finding="pneumonia" if meta is None else meta.finding,
        population=None if meta is None else bundle_population(meta, preset),
        geometry=geometry,
        lungs=fields,
        facts=facts or {},
    )


def _meaning(meta: BundleMeta, preset: str) -> OperatingPointSummary | None:
    try:
        return summarize_operating_point(operating_point(meta, preset))
    except UsageError:
        return None


def stored_geometry(
    corrections: Iterable[Correction], *, header: Dataset | None = None, source: bytes | None = None
) -> FilmGeometry | None:
    """The map from a film as it was read to the stored pixels of its DICOM object; None for another film.

    Args:
        corrections: Of the reading.
        header: The object's data set.
        source: Or the bytes of its file.
    """
    from pneumoscope.films.dicom_metadata import metadata_of  # noqa: PLC0415 - most films are not DICOM

    try:
        with capture_warnings():
            told = _header(source or b"") if header is None else header
            rows, columns = int(told.get("Rows") or 0), int(told.get("Columns") or 0)
            orientation = metadata_of(told).orientation
    except Exception:  # noqa: BLE001 - whatever the library says of foreign bytes, there is nothing to map to
        return None
    return film_geometry(rows, columns, corrections, orientation=orientation) if rows and columns else None


def _header(data: bytes) -> Dataset:
    from pydicom import dcmread  # noqa: PLC0415 - as above

    return dcmread(BytesIO(data), stop_before_pixels=True)
