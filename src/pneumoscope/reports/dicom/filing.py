"""One reading on its way into DICOM: what every kind of result shares."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from pneumoscope.reports.dicom.source import UNICODE, ResultUids, set_times, source_header
from pneumoscope.reports.regions import evidence_regions
from pneumoscope.reports.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.source import DicomSource
    from pneumoscope.reports.regions import EvidenceRegion
    from pneumoscope.reports.summary import ReportContext, Summary
    from pneumoscope.types.reading import Reading

__all__ = ["Filing"]

_DISPLAY = (("RescaleSlope", "RescaleIntercept"), ("WindowCenter", "WindowWidth"))
"""What belongs together of how values are shown; the first of several windows is taken."""

_SERIES = 9801  # far from the numbers that modalities give
_ORDER = ("sr", "sc", "gsps", "seg", "map", "pdf", "kos")
_RESEARCH = "research use only"


@dataclass(frozen=True, slots=True)
class Filing:
    """A reading, its film and where both are filed.

    Attributes:
        reading: Read or refused.
        given: What reports are given.
        said: The reading in words.
        source: The film's DICOM object; None for another film.
        header: Patient and study, cleaned; see ``source_header``.
    """

    reading: Reading
    given: ReportContext
    said: Summary
    source: DicomSource | None
    header: Dataset

    @classmethod
    def of(cls, reading: Reading, given: ReportContext, source: DicomSource | None) -> Filing:
        """Of a reading.

        Args:
            reading: Read or refused.
            given: What reports are given.
            source: The film's DICOM object, or None.
        """
        return cls(reading, given, summarize(reading, given), source, source_header(reading, source))

    def uids(self, kind: str) -> ResultUids:
        """Of a kind of result."""
        return ResultUids.of(kind, self.reading, self.source)

    def place(self, kind: str) -> dict[str, Any]:
        """The arguments of highdicom's constructors that name series, instance and device."""
        uids, software, model = self.uids(kind), self.reading.software, self.reading.model
        return {
            "series_instance_uid": uids.series,
            "series_number": _SERIES + _ORDER.index(kind),
            "sop_instance_uid": uids.instance,
            "instance_number": 1,
            "manufacturer": software.name,
            "manufacturer_model_name": (f"{model.name} {model.version}" if model else software.name)[:64],
            "software_versions": software.version[:64],
            "device_serial_number": model.sha256 if model else "none",
        }

    def finish(self, made: Dataset, title: str) -> Dataset:
        """The same in every object: its title, its times, its character set.

        Args:
            made: The object; it is changed.
            title: Of the series: "report".
        """
        when = self.given.when()
        set_times(made, when)
        made.SeriesDescription = f"{self.reading.software.name} {title}, {_RESEARCH}"[:64]
        made.SpecificCharacterSet = UNICODE
        if made.Modality in {"OT", "PR"} and "Laterality" not in made:
            made.Laterality = ""  # both lungs (PS3.3 C.7.3.1, type 2C)
        return made

    def image_header(self, *, display: bool = False) -> Dataset:
        """The film as an image that others refer to: no pixels.

        Args:
            display: With how its values are to be shown (rescaling and window), where it tells that.
        """
        header = deepcopy(self.header)
        geometry, source = self.given.geometry, self.source
        header.Modality = "OT" if source is None else source.modality
        if geometry is not None:
            header.Rows, header.Columns = geometry.rows, geometry.columns
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        if source is not None and display:
            for keywords in _DISPLAY:
                values = [_numbers(source.header.get(keyword)) for keyword in keywords]
                if all(values) and len({len(each) for each in values}) == 1:
                    for keyword, value in zip(keywords, values, strict=True):
                        setattr(header, keyword, value[0])
            if "RescaleSlope" in header:
                header.RescaleType = "US"
        return header

    def spacing(self) -> tuple[float, float] | None:
        """Of the stored rows and columns in mm, where the film tells it."""
        for keyword in ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
            told = () if self.source is None else _numbers(self.source.header.get(keyword))
            if len(told) == 2 and min(told) > 0:
                return told[0], told[1]
        return None

    def referred(self) -> Dataset:
        """A reference to the film (PS3.3 table 10-11)."""
        from pydicom.dataset import Dataset  # noqa: PLC0415 - slow to import

        item = Dataset()
        item.ReferencedSOPClassUID = self.header.SOPClassUID
        item.ReferencedSOPInstanceUID = self.header.SOPInstanceUID
        return item

    def regions(self) -> tuple[EvidenceRegion, ...]:
        """The regions of the evidence, where the film is at hand."""
        film = self.given.film
        return () if film is None else evidence_regions(film, self.reading)

    def outlines(self) -> Sequence[tuple[EvidenceRegion, Any]]:
        """The regions with their outlines in the stored picture, closed: float64 [N + 1, 2], (column, row)."""
        import numpy as np  # noqa: PLC0415 - as the other parts

        geometry = self.given.geometry
        if geometry is None or self.source is None:
            return ()
        placed = []
        for region in self.regions():
            line = geometry.to_stored(np.vstack([region.outline, region.outline[:1]]))
            placed.append((region, np.clip(line, 0, (geometry.columns, geometry.rows))))
        return placed


def _numbers(value: Any) -> tuple[float, ...]:
    """The numbers of an attribute; none where one is no number."""
    try:
        numbers = tuple(float(each) for each in (value if isinstance(value, Iterable) else [value]))
    except (TypeError, ValueError):
        return ()
    return numbers if all(isfinite(each) for each in numbers) else ()
