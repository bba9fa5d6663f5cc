"""One reading on its way into DICOM: what every kind of result shares."""

from __future__ import annotations

from dataclasses import dataclass
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
        return made

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
