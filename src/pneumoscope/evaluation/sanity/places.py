"""Is it the same corner in each film? The mean map, its peaks and its edges."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.evaluation.measured import mean_of, share_of
from pneumoscope.evaluation.sanity.result import MeanMapOf, Places
from pneumoscope.resample import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.sanity.network import Seen
    from pneumoscope.evaluation.sanity.result import Grid

    Values = NDArray[np.floating[Any]]

__all__ = ["alikeness", "edge_weights", "places", "spread"]

_IMAGE = 48  # side of the mean picture in the result
_EDGE = 0.1  # of each side
_FILMS = "sanity"


def places(seen: Sequence[Seen], finding: str, *, rng: np.random.Generator) -> Places | None:
    """Compare the maps of films.

    Args:
        seen: All films with their maps.
        finding: Its name.
        rng: For the bootstrap.

    Returns:
        None if fewer than two films have the finding.
    """
    groups = {f"with {finding}": True, f"without {finding}": False}
    means = tuple(
        _mean_map(name, part) for name, kind in groups.items() if (part := [s for s in seen if s.positive is kind])
    )
    sick = [one for one in seen if one.positive]
    if len(sick) < 2:
        return None
    people = [one.patient for one in sick]
    maps = np.stack([one.map for one in sick]).astype(np.float64)  # [N, h, w]
    peaks = Counter(int(one.argmax()) for one in maps)
    peak, _ = min(peaks.items(), key=lambda item: (-item[1], item[0]))
    row, column = divmod(peak, maps.shape[2])
    positive = np.maximum(maps, 0)
    weights = edge_weights(maps.shape[1], maps.shape[2])
    held = [(p * weights).sum() / p.sum() for p in positive if p.sum() > 0]
    owners = [who for who, p in zip(people, positive, strict=True) if p.sum() > 0]
    return Places(
        films=len(sick),
        means=means,
        alike=mean_of("rank correlation of two films", alikeness(maps), people, _FILMS, rng=rng),
        same_peak=share_of("greatest evidence in the commonest place", [m.argmax() == peak for m in maps], _FILMS),
        peak=(row, column),
        peaks=len(peaks),
        cells=int(maps[0].size),
        spread=mean_of("spread", [spread(p) for p in positive if p.sum() > 0], owners, _FILMS, rng=rng),
        spread_of_mean=spread(np.maximum(maps.mean(axis=0), 0)),
        edge=mean_of("evidence at the edge", held, owners, _FILMS, rng=rng),
        edge_area=float(weights.mean()),
    )


def alikeness(maps: Values) -> list[float]:
    """For each film the mean rank correlation of its map with all others: [N], of maps [N, h, w], N of 2 or more."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to import

    ranks = np.stack([rankdata(one) for one in maps])  # [N, cells]
    ranks -= ranks.mean(axis=1, keepdims=True)
    size = np.linalg.norm(ranks, axis=1, keepdims=True)
    unit = np.divide(ranks, size, out=np.zeros_like(ranks), where=size > 0)
    with_all = unit @ unit.sum(axis=0) - (unit**2).sum(axis=1)
    means: list[float] = (with_all / (len(maps) - 1)).tolist()
    return means


def spread(positive: Values) -> float:
    """Participation ratio of a map that is nowhere negative, 1/cells (a point) to 1 (even); 0 for an empty map."""
    total, squares = float(positive.sum()), float((positive**2).sum())
    return total**2 / (positive.size * squares) if squares > 0 else 0.0


def edge_weights(rows: int, columns: int) -> NDArray[np.float64]:
    """Share of each place that lies in the outermost tenth of the picture: float64 [rows, columns]."""
    inner = []
    for n in (rows, columns):
        start = np.arange(n) / n
        inner.append(np.clip(np.minimum(start + 1 / n, 1 - _EDGE) - np.maximum(start, _EDGE), 0, None) * n)
    outer: NDArray[np.float64] = 1 - np.outer(*inner)
    return outer


def _mean_map(name: str, part: Sequence[Seen]) -> MeanMapOf:
    picture = np.mean([one.picture for one in part], axis=0)
    small = resize(np.rint(picture * 65535).astype(np.uint16), _IMAGE, _IMAGE) / 257
    evidence = np.mean([one.map for one in part], axis=0)
    return MeanMapOf(name, len(part), _grid(small, 1), _grid(evidence, 4))


def _grid(values: Values, digits: int) -> Grid:
    return tuple(tuple(round(float(v), digits) for v in row) for row in values)
