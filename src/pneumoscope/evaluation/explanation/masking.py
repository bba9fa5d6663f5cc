"""Performance with the lungs masked, and with nothing but the lungs; the share of evidence inside the lungs.

A network that tells pneumonia from no pneumonia with the lungs blanked out has found a shortcut: the frame, the
marker, the child's position (Zech et al., PLoS Medicine 15 (2018) e1002683; DeGrave, Janizek, Lee, Nature Machine
Intelligence 3 (2021) 610). Lung fields come from the lung-field network of the house, or from any function of a film.

Blanking is done in the network's own picture: its frame and its intensity stretch are those of the whole film, so that
what changes is the blanked place and nothing else. It is filled in two ways, and both are reported: with a smooth
continuation of what is around (no edge, no texture), and with the mean of the rest (an edge at the outline). Neither
is black: black is air. The outline of a mask tells something by itself (a consolidated lung is a smaller mask), so that
there is a third blanking, of the whole box around the lungs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.explanation.result import LungEvidence, MaskedMetrics, Masking
from pneumoscope.evaluation.robustness.corruptions import choose_corruptions, corrupt
from pneumoscope.evaluation.robustness.markers import inpaint
from pneumoscope.films.resample import resize
from pneumoscope.lungs.segmentation import lung_segmenter
from pneumoscope.stats.differences import delong_difference
from pneumoscope.stats.metrics import Metric, auc_metric, mean_metric, proportion_metric

__all__ = [
    "PARTS",
    "MaskedReading",
    "default_lung_mask",
    "in_frame",
    "lung_evidence",
    "read_masked",
    "summarize_masking",
]

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pneumoscope.evaluation.explanation.network import FilmEvidence, Frame, OpenBundle
    from pneumoscope.types.radiograph import Radiograph

    Picture = NDArray[np.float32]


SMOOTH, MEAN = "smooth continuation", "mean of the rest"
OUTSIDE, LUNGS, BOX = "outside the lungs blanked", "lungs blanked", "box around the lungs blanked"
MARKERS, BORDERS = "markers painted over", "borders cropped"
PARTS: tuple[tuple[str, str], ...] = (
    (OUTSIDE, SMOOTH),
    (OUTSIDE, MEAN),
    (LUNGS, SMOOTH),
    (LUNGS, MEAN),
    (BOX, SMOOTH),
    (BOX, MEAN),
    (MARKERS, SMOOTH),
    (BORDERS, ""),
)
"""What is taken away, and what stands in its place."""

_RIM = 0.02  # of the picture's side: belongs to the lungs on either side of the question
_CROP = 0.08  # of each side
_MARKER_SEVERITY = 3
_FILMS = "sanity"


@dataclass(frozen=True, slots=True)
class MaskedReading:
    """The finding's probability for one film with something taken away, and the share of the picture that was."""

    probability: float
    area: float


def default_lung_mask(film: Radiograph) -> NDArray[np.bool_]:
    """The lung fields by the house's own network: bool [rows, columns]; nowhere True if they were not found.

    Raises:
        BundleDamaged: The network's file cannot be used.
    """
    field = lung_segmenter().find(film)
    return field.mask if field.found else np.zeros((film.rows, film.columns), dtype=bool)


def read_masked(
    network: OpenBundle, radiograph: Radiograph, seen: FilmEvidence, mask: NDArray[np.bool_]
) -> dict[tuple[str, str], MaskedReading]:
    """Read one film with each of ``PARTS`` taken away.

    Args:
        network: The bundle.
        radiograph: The film.
        seen: The same, as it came.
        mask: bool [rows, columns], its lungs; not empty.
    """
    from scipy.ndimage import binary_dilation  # noqa: PLC0415 - slow to import

    picture = seen.picture
    lungs = in_frame(mask, seen.frame, picture.shape)
    rim = max(1, round(_RIM * picture.shape[0]))
    wide = binary_dilation(lungs, iterations=rim)
    holes = {OUTSIDE: ~wide, LUNGS: wide, BOX: _box(wide)}
    found = {}
    for name, hole in holes.items():
        for fill in (SMOOTH, MEAN):
            filled = inpaint(picture, hole) if fill == SMOOTH else _with_mean(picture, hole)
            found[name, fill] = MaskedReading(network.look(filled)[0], float(hole.mean()))
    (marker_out,) = choose_corruptions(["marker out"])
    painted = corrupt(radiograph, marker_out, _MARKER_SEVERITY)
    touched = float((painted.pixels != radiograph.pixels).mean())
    found[MARKERS, SMOOTH] = MaskedReading(network.see(painted).probability, touched)
    tight = _cropped(radiograph)
    kept = tight.rows * tight.columns / (radiograph.rows * radiograph.columns)
    found[BORDERS, ""] = MaskedReading(network.see(tight).probability, 1 - kept)
    return found


