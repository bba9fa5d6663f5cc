"""The DICOM object that a film came from, as far as reports need it: references, patient and study, no pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from pneumoscope.quiet import quietly

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Source", "source_of"]

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_MODALITY = re.compile(r"[A-Z]{2,16}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a DICOM film stands.

    Attributes:
        study: Study Instance UID.
        series: Series Instance UID.
        instance: SOP Instance UID.
        sop_class: SOP Class UID.
        modality: "CR", "DX", ...; "OT" if the file does not say.
        header: All of the file but its pixels.
    """

    study: str
    series: str
    instance: str
    sop_class: str
    modality: str
    header: Dataset


def source_of(data: bytes | None) -> Source | None:
    """The DICOM object in a file's bytes; None if it is no DICOM, or has no valid references to give.

    Args:
        data: The whole file, or None.
    """
    if not data or data[128:132] != b"DICM":
        return None
    from pydicom import dcmread  # noqa: PLC0415 - slow to import, and most films are not DICOM

    try:
        with quietly():
            header = dcmread(BytesIO(data), stop_before_pixels=True)
            keywords = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
            uids = [str(header.get(keyword, "") or "") for keyword in keywords]
            modality = str(header.get("Modality", "") or "")
    except Exception:  # noqa: BLE001 - whatever the library says of foreign bytes, there is nothing to refer to
        return None
    if not all(_UID.fullmatch(uid) and len(uid) <= 64 for uid in uids):
        return None
    study, series, instance, sop_class = uids
    known = modality if _MODALITY.fullmatch(modality) else "OT"
    return Source(study=study, series=series, instance=instance, sop_class=sop_class, modality=known, header=header)
