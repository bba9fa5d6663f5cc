"""What a report is given beside the reading."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pneumoscope.types.film_geometry import FilmGeometry
    from pneumoscope.types.operating_point import OperatingPointSummary
    from pneumoscope.types.population import Population
    from pneumoscope.types.radiograph import Radiograph

__all__ = ["ReportContext"]


@dataclass(frozen=True, slots=True)
class ReportContext:
    """Each part may be missing: the report is then made without it, and says so where it matters.

    Attributes:
        film: The picture as it was read (corrected: ``gate.apply_corrections``), for the formats that show it.
        meaning: Of the operating point, in the words of a report (``reading.meaning``).
        source: The film's file as it was kept. Where it is DICOM, reports refer to it and are filed in its study.
        created: When the film was read, aware; now, without it.
        finding: What a refused reading was about, which does not say so itself.
        population: For whom the bundle was made.
        geometry: Where the film as it was read lies in the stored picture, for what is drawn over that.
        lungs: bool [rows, columns], the lung fields of the film as it was read.
        facts: Of the film, as ``film.facts``, where the picture itself is not at hand.
    """

    film: Radiograph | None = None
    meaning: OperatingPointSummary | None = None
    source: bytes | None = None
    created: datetime | None = None
    finding: str = "pneumonia"
    population: Population | None = None
    geometry: FilmGeometry | None = None
    lungs: NDArray[np.bool_] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    def when(self) -> datetime:
        """When the film was read, in UTC, to the second.

        Raises:
            ValueError: The time has no zone.
        """
        moment = datetime.now(UTC) if self.created is None else self.created
        if moment.tzinfo is None:
            raise ValueError("the time of a report needs a zone")
        return moment.astimezone(UTC).replace(microsecond=0)
