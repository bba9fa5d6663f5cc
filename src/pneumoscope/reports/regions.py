"""Regions of the evidence: the places where most speaks for the finding, as closed outlines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from pneumoscope.reports.overlay import colour_scale_limit, region_level, resampled_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.types.radiograph import Radiograph
    from pneumoscope.types.reading import Reading

__all__ = ["EvidenceRegion", "evidence_level", "evidence_regions", "outlines"]

_GRID = 384  # cells of the longer side on which outlines are drawn
_TOLERANCE = 0.7  # cells by which a simplified outline may differ
_MOST = 5
_LEAST_SHARE = 0.02  # of the evidence for the finding; less is a speck


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceRegion:
    """One region.

    Attributes:
        outline: float64 [N, 2], corners (x, y) in pixels of the film as it was read, not closed: the last one joins the
            first.
        peak: The largest value in it, in log-odds.
        share: Of all the evidence for the finding, what lies in it; 0 to 1.
        level: The log-odds from which a place belongs to it.
    """

    outline: NDArray[np.float64]
    peak: float
    share: float
    level: float


def evidence_level(reading: Reading) -> float | None:
    """The log-odds from which a place of a reading's map belongs to a region; None where it has none.

    A film without the finding has none: where the little lies that speaks for it means nothing.
    """
    evidence, found = reading.evidence, reading.finding
    if evidence is None or evidence.map.size == 0 or found is None or found.call == f"no {found.name}":
        return None
    return region_level(float(evidence.map.max()), colour_scale_limit(evidence))


def evidence_regions(film: Radiograph, reading: Reading) -> tuple[EvidenceRegion, ...]:
    """The regions of a reading, the one with most of the evidence first.

    Args:
        film: As it was read.
        reading: Of it.
    """
    level = evidence_level(reading)
    if level is None or reading.evidence is None:
        return ()
    scale = min(1.0, _GRID / max(film.rows, film.columns))
    size = max(1, round(film.columns * scale)), max(1, round(film.rows * scale))
    values = resampled_map(reading.evidence, size, scale)
    total = float(np.maximum(values, 0).sum())
    made = []
    for outline in outlines(values >= level):
        inside = _inside(outline, size)
        share = float(values[inside].clip(min=0).sum()) / total
        if share < _LEAST_SHARE:
            continue
        places = outline * (film.columns / size[0], film.rows / size[1])
        made.append(EvidenceRegion(places, float(values[inside].max()), share, level))
    return tuple(sorted(made, key=lambda region: -region.share)[:_MOST])


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The outer outline of each 4-connected part of a mask, simplified (Douglas and Peucker 1973).

    Args:
        mask: bool [h, w].

    Returns:
        float64 [N, 2] each, (x, y) between cells, clockwise as seen. Corners are cut half way, so that a slope is a
        line and no staircase.
    """
    return [_simplified((loop + np.roll(loop, -1, axis=0)) / 2) for loop in _loops(mask) if _area(loop) > 0]


def _loops(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """The closed lines between mask and background, with the mask on the right hand."""
    padded = np.pad(mask, 1)
    here, up, left = padded[1:, 1:], padded[:-1, 1:], padded[1:, :-1]  # of each corner's cell below and right
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y, x in np.argwhere(here & ~up).tolist():  # the upper side of a cell: to the right
        edges.setdefault((x, y), []).append((x + 1, y))
    for y, x in np.argwhere(~here & up).tolist():  # the lower side: to the left
        edges.setdefault((x + 1, y), []).append((x, y))
    for y, x in np.argwhere(here & ~left).tolist():  # the left side: upwards
        edges.setdefault((x, y + 1), []).append((x, y))
    for y, x in np.argwhere(~here & left).tolist():  # the right side: downwards
        edges.setdefault((x, y), []).append((x, y + 1))
    loops = []
    while edges:
        start = next(iter(edges))
        place, step, loop = start, (0, 0), []
        while place in edges:
            loop.append(place)
            target = _turned_right(place, step, edges[place])
            edges[place].remove(target)
            if not edges[place]:
                del edges[place]
            step, place = (target[0] - place[0], target[1] - place[1]), target
            if place == start:
                break
        loops.append(np.array(loop, dtype=np.float64))
    return loops


def _turned_right(place: tuple[int, int], step: tuple[int, int], targets: list[tuple[int, int]]) -> tuple[int, int]:
    """Where two parts touch at a corner, the way that stays with this part."""
    right = place[0] - step[1], place[1] + step[0]
    return right if right in targets else targets[0]


def _area(loop: NDArray[np.float64]) -> float:
    """Positive where the mask is inside."""
    x, y = loop[:, 0], loop[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _simplified(loop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fewer corners, none of which lies further than the tolerance from the line."""
    far = int(((loop - loop[0]) ** 2).sum(axis=1).argmax())
    kept = {0, far}
    parts = [(0, far), (far, len(loop))]
    ring = np.vstack([loop, loop[:1]])
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        along = ring[last] - ring[first]
        away = ring[first + 1 : last] - ring[first]
        length = float(np.hypot(*along))
        off = np.hypot(*away.T) if length == 0 else np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length
        most = int(off.argmax())
        if off[most] > _TOLERANCE:
            middle = first + 1 + most
            kept.add(middle)
            parts += [(first, middle), (middle, last)]
    return loop[sorted(kept)]


def _inside(outline: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The cells whose middle lies in an outline: bool [h, w]."""
    drawn = Image.new("1", size)
    ImageDraw.Draw(drawn).polygon([(x - 0.5, y - 0.5) for x, y in outline.tolist()], fill=1)
    filled: NDArray[np.bool_] = np.asarray(drawn, dtype=np.bool_)
    return filled
