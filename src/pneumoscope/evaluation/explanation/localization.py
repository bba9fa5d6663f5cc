"""Mean evidence maps over films, and the pointing game on phantoms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pneumoscope.evaluation.explanation.result import BoxEvidence, MeanMapOfGroup, MeanMaps, PointingGame
from pneumoscope.evaluation.inference import ordered_map
from pneumoscope.films.resample import resize
from pneumoscope.phantom.draw import draw_phantom
from pneumoscope.stats.metrics import auc_metric, mean_metric, proportion_metric

__all__ = [
    "BoxedFilm",
    "Overlap",
    "boxed_film",
    "boxes_mask",
    "cover_of",
    "edge_weights",
    "map_similarity",
    "overlap_of",
    "pointing_game",
    "spread",
    "summarize_boxes",
    "summarize_mean_maps",
]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.network import FilmEvidence
    from pneumoscope.evaluation.explanation.result import Grid
    from pneumoscope.stats.metrics import Metric

    Values = NDArray[np.floating[Any]]


_IMAGE = 48  # side of the mean picture in the result
_EDGE = 0.1  # of each side
_FILMS = "sanity"


def summarize_mean_maps(seen: Sequence[FilmEvidence], finding: str, *, rng: np.random.Generator) -> MeanMaps | None:
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
    return MeanMaps(
        films=len(sick),
        means=means,
        alike=mean_metric("rank correlation of two films", map_similarity(maps), people, _FILMS, rng=rng),
        same_peak=proportion_metric(
            "greatest evidence in the commonest place", [m.argmax() == peak for m in maps], people, _FILMS
        ),
        peak=(row, column),
        peaks=len(peaks),
        cells=int(maps[0].size),
        spread=mean_metric("spread", [spread(p) for p in positive if p.sum() > 0], owners, _FILMS, rng=rng),
        spread_of_mean=spread(np.maximum(maps.mean(axis=0), 0)),
        edge=mean_metric("evidence at the edge", held, owners, _FILMS, rng=rng),
        edge_area=float(weights.mean()),
    )


def map_similarity(maps: Values) -> list[float]:
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


def _mean_map(name: str, part: Sequence[FilmEvidence]) -> MeanMapOfGroup:
    picture = np.mean([one.picture for one in part], axis=0)
    small = resize(np.rint(picture * 65535).astype(np.uint16), _IMAGE, _IMAGE) / 257
    evidence = np.mean([one.map for one in part], axis=0)
    return MeanMapOfGroup(name, len(part), _grid(small, 1), _grid(evidence, 4))


def _grid(values: Values, digits: int) -> Grid:
    return tuple(tuple(round(float(v), digits) for v in row) for row in values)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.network import OpenBundle
    from pneumoscope.phantom.draw import Kind

    _Answer = tuple[float, float, "Overlap", "Overlap"]


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


def pointing_game(
    network: OpenBundle,
    count: int,
    *,
    first_seed: int = 0,
    rows: int = 384,
    rng: np.random.Generator,
    threads: int = 1,
    watch: Callable[[Iterator[_Answer | None]], Iterable[_Answer | None]] = iter,
) -> PointingGame:
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

    found = [answer for answer in watch(ordered_map(one, range(count), threads)) if answer is not None]
    maps, changes = [row[2] for row in found], [row[3] for row in found]
    scores = [row[0] for row in found] + [row[1] for row in found]
    truth = [True] * len(found) + [False] * len(found)
    pairs = np.array([*range(len(found))] * 2)

    def mean(name: str, values: list[float]) -> Any:
        return mean_metric(name, values, None, "phantoms", rng=rng)

    return PointingGame(
        films=len(found),
        auc=auc_metric("AUC on phantoms", truth, scores, pairs, "phantoms"),
        pointing=proportion_metric("pointing game", [o.hit for o in maps], None, "phantoms"),
        pointing_by_chance=mean("pointing game by chance", [o.touched for o in maps]),
        share=mean("evidence in the lesion", [o.share for o in maps if o.share is not None]),
        share_by_chance=mean("area of the lesion", [o.area for o in maps]),
        overlap=mean("overlap with the lesion", [o.iou for o in maps]),
        overlap_by_chance=mean("overlap by chance", [o.iou_by_chance for o in maps]),
        change_share=mean("gained evidence in the lesion", [o.share for o in changes if o.share is not None]),
        change_pointing=proportion_metric(
            "pointing game of the gained evidence", [o.hit for o in changes], None, "phantoms"
        ),
    )


def boxes_mask(boxes: str, rows: int, columns: int) -> NDArray[np.bool_]:
    """Readers' boxes as a mask of the film: bool [rows, columns].

    Args:
        boxes: "x y width height" as shares of the film's width and height, several with a semicolon between them.
        rows: Of the film.
        columns: Likewise.
    """
    mask = np.zeros((rows, columns), dtype=np.bool_)
    for box in boxes.split(";"):
        if not box.strip():
            continue
        x, y, width, height = (float(number) for number in box.split())
        left, top = max(0, int(np.floor(x * columns))), max(0, int(np.floor(y * rows)))
        mask[top : int(np.ceil((y + height) * rows)), left : int(np.ceil((x + width) * columns))] = True
    return mask


@dataclass(frozen=True, slots=True)
class BoxedFilm:
    """A film with boxes, as the network sees it.

    Attributes:
        site: Whose film.
        patient: Likewise.
        evidence: Against the boxes.
        grad_cam: Likewise.
    """

    site: str
    patient: str
    evidence: Overlap
    grad_cam: Overlap


def boxed_film(network: OpenBundle, seen: FilmEvidence, mask: NDArray[np.bool_], *, site: str) -> BoxedFilm | None:
    """Hold the evidence of a film, and Grad-CAM's, against its boxes; None if these lie outside the network's frame."""
    cover = cover_of(mask, seen.frame, seen.map.shape)
    if cover.sum() <= 0:
        return None
    grad_cam = network.grad_cam(seen.pixels)
    return BoxedFilm(site, seen.patient, overlap_of(seen.map, cover), overlap_of(grad_cam, cover))


def summarize_boxes(films: Sequence[BoxedFilm], *, rng: np.random.Generator) -> tuple[BoxEvidence, ...]:
    """Of all films, then by site where there are several; none without films.

    Args:
        films: Each with the finding.
        rng: For the bootstrap.
    """
    if not films:
        return ()
    sites = sorted({film.site for film in films})
    groups = {"": list(films)} | ({site: [f for f in films if f.site == site] for site in sites} if sites[1:] else {})
    return tuple(_box_evidence(site, group, rng) for site, group in groups.items())


def _box_evidence(site: str, films: Sequence[BoxedFilm], rng: np.random.Generator) -> BoxEvidence:
    people = [film.patient for film in films]
    ours, theirs = [film.evidence for film in films], [film.grad_cam for film in films]

    def shares(name: str, found: Sequence[Overlap]) -> Metric:
        kept = [(one.share, who) for one, who in zip(found, people, strict=True) if one.share is not None]
        return mean_metric(name, [share for share, _ in kept], [who for _, who in kept], "boxes", rng=rng)

    return BoxEvidence(
        site=site,
        films=len(films),
        pointing=proportion_metric("pointing game", [one.hit for one in ours], people, "boxes"),
        pointing_grad_cam=proportion_metric("pointing game, Grad-CAM", [one.hit for one in theirs], people, "boxes"),
        pointing_by_chance=mean_metric(
            "pointing game by chance", [one.touched for one in ours], people, "boxes", rng=rng
        ),
        share=shares("evidence in the boxes", ours),
        share_grad_cam=shares("evidence in the boxes, Grad-CAM", theirs),
        share_by_chance=mean_metric("area of the boxes", [one.area for one in ours], people, "boxes", rng=rng),
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