def in_frame(mask: NDArray[np.bool_], frame: Frame, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A mask of the film as a mask of the network's picture: bool of the picture's shape."""
    part: NDArray[np.bool_] = resize(mask.astype(np.uint8) * np.uint8(255), shape[0], shape[1], frame) >= 128
    return part


def summarize_masking(
    network: OpenBundle,
    seen: Sequence[FilmEvidence],
    rows: Sequence[dict[tuple[str, str], MaskedReading]],
    *,
    not_found: int,
    rng: np.random.Generator,
) -> Masking:
    """Sum up.

    Args:
        network: Names the operating points.
        seen: Films whose lungs were found, as they came.
        rows: For each of them what ``without`` gave.
        not_found: How many other films there were.
        rng: For the bootstrap.
    """
    truth = np.array([one.positive for one in seen], dtype=bool)
    people = np.array([one.patient for one in seen])
    before = np.array([one.probability for one in seen])
    presets = {point.preset: point.threshold for point in network.meta.operating_points}

    def blanked(name: str, fill: str, after: NDArray[np.float64], area: float) -> MaskedMetrics:
        return MaskedMetrics(
            name=name,
            fill=fill,
            area=area,
            auc=auc_metric("AUC", truth, after, people, _FILMS),
            change=_change(truth, after, before, people),
            recall={
                p: proportion_metric(f"recall ({p})", after >= at, people, _FILMS, among=truth)
                for p, at in presets.items()
            },
            specificity={
                p: proportion_metric(f"specificity ({p})", after < at, people, _FILMS, among=~truth)
                for p, at in presets.items()
            },
            shift=mean_metric("probability shift", after - before, people, _FILMS, rng=rng),
        )

    parts = []
    for name, fill in PARTS:
        cells = [row[name, fill] for row in rows]
        after = np.array([cell.probability for cell in cells])
        parts.append(blanked(name, fill, after, float(np.mean([cell.area for cell in cells]))))
    return Masking(len(seen), not_found, blanked("as they came", "", before, 0.0), tuple(parts))


def lung_evidence(seen: Sequence[FilmEvidence], *, not_found: int, rng: np.random.Generator) -> LungEvidence:
    """The share of the positive evidence inside the lungs.

    Args:
        seen: Films whose lungs were found; ``Seen.lungs`` is set.
        not_found: How many other films there were.
        rng: For the bootstrap.
    """
    held, kept = [], []
    for one in seen:
        positive = np.maximum(one.map, 0).astype(np.float64)
        if one.lungs is not None and positive.sum() > 0:
            held.append(float((positive * one.lungs).sum() / positive.sum()))
            kept.append(one)
    shares = np.array(held)
    people = np.array([one.patient for one in kept])
    truth = np.array([one.positive for one in kept], dtype=bool)

    def mean(name: str, part: NDArray[np.bool_]) -> Metric:
        return mean_metric(f"evidence inside the lungs{name}", shares[part], people[part], _FILMS, rng=rng)

    areas = [float(one.lungs.mean()) for one in kept if one.lungs is not None]
    return LungEvidence(
        films=len(kept),
        not_found=not_found,
        share=(
            mean("", np.ones(len(kept), dtype=bool)),
            mean(", with the finding", truth),
            mean(", without the finding", ~truth),
        ),
        area=mean_metric("lung, of the picture", areas, people, _FILMS, rng=rng),
        mostly=proportion_metric("more than half of the evidence inside the lungs", shares > 0.5, people, _FILMS),
    )


def _change(
    truth: NDArray[np.bool_], after: NDArray[np.float64], before: NDArray[np.float64], people: NDArray[np.str_]
) -> Metric:
    name = "change of the AUC"
    if not truth.any() or truth.all():
        return Metric(name, None, None, None, len(truth), None, "DeLong, paired", _FILMS)
    found = delong_difference(truth, after, before, people)
    return Metric(name, found.value, found.low, found.high, found.n, None, found.method, _FILMS)


def _with_mean(picture: Picture, hole: NDArray[np.bool_]) -> Picture:
    rest = picture[~hole]
    filled: Picture = np.where(hole, rest.mean() if rest.size else picture.mean(), picture).astype(np.float32)
    return filled


def _box(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The smallest upright box around a mask."""
    box = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def _cropped(film: Radiograph) -> Radiograph:
    """The film without ``_CROP`` of its height and width on each side."""
    tall, broad = round(_CROP * film.rows), round(_CROP * film.columns)
    kept = film.pixels[tall : film.rows - tall, broad : film.columns - broad].copy()
    return replace(film, pixels=kept, info=replace(film.info, rows=kept.shape[0], columns=kept.shape[1]))
