"""The evidence map of a reading, and its share by lung zone.

The evidence of class c is a map whose mean over all places, plus a constant, is the logit of c
(class activation mapping at a global-average head; Zhou et al., CVPR 2016, section 2). It is the
decision itself and not an after-the-fact guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ZONES", "Evidence", "zone_shares"]

ZONES = ("right upper", "right middle", "right lower", "left upper", "left middle", "left lower")
"""Six zones: thirds of the map's height by halves of its width; of the lungs' box where the map is framed by it.

Radiological convention: a frontal film is looked at as if facing the patient, so the patient's
right is on the left of the picture. The zones are of the picture; a mirrored film mirrors them.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The evidence for the finding against its absence.

    Attributes:
        map: float32 [h, w], in units of the logit (natural log-odds); positive speaks for the finding.
        zones: Share of the positive evidence in each of ``ZONES``; sums to 1, or all 0 if there is none.
        frame: The part of the film that the map covers, as (top, left, bottom, right) in film pixels.
        in_lungs: Share of the positive evidence that lies in the lung fields; None if they are not known, or if
            there is no positive evidence.
    """

    map: NDArray[np.float32]
    zones: dict[str, float]
    frame: tuple[float, float, float, float]
    in_lungs: float | None = None


def zone_shares(evidence: NDArray[np.float32]) -> dict[str, float]:
    """Share of the positive evidence by zone.

    A cell that straddles two zones gives to each what overlaps it, so that any map size works.

    Args:
        evidence: float32 [h, w].
    """
    positive = np.maximum(np.asarray(evidence, dtype=np.float64), 0.0)
    total = positive.sum()
    if total <= 0:
        return dict.fromkeys(ZONES, 0.0)
    by_zone = _overlap(positive.shape[0], 3) @ positive @ _overlap(positive.shape[1], 2).T  # [3, 2]
    # The picture's left half is the patient's right.
    return dict(zip(ZONES, (by_zone / total).T.ravel().tolist(), strict=True))


def _overlap(cells: int, parts: int) -> NDArray[np.float64]:
    """Share of each of ``cells`` equal intervals in each of ``parts`` equal ones: float64 [parts, cells]."""
    edges = np.linspace(0, cells, parts + 1)
    start = np.arange(cells)
    low = np.maximum(edges[:-1, None], start[None])
    high = np.minimum(edges[1:, None], start[None] + 1)
    shares: NDArray[np.float64] = np.maximum(high - low, 0.0)
    return shares
