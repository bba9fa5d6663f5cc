"""What a report may need beside the reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pneumoscope.domain.meaning import Meaning
    from pneumoscope.domain.radiograph import Radiograph

__all__ = ["Given"]


@dataclass(frozen=True, slots=True)
class Given:
    """Each part may be missing: the report is then made without it, and says so where it matters.

    Attributes:
        film: The picture as it was read (mended: ``gate.remended``), for the formats that show it.
        meaning: Of the operating point, in the words of a report (``reading.meaning``).
        source: The film's file as it was kept. Where it is DICOM, reports refer to it and are filed in its study.
        created: When the film was read, aware; now, without it.
        finding: What a refused reading was about, which does not say so itself.
    """

    film: Radiograph | None = None
    meaning: Meaning | None = None
    source: bytes | None = None
    created: datetime | None = None
    finding: str = "pneumonia"

    def when(self) -> datetime:
        """When the film was read, in UTC, to the second.

        Raises:
            ValueError: The time has no zone.
        """
        moment = datetime.now(UTC) if self.created is None else self.created
        if moment.tzinfo is None:
            raise ValueError("the time of a report needs a zone")
        return moment.astimezone(UTC).replace(microsecond=0)
