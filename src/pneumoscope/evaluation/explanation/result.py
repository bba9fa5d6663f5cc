"""The result of the explanation sanity checks: frozen, and JSON as it stands.

Maps are tuples of rows. Every figure is a ``Metric`` with its interval and n; one that these films cannot give has the
value None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from pneumoscope.evaluation.serialization import read_document, write_document
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric  # noqa: TC001 - likewise
from pneumoscope.types.reading import ModelRef  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "BoxEvidence",
    "ExplanationResult",
    "Grid",
    "LungEvidence",
    "MaskedMetrics",
    "Masking",
    "MeanMapOfGroup",
    "MeanMaps",
    "ParameterRandomization",
    "Perturbation",
    "PerturbationAverage",
    "PointingGame",
    "RandomizationStage",
]

Grid: TypeAlias = tuple[tuple[float, ...], ...]
"""A map [h, w] as rows."""


@dataclass(frozen=True, slots=True)
class RandomizationStage:
    """The network with its topmost weights shuffled.

    Attributes:
        layers: How many weights, counted from the output, are shuffled.
        name: The lowest of them, as the graph calls it.
        correlation: Mean over films of Spearman's rank correlation of the map with that of the network as it is;
            bootstrap over patients.
        size: Mean over films of its absolute value; likewise.
    """

    layers: int
    name: str
    correlation: Metric
    size: Metric


@dataclass(frozen=True, slots=True)
class ParameterRandomization:
    """Cascading randomisation (Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, section 3.1).

    Attributes:
        weights: In the graph.
        draws: Random networks at each stage, over which each film's correlation is averaged.
        stages: From the output down; the last has all weights shuffled.
        between_films: What two films' maps have in common anyway: mean rank correlation of the maps of different
            films by the network as it is.
    """

    weights: int
    draws: int
    stages: tuple[RandomizationStage, ...]
    between_films: Metric

    @property
    def passed(self) -> bool:
        """Whether the map hangs on the weights: with all shuffled, the absolute correlation is surely below 0.5."""
        last = self.stages[-1].size
        return last.high is not None and last.high < 0.5


@dataclass(frozen=True, slots=True)
class PerturbationAverage:
    """The mean probability of the finding while places change in one order.

    Attributes:
        order: "by evidence", "at random".
        probability: One a share.
        low: Lower end of the 95 % interval, pointwise; bootstrap over patients.
        high: Upper end.
        area: Under the curve, 0 to 1; mean over films.
    """

    order: str
    probability: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    area: Metric


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Deletion and insertion (Petsiuk, Das, Saenko, "RISE", BMVC 2018, section 4.1), on called films.

    Attributes:
        reference: What stands in for a deleted place: "a normal film" (the same place of another child's film,
            called normal) or "blurred".
        films: Called films with the finding that were perturbed.
        share: Of the places that are changed, rising from 0 to 1.
        deletion: From the film to the reference, two orders.
        insertion: From the reference to the film, two orders.
        deletion_gain: Area at random less area by evidence; above 0 the evidence points at what matters.
        insertion_gain: Area by evidence less area at random; likewise.
        reference_probability: Of the finding, for the reference alone: where it is high, there is nothing to fall to.
    """

    reference: str
    films: int
    share: tuple[float, ...]
    deletion: tuple[PerturbationAverage, PerturbationAverage]
    insertion: tuple[PerturbationAverage, PerturbationAverage]
    deletion_gain: Metric
    insertion_gain: Metric
    reference_probability: Metric


@dataclass(frozen=True, slots=True)
class PointingGame:
    """Where the evidence lies in drawn films, whose lesion is known.

    Attributes:
        films: Drawn with a lesion; as many without are drawn for the AUC.
        auc: Of the bundle on phantoms: with an AUC near 0.5 the rest says nothing.
        pointing: Films whose greatest evidence lies on the lesion (Zhang et al., "Top-down neural attention by
            excitation backprop", ECCV 2016, section 4.2); Wilson.
        pointing_by_chance: What a random place would score: mean share of places that touch the lesion.
        share: Mean share of the positive evidence that lies in the lesion.
        share_by_chance: Mean share of the picture that is lesion.
        overlap: Mean IoU of the lesion and the places with most evidence, as many as fill the lesion's area.
        overlap_by_chance: The same for as many random places.
        change_share: As ``share``, for what the evidence gains over that of the same child's film without the lesion.
        change_pointing: As ``pointing``, likewise.
    """

    films: int
    auc: Metric
    pointing: Metric
    pointing_by_chance: Metric
    share: Metric
    share_by_chance: Metric
    overlap: Metric
    overlap_by_chance: Metric
    change_share: Metric
    change_pointing: Metric


@dataclass(frozen=True, slots=True)
class BoxEvidence:
    """Where the evidence lies on films on which readers drew boxes around the finding.

    Grad-CAM (Selvaraju et al., ICCV 2017) is of the same network, for its likeliest class of the finding, at the last
    feature map. With a mean over places and one linear layer behind that map, it is the positive part of the class's
    own evidence (their section 3.2), which is what is taken.

    Attributes:
        site: Whose films; "" for all.
        films: With the finding and with boxes.
        pointing: Films whose greatest evidence lies in a place that a box touches.
        pointing_grad_cam: The same for Grad-CAM.
        pointing_by_chance: What a random place would score.
        share: Mean share of the positive evidence that lies in boxes.
        share_grad_cam: The same for Grad-CAM.
        share_by_chance: Mean share of the picture that is box.
    """

    site: str
    films: int
    pointing: Metric
    pointing_grad_cam: Metric
    pointing_by_chance: Metric
    share: Metric
    share_grad_cam: Metric
    share_by_chance: Metric


