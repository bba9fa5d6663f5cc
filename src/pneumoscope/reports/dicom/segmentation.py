"""The lung fields and the evidence above a level, as a binary Segmentation over the film's own pixels (PS3.3 A.51)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.reports.dicom.placement import stored_evidence, stored_mask
from pneumoscope.reports.dicom.source import UNICODE, our_scheme
from pneumoscope.reports.dicom.structured_report import concept
from pneumoscope.reports.regions import evidence_level
from pneumoscope.types.codes import CODES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing
    from pneumoscope.types.codes import Code

__all__ = ["segmentation"]


def segmentation(filing: Filing) -> Dataset | None:
    """The segments that a reading has: the lungs, the evidence; None if it has neither or there is nothing to lie over.

    Args:
        filing: Needs the geometry; the lungs for the one segment, film and map for the other.
    """
    from highdicom.seg import Segmentation  # noqa: PLC0415 - the extra, and slow to import

    reading, given = filing.reading, filing.given
    geometry, film = given.geometry, given.film
    if geometry is None or reading.finding is None:
        return None
    masks: list[NDArray[np.bool_]] = []
    segments: list[Any] = []
    if given.lungs is not None:
        masks.append(stored_mask(given.lungs, geometry))
        segments.append(_segment(filing, 1, "Lung fields", CODES["anatomical structure"], CODES["lung"]))
    level = evidence_level(reading)
    if level is not None and film is not None and reading.evidence is not None:
        values = stored_evidence(reading.evidence, film, geometry, (geometry.rows, geometry.columns))
        masks.append(values >= level)
        label = f"Evidence for {reading.finding.name} from {level:.2g} log-odds"
        kind = CODES["region of the evidence"]
        segments.append(_segment(filing, len(masks), label, CODES["spatial concept"], kind))
    if not any(mask.any() for mask in masks):
        return None
    made = Segmentation(
        source_images=[filing.image_header()],
        pixel_array=np.stack(masks, axis=-1)[None],
        segmentation_type="BINARY",
        segment_descriptions=segments,
        content_label="PNEUMOSCOPE",
        content_description=reading.notice,
        specific_character_set=UNICODE,
        **filing.place("seg"),
    )
    made.PatientOrientation = ""  # of the film, which may not tell it (type 2C)
    made.CodingSchemeIdentificationSequence = [our_scheme(reading)]
    return filing.finish(made, "segmentation")


def _segment(filing: Filing, number: int, label: str, category: Code, kind: Code) -> Any:
    from highdicom import AlgorithmIdentificationSequence  # noqa: PLC0415 - as above
    from highdicom.seg import SegmentDescription  # noqa: PLC0415
    from pydicom.sr.codedict import codes  # noqa: PLC0415

    software, model = filing.reading.software, filing.reading.model
    return SegmentDescription(
        segment_number=number,
        segment_label=label[:64],
        segmented_property_category=concept(category),
        segmented_property_type=concept(kind),
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=(model.name if model else software.name)[:64],
            family=codes.DCM.ArtificialIntelligence,
            version=(model.version if model else software.version)[:64],
            parameters=None if model is None else {"sha256": model.sha256},
        ),
        tracking_id=label[:64],
        tracking_uid=filing.uids("seg").tracking(label),
    )
