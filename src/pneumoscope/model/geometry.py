"""Where a film as it was read lies in its DICOM object's pixels."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from pneumoscope.quality.corrections import film_geometry
from pneumoscope.quiet import capture_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from pneumoscope.types.correction import Correction
    from pneumoscope.types.film_geometry import FilmGeometry

__all__ = ["stored_geometry"]


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