@dataclass(frozen=True, slots=True)
class LungEvidence:
    """Where the positive evidence lies, given the lung fields.

    Attributes:
        films: With lungs found and with positive evidence.
        not_found: Films whose lungs were not found.
        share: Mean share of the positive evidence inside the lungs: of all films, of those with the finding, of
            those without; bootstrap over patients.
        area: Mean share of the network's picture that is lung: what evidence spread evenly would score.
        mostly: Films that have more than half of it inside; Wilson.
    """

    films: int
    not_found: int
    share: tuple[Metric, Metric, Metric]
    area: Metric
    mostly: Metric


@dataclass(frozen=True, slots=True)
class MeanMapOfGroup:
    """The mean of a group of films and of their evidence, in the network's frame.

    Attributes:
        name: "with pneumonia", "without pneumonia".
        films: How many.
        image: Mean picture, 0 to 255, on a grid of 48 x 48.
        evidence: Mean map in natural log-odds.
    """

    name: str
    films: int
    image: Grid
    evidence: Grid


@dataclass(frozen=True, slots=True)
class MeanMaps:
    """Whether the map is hot at the same place in each film. Of films with the finding.

    Attributes:
        films: How many.
        means: One a group.
        alike: Mean rank correlation of the maps of two different films: 1 if all maps are the same.
        same_peak: Films whose greatest evidence is in the commonest place; Wilson.
        peak: That place, as (row, column) of the map, from 0.
        peaks: Different places that are the peak of a film.
        cells: Places in the map.
        spread: Mean share of the places that the positive evidence of a film covers evenly (participation ratio): 1 is
            even, 1/cells is a point.
        spread_of_mean: The same for the mean map: near ``spread`` if all maps are alike, near 1 if they differ.
        edge: Mean share of the positive evidence in the outermost tenth of the picture.
        edge_area: Share of the picture that this is: what even evidence would score.
    """

    films: int
    means: tuple[MeanMapOfGroup, ...]
    alike: Metric
    same_peak: Metric
    peak: tuple[int, int]
    peaks: int
    cells: int
    spread: Metric
    spread_of_mean: float
    edge: Metric
    edge_area: float


@dataclass(frozen=True, slots=True)
class MaskedMetrics:
    """All films with something taken away.

    Attributes:
        name: "outside the lungs blanked", "lungs blanked", "markers painted over", ...
        fill: What stands in its place: "smooth continuation", "mean of the rest", or "" where nothing is filled.
        area: Mean share of the picture that was taken away.
        auc: DeLong's interval, by patient.
        change: AUC less that of the films as they came; DeLong's interval for two correlated AUCs.
        recall: By preset, at the frozen thresholds; Wilson.
        specificity: Likewise.
        shift: Mean change of the finding's probability; bootstrap over patients.
    """

    name: str
    fill: str
    area: float
    auc: Metric
    change: Metric
    recall: dict[str, Metric]
    specificity: dict[str, Metric]
    shift: Metric


@dataclass(frozen=True, slots=True)
class Masking:
    """What the network still knows when a part of the film is taken away.

    Attributes:
        films: With lungs found.
        not_found: Films whose lungs were not found: left out.
        clean: The films as they came.
        rows: One a part and fill.
    """

    films: int
    not_found: int
    clean: MaskedMetrics
    rows: tuple[MaskedMetrics, ...]

    def row(self, name: str, fill: str | None = None) -> MaskedMetrics:
        """One row, by its name and, where there are several, its fill.

        Raises:
            KeyError: There is none.
        """
        for row in self.rows:
            if row.name == name and fill in {None, row.fill}:
                return row
        raise KeyError((name, fill))


@dataclass(frozen=True, slots=True)
class ExplanationResult:
    """Whether the evidence deserves its name. A part that could not be made is None, and ``limits`` says why.

    Attributes:
        model: The bundle.
        finding: "pneumonia".
        films: That were given.
        positives: With the finding.
        negatives: Without it.
        randomised: Shuffled weights.
        perturbations: Deletion and insertion, one a reference.
        phantoms: Against lesions that are known.
        lungs: Share inside the lungs.
        places: The mean map.
        blanking: AUC without the lungs, and with nothing but them.
        boxes: Against readers' boxes: of all films that have some, then by site where there are several.
        limits: What these figures cannot say, each a sentence.
        notice: Research use only.
    """

    model: ModelRef
    finding: str
    films: int
    positives: int
    negatives: int
    randomised: ParameterRandomization | None = None
    perturbations: tuple[Perturbation, ...] = ()
    phantoms: PointingGame | None = None
    lungs: LungEvidence | None = None
    places: MeanMaps | None = None
    blanking: Masking | None = None
    boxes: tuple[BoxEvidence, ...] = ()
    limits: tuple[str, ...] = ()
    notice: str = NOTICE

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON.

        Raises:
            StorageError: The disk is full or the folder cannot be written.
        """
        write_document(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ExplanationResult:
        """Read what ``save`` wrote.

        Raises:
            DatasetError: The file is missing, or no such result.
        """
        return read_document(path, cls, what="sanity result")
