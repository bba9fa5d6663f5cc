"""A Key Object Selection that flags a film that was called (PS3.3 A.35.4; PS3.16 TID 2010), for worklists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.reports.dicom.source import UNICODE
from pneumoscope.reports.dicom.structured_report import observer
from pneumoscope.reports.summary import percent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing

__all__ = ["key_object_selection"]


def key_object_selection(filing: Filing) -> Dataset | None:
    """The film as "Of Interest", with why; None of a film that was not called, refused or forced."""
    from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument  # noqa: PLC0415 - the extra, slow to import
    from pydicom.sr.codedict import codes  # noqa: PLC0415

    reading, found, said = filing.reading, filing.reading.finding, filing.said
    if found is None or said.tone != "called" or filing.source is None:
        return None
    why = (f"{said.headline}: {percent(found.probability)}, {said.relation}.", reading.notice, *said.population)
    made = KeyObjectSelectionDocument(
        evidence=[filing.image_header()],
        content=KeyObjectSelection(
            document_title=codes.DCM.OfInterest,
            referenced_objects=[filing.image_header()],
            observer_device_context=observer(filing),
            description=" ".join(why),
        ),
        specific_character_set=UNICODE,
        **filing.place("kos"),
    )
    return filing.finish(made, "urgent")
