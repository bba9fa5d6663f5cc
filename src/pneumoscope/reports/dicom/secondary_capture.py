"""The film with its evidence, a legend and the notice burned in, as a picture that every viewer shows.

Secondary Capture Image (PS3.3 A.8.1), 8 bits RGB, not compressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.reports.dicom.source import UNICODE
from pneumoscope.reports.overlay import overlay, refused_sheet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing

__all__ = ["secondary_capture"]


def secondary_capture(filing: Filing) -> Dataset | None:
    """The picture of a reading; of a refused one, that it was refused and why; None where there is nothing to draw.

    Args:
        filing: A reading that was read needs its film and its map.
    """
    from highdicom.sc import SCImage  # noqa: PLC0415 - the extra, and slow to import

    reading, film, header = filing.reading, filing.given.film, filing.header
    if reading.status == "refused":
        sheet = refused_sheet(film, reading, filing.said.population)
    elif film is None or reading.evidence is None or reading.evidence.map.size == 0:
        return None
    else:
        sheet = overlay(film, reading, filing.said.population)
    picture = SCImage(
        pixel_array=np.asarray(sheet, dtype=np.uint8),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=header.StudyInstanceUID,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        referring_physician_name=header.ReferringPhysicianName,
        patient_orientation=("L", "F"),
        specific_character_set=UNICODE,
        **filing.place("sc"),
    )
    picture.BurnedInAnnotation = "YES"
    picture.ImageType = ["DERIVED", "SECONDARY"]
    picture.DerivationDescription = f"Film with the evidence of a program. {reading.notice}"
    if filing.source is not None:
        picture.SourceImageSequence = [filing.referred()]
    return filing.finish(picture, "overlay")
