"""From one evidence map a class to one map of the finding.

The finding's calibrated log-odds are L = logsumexp(z_c over its classes) - logsumexp(z_c over the others), where
z_c = logit_c / T + b_c. Each logit is the mean of its class's map plus a constant, and dL/dz_c is +w_c or -w_c, where w
is the softmax within the class's own group. So

    map = sum over the finding's classes of w_c E_c / T  -  sum over the others of w_c E_c / T

is L taken apart by place, to first order at this film: raise the maps by a small amount anywhere and L changes by
the mean of what ``map`` changes. With one class on each side w is 1 and the map is exact, not first-order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.model.decide import calibrated_logits, softmax
from pneumoscope.types.evidence import Evidence, zone_shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.lungs.segmentation import LungSegmentation
    from pneumoscope.model.schema import BundleMeta

__all__ = ["finding_evidence", "finding_map"]


def finding_evidence(
    maps: NDArray[np.float32],
    logits: NDArray[np.float32],
    meta: BundleMeta,
    frame: tuple[float, float, float, float],
    lungs: LungSegmentation | None = None,
) -> Evidence:
    """The evidence of one film, with its share by zone.

    Args:
        maps: float32 [C, h, w], as the graph gave them.
        logits: float32 [C], likewise.
        meta: Says which classes are the finding, and holds the calibrator.
        frame: What the network saw of the film: (top, left, bottom, right) in film pixels.
        lungs: The lung fields of the film, to say how much of the evidence lies in them.
    """
    joined = finding_map(maps, logits, meta)
    in_lungs = None if lungs is None or not lungs.enough else _share_in(joined, lungs.within(frame, joined.shape))
    return Evidence(map=joined, zones=zone_shares(joined), frame=frame, in_lungs=in_lungs)


def _share_in(evidence: NDArray[np.float32], lung: NDArray[np.float32]) -> float | None:
    """Share of the positive evidence that lies in the lungs; None if there is none.

    Args:
        evidence: float32 [h, w].
        lung: float32 [h, w], share of each place that is lung.
    """
    positive = np.maximum(evidence, 0.0).astype(np.float64)
    total = positive.sum()
    return float((positive * lung).sum() / total) if total > 0 else None


def finding_map(maps: NDArray[np.float32], logits: NDArray[np.float32], meta: BundleMeta) -> NDArray[np.float32]:
    """The finding's map in natural log-odds: float32 [h, w]."""
    slopes = _slopes(logits, meta) / meta.calibrator.temperature
    joined: NDArray[np.float32] = np.tensordot(slopes, maps.astype(np.float64), axes=1).astype(np.float32)
    return joined


def _slopes(logits: NDArray[np.float32], meta: BundleMeta) -> NDArray[np.float64]:
    """How the finding's log-odds change with each calibrated logit: float64 [C]."""
    scaled = calibrated_logits(logits, meta.calibrator)
    positive = np.array([c.positive for c in meta.classes])
    slopes = np.empty(len(positive))
    slopes[positive] = softmax(scaled[positive])
    slopes[~positive] = -softmax(scaled[~positive])
    return slopes
