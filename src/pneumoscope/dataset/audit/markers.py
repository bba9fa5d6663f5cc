"""Markers: the letters, arrows and stickers that lie beside the chest, found as bright, compact spots near an edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Marker", "find_markers"]

_SIDE = 256  # pixels of the longer side that is searched
_STROKE = 13  # pixels: what is brighter than its surroundings within such a square stands out
_CONTRAST = 65.0  # gray levels of 255 above the surroundings
_STEEP = 75.0  # gray levels from one pixel to the next at a marker's edges; a rib's are softer
_EVEN = 40.0  # gray levels: spread of what lies around a marker
_FRAME = 0.2  # share of the film from each edge where markers lie
_LEAST, _MOST = 10, 900  # pixels
_LONGEST = 0.2  # share of the side that a marker may span


@dataclass(frozen=True, slots=True)
class Marker:
    """One bright spot near an edge, or several strokes that lie close together.

    Attributes:
        top: Of its box, as a share of the height; likewise ``bottom``.
        left: As a share of the width; likewise ``right``.
        area: Bright pixels as a share of the film.
    """

    top: float
    bottom: float
    left: float
    right: float
    area: float


def find_markers(film: NDArray[np.float32]) -> list[Marker]:
    """The markers of a film, largest first.

    The film less its opening (a white top-hat) keeps what is bright and narrow; of that, compact spots near an edge are
    taken that touch no edge along their whole length. Bones, skin folds and collimator edges are long or dim; some are
    found all the same, and faint or huge markers are missed: this is a statistic over many films, not a reader of
    letters.

    Args:
        film: [rows, columns], 0 to 255.
    """
    from scipy import ndimage  # noqa: PLC0415 - heavy, and only the audit needs it

    scale = _SIDE / max(film.shape)
    size = (max(8, round(film.shape[1] * scale)), max(8, round(film.shape[0] * scale)))
    small = np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BOX))
    surroundings = ndimage.grey_opening(small, size=(_STROKE, _STROKE), mode="nearest")
    bright = small - surroundings > _CONTRAST
    bright &= small > 0.6 * np.percentile(small, 99.5)
    spots, count = ndimage.label(ndimage.binary_dilation(bright, iterations=2))
    steep = np.maximum(*(np.abs(step) for step in np.gradient(small))) * 2
    rows, columns = small.shape
    found = []
    for number, box in enumerate(ndimage.find_objects(spots, count), start=1):
        strokes = bright[box] & (spots[box] == number)
        area = int(np.count_nonzero(strokes))
        marker = Marker(
            top=box[0].start / rows,
            bottom=box[0].stop / rows,
            left=box[1].start / columns,
            right=box[1].stop / columns,
            area=area / small.size,
        )
        fits = _LEAST <= area <= _MOST and _is_compact(marker) and _is_near_edge(marker)
        if fits and np.percentile(steep[box], 90) >= _STEEP and _ring(small, box).std() <= _EVEN:
            found.append(marker)
    return sorted(found, key=lambda marker: -marker.area)


def _ring(film: NDArray[np.float32], box: tuple[slice, slice]) -> NDArray[np.float32]:
    """The pixels of a frame two wide around a box; less where the box lies at the film's edge."""
    top, left = (max(0, side.start - 2) for side in box)
    around = film[top : box[0].stop + 2, left : box[1].stop + 2]
    inside = np.zeros(around.shape, dtype=bool)
    inside[box[0].start - top : box[0].stop - top, box[1].start - left : box[1].stop - left] = True
    return around[~inside]


def _is_compact(marker: Marker) -> bool:
    height, width = marker.bottom - marker.top, marker.right - marker.left
    return (
        max(height, width) <= _LONGEST
        and marker.area >= 0.12 * height * width
        and max(height, width) <= 4 * min(height, width)
    )


def _is_near_edge(marker: Marker) -> bool:
    across, down = (marker.left + marker.right) / 2, (marker.top + marker.bottom) / 2
    return min(across, 1 - across) <= _FRAME or min(down, 1 - down) <= _FRAME * 0.75
