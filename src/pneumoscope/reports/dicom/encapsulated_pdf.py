"""The PDF report as a DICOM object (Encapsulated PDF, PS3.3 A.45.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pneumoscope.reports import pdf
from pneumoscope.reports.dicom.source import UNICODE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing

__all__ = ["encapsulated_pdf"]

_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(filing: Filing) -> Dataset:
    """The page of a reading, read or refused."""
    from highdicom.base import SOPClass  # noqa: PLC0415 - the extra, and slow to import
    from pydicom.uid import ExplicitVRLittleEndian  # noqa: PLC0415

    reading, header = filing.reading, filing.header
    page = pdf.write(reading, filing.given)
    made = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        sop_class_uid=_SOP_CLASS,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex=header.PatientSex,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate,
        study_time=header.StudyTime,
        referring_physician_name=header.ReferringPhysicianName,
        specific_character_set=UNICODE,
        **filing.place("pdf"),
    )
    made.ConversionType = "SYN"
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation = "YES"
    made.RecognizableVisualFeatures = "NO"
    made.DocumentTitle = f"{filing.said.headline}. {reading.notice}"[:64]
    made.ConceptNameCodeSequence = []
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(page)
    made.EncapsulatedDocument = page + b"\0" * (len(page) % 2)
    if filing.source is not None:
        made.SourceInstanceSequence = [filing.referred()]
    return filing.finish(made, "PDF")
