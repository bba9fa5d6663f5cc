"""The outline of the evidence as a Grayscale Softcopy Presentation State over the film (PS3.3 A.33.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.reports.dicom.source import UNICODE
from pneumoscope.reports.summary import percent

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing

__all__ = ["presentation_state"]

_LINE = 64  # characters of a line on the film


def presentation_state(filing: Filing) -> Dataset | None:
    """The film with the outlines and the call written on it; None of a refused film, or without the geometry."""
    from highdicom.pr import (  # noqa: PLC0415 - the extra, and slow to import
        GraphicAnnotation,
        GraphicLayer,
        GraphicObject,
        GrayscaleSoftcopyPresentationState,
        TextObject,
    )

    reading, geometry, found = filing.reading, filing.given.geometry, filing.reading.finding
    if geometry is None or found is None:
        return None
    header, uids = filing.image_header(display=True), filing.uids("gsps")
    layer = GraphicLayer(layer_name="EVIDENCE", order=1, description=reading.notice[:64])
    lines = [
        GraphicObject(
            graphic_type="POLYLINE",
            graphic_data=np.asarray(line, dtype=np.float32),
            units="PIXEL",
            tracking_id=f"region {number} of the evidence"[:64],
            tracking_uid=uids.tracking(f"region {number}"),
        )
        for number, (_, line) in enumerate(filing.outlines(), start=1)
    ]
    said = filing.said
    told = (
        reading.notice,
        f"{said.headline}: {percent(found.probability)}, {said.relation}",
        *said.population,
    )
    text = TextObject(
        text_value="\r\n".join(part for sentence in told for part in _wrapped(sentence)),
        units="DISPLAY",
        bounding_box=(0.02, 0.02, 0.6, 0.2),
        text_justification="LEFT",
    )
    note = GraphicAnnotation(
        referenced_images=[header], graphic_layer=layer, graphic_objects=lines or None, text_objects=[text]
    )
    state = GrayscaleSoftcopyPresentationState(
        referenced_images=[header],
        content_label="PNEUMOSCOPE",
        content_description=reading.notice[:64],
        graphic_annotations=[note],
        graphic_layers=[layer],
        concept_name=None,
        presentation_lut_transformation=_shape(filing),
        specific_character_set=UNICODE,
        **filing.place("gsps"),
    )
    return filing.finish(state, "outline")


def _shape(filing: Filing) -> Any:
    """MONOCHROME1 stays as it is shown: its lowest value is white (PS3.3 C.11.6)."""
    from highdicom.content import PresentationLUTTransformation  # noqa: PLC0415 - as above

    source = filing.source
    inverse = source is not None and source.header.get("PhotometricInterpretation") == "MONOCHROME1"
    return PresentationLUTTransformation(presentation_lut_shape="INVERSE" if inverse else "IDENTITY")


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= _LINE and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
