"""Does the evidence lie on the lesion? Asked of phantoms, whose lesions are known to the pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.evaluation.measured import area_under, mean_of, share_of
from pneumoscope.evaluation.pool import stream
from pneumoscope.evaluation.sanity.result import Phantoms
from pneumoscope.films.phantom import draw_phantom
from pneumoscope.resample import resize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from pneumoscope.evaluation.sanity.network import Network
    from pneumoscope.evaluation.sanity.places import Values
    from pneumoscope.films.phantom import Kind

    _Answer = tuple[float, float, "Overlap", "Overlap"]

__all__ = ["Overlap", "cover_of", "overlap_of", "point_at_phantoms"]

_KINDS: tuple[Kind, ...] = ("bacterial", "viral")


@dataclass(frozen=True, slots=True)
class Overlap:
    """One map against one lesion; each figure beside what chance gives.

    Attributes:
        hit: The greatest evidence lies in a place that the lesion touches.
        touched: Share of the places that the lesion touches.
        share: Share of the positive evidence in the lesion; None without positive evidence.
        area: Share of the picture that is lesion.
        iou: Of the lesion and as many of the highest places as fill its area.
        iou_by_chance: Of as many random places.
    """

    hit: bool
    touched: float
    share: float | None
    area: float
    iou: float
    iou_by_chance: float


def point_at_phantoms(
    network: Network,
    count: int,
    *,
    first_seed: int = 0,
    rows: int = 384,
    rng: np.random.Generator,
    threads: int = 1,
    watch: Callable[[Iterator[_Answer | None]], Iterable[_Answer | None]] = iter,
) -> Phantoms:
    """Draw children with and without a lesion, read both, and see where the evidence lies.

    The frame of the film without the lesion is its own: where a bundle frames by the lungs, the change of the
    evidence is taken on the grid of the film with the lesion, whose place in the body is the same to within the
    difference of the two boxes.

    Args:
        network: The bundle.
        count: Children; bacterial and viral lesions take turns.
        first_seed: Of the phantoms.
        rows: Height of the drawings in pixels.
        rng: For the bootstrap.
        threads: Drawings at once.
        watch: Passes the children's answers on, for a bar.
    """

    def one(number: int) -> _Answer | None:
        seed = first_seed + number
        sick, well = draw_phantom(seed, _KINDS[number % 2], rows=rows), draw_phantom(seed, "normal", rows=rows)
        with_it = network.see(sick.radiograph())
        without = network.see(well.radiograph())
        cover = cover_of(sick.lesion, with_it.frame, with_it.map.shape)
        if cover.sum() <= 0:
            return None  # the lesion lies outside the frame
        change = with_it.map.astype(np.float64) - without.map
        return with_it.probability, without.probability, overlap_of(with_it.map, cover), overlap_of(change, cover)

    found = [answer for answer in watch(stream(one, range(count), threads)) if answer is not None]
    maps, changes = [row[2] for row in found], [row[3] for row in found]
    scores = [row[0] for row in found] + [row[1] for row in found]
    truth = [True] * len(found) + [False] * len(found)
    pairs = np.array([*range(len(found))] * 2)

    def mean(name: str, values: list[float]) -> Any:
        return mean_of(name, values, None, "phantoms", rng=rng)

    return Phantoms(
        films=len(found),
        auc=area_under("AUC on phantoms", truth, scores, pairs, "phantoms"),
        pointing=share_of("pointing game", [o.hit for o in maps], "phantoms"),
        pointing_by_chance=mean("pointing game by chance", [o.touched for o in maps]),
        share=mean("evidence in the lesion", [o.share for o in maps if o.share is not None]),
        share_by_chance=mean("area of the lesion", [o.area for o in maps]),
        overlap=mean("overlap with the lesion", [o.iou for o in maps]),
        overlap_by_chance=mean("overlap by chance", [o.iou_by_chance for o in maps]),
        change_share=mean("gained evidence in the lesion", [o.share for o in changes if o.share is not None]),
        change_pointing=share_of("pointing game of the gained evidence", [o.hit for o in changes], "phantoms"),
    )


def cover_of(
    mask: NDArray[np.bool_], frame: tuple[float, float, float, float], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Share of each place of a map that a mask covers.

    Args:
        mask: bool [rows, columns], at film size.
        frame: The part of the film under the map: (top, left, bottom, right) in film pixels.
        shape: (h, w) of the map.

    Returns:
        float32 [h, w], 0 to 1.
    """
    # Eight times as fine first, then means: the triangle filter alone would bleed far into neighbouring places.
    fine = resize(mask.astype(np.uint8) * np.uint8(255), shape[0] * 8, shape[1] * 8, frame) / np.float32(255)
    cover: NDArray[np.float32] = fine.reshape(shape[0], 8, shape[1], 8).mean(axis=(1, 3))
    return cover


def overlap_of(evidence: Values, cover: Values) -> Overlap:
    """Compare a map with a lesion on the same grid.

    Args:
        evidence: [h, w].
        cover: [h, w], share of each place that is lesion; not all 0.
    """
    flat, lesion = evidence.ravel().astype(np.float64), cover.ravel().astype(np.float64)
    positive = np.maximum(flat, 0)
    total = float(positive.sum())
    touches = lesion > 0.05
    touches[int(lesion.argmax())] = True  # a lesion smaller than a place still has one
    size = float(lesion.sum())
    count = max(1, round(size))
    top = np.argsort(-flat, kind="stable")[:count]
    shared = float(lesion[top].sum())
    by_chance = count * size / lesion.size
    return Overlap(
        hit=bool(touches[int(flat.argmax())]),
        touched=float(touches.mean()),
        share=float(positive @ lesion) / total if total > 0 else None,
        area=size / lesion.size,
        iou=shared / (count + size - shared),
        iou_by_chance=by_chance / (count + size - by_chance),
    )
