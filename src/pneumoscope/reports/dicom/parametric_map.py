"""The evidence as a Parametric Map in log-odds (PS3.3 A.75), 32-bit floating point, over the whole stored picture.

A radiograph has no place in the patient: the map's frame of reference is of its own, the plane of the detector. Its
origin is the outer corner of the first stored pixel; its axes say which way the patient lies on a frontal film that is
looked at as if facing the patient. Where the film tells no pixel spacing, one film pixel counts as 1 mm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.reports.dicom.placement import stored_evidence
from pneumoscope.reports.dicom.source import UNICODE, our_scheme, uid
from pneumoscope.reports.dicom.structured_report import concept
from pneumoscope.reports.overlay import colour_scale_limit
from pneumoscope.types.codes import CODES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from pneumoscope.reports.dicom.filing import Filing
    from pneumoscope.types.film_geometry import FilmGeometry

__all__ = ["parametric_map"]

_LONGEST = 512  # places of the map's longer side; the network's own grid is far coarser
_EXTREME = 1e4  # log-odds beyond any map's


def parametric_map(filing: Filing) -> Dataset | None:
    """The map of a reading; None of a refused one, or without its film and geometry."""
    from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence  # noqa: PLC0415
    from highdicom.content import VOILUTTransformation  # noqa: PLC0415
    from highdicom.pm import ParametricMap, RealWorldValueMapping  # noqa: PLC0415

    reading, film, geometry = filing.reading, filing.given.film, filing.given.geometry
    evidence, found = reading.evidence, reading.finding
    if evidence is None or found is None or evidence.map.size == 0 or film is None or geometry is None:
        return None
    scale = min(1.0, _LONGEST / max(geometry.rows, geometry.columns))
    rows, columns = max(1, round(geometry.rows * scale)), max(1, round(geometry.columns * scale))
    values = stored_evidence(evidence, film, geometry, (rows, columns))
    header = filing.image_header()
    down, across = filing.spacing() or (1.0, 1.0)
    spacing = (down * geometry.rows / rows, across * geometry.columns / columns)
    right, below = _axes(geometry)
    position = right * spacing[1] / 2 + below * spacing[0] / 2
    header.FrameOfReferenceUID = uid(f"frame of reference {header.SOPInstanceUID}")
    header.PositionReferenceIndicator = ""
    header.ImagePositionPatient, header.ImageOrientationPatient = position.tolist(), [*right, *below]
    header.PixelSpacing, header.SliceThickness = list(spacing), 1.0
    limit = colour_scale_limit(evidence)
    mapping = RealWorldValueMapping(
        lut_label="EVIDENCE",
        lut_explanation=f"Evidence for {found.name} in natural log-odds"[:64],
        unit=concept(CODES["no units"]),
        value_range=(-_EXTREME, _EXTREME),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concept(CODES["evidence"]),
    )
    made = ParametricMap(
        source_images=[header],
        pixel_array=values[None].astype(np.float32),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.0, window_width=2 * limit)],
        content_label="EVIDENCE",
        content_description=f"{reading.notice} Plane of the detector"[:64],
        pixel_measures=PixelMeasuresSequence(pixel_spacing=spacing, slice_thickness=1.0),
        plane_orientation=PlaneOrientationSequence("PATIENT", [*right, *below]),
        plane_positions=[PlanePositionSequence("PATIENT", position.tolist())],
        specific_character_set=UNICODE,
        **filing.place("map"),
    )
    made.CodingSchemeIdentificationSequence = [our_scheme(reading)]
    return filing.finish(made, "evidence map")


def _axes(geometry: FilmGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of the stored rows and columns in the patient's axes (left, back, head): float64 [3] each."""
    back = geometry.from_stored
    axes = []
    for x, y in (back[:2, 0], back[:2, 1]):
        length = float(np.hypot(x, y))
        axes.append(np.array([x / length, 0.0, -y / length]) + 0.0)
    return axes[0], axes[1]
