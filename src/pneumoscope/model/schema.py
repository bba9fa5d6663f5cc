"""The bundle's metadata: one JSON document with a version number.

Only quantiles are kept: enough for the bins of a stability index, and no film can be told from them.

A change that an old reader would misunderstand raises ``SCHEMA_VERSION``, and the old version can still be read;
``tests/model`` holds a bundle of each version. Version 2 added framing by the lung fields to the preprocessing:
what version 1 does not say has its default, which is what version 1 did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import Literal

from pneumoscope.model.learned_films import LearnedFilms  # noqa: TC001 - msgspec reads the annotations
from pneumoscope.model.preprocess import PreprocessSpec  # noqa: TC001
from pneumoscope.quality.spec import QualitySpec  # noqa: TC001
from pneumoscope.settings import NOTICE
from pneumoscope.stats.drift import QUANTILES
from pneumoscope.types.proportion import Proportion  # noqa: TC001
from pneumoscope.types.provenance import Provenance  # noqa: TC001

__all__ = [
    "SCHEMA_VERSION",
    "THREE_WAY",
    "BundleMeta",
    "BundleMetric",
    "Calibrator",
    "ClassSpec",
    "Conformal",
    "DriftBaseline",
    "ExpectedRates",
    "LearnedSite",
    "OperatingPoint",
    "SiteCalibration",
    "SiteRates",
    "SiteSummary",
    "ThreeWayPoint",
]


@dataclass(frozen=True, slots=True)
class DriftBaseline:
    """Quantiles of the scores and the input statistics of some films.

    Attributes:
        on: Which films, in words.
        films: Their number.
        finding: How many of them have the finding; with another share the scores lie elsewhere.
        size: Height and width in pixels, each the middle one of all films.
        score: Quantiles of the calibrated probability of the finding; see ``statistics.drift.quantiles_of``.
        statistics: Likewise of each input statistic of ``gate.statistics``, by name.
    """

    on: str
    films: int
    finding: int
    size: tuple[int, int]
    score: tuple[float, ...]
    statistics: dict[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        """Refuse what no bin could be made of."""
        if not 0 <= self.finding <= self.films or self.films < 1:
            raise ValueError(f"{self.finding} of {self.films} films with the finding are no reference")
        for name, values in {"score": self.score, **self.statistics}.items():
            if len(values) != QUANTILES or not all(isfinite(value) for value in values):
                raise ValueError(f"the reference's {name} needs {QUANTILES} finite quantiles")
            if any(low > high for low, high in pairwise(values)):
                raise ValueError(f"the reference's quantiles of {name} must rise")
        if not 0 <= self.score[0] <= self.score[-1] <= 1:
            raise ValueError("the reference's scores are probabilities, from 0 to 1")


SCHEMA_VERSION = 2

THREE_WAY = "three-way"
"""The preset's name of a call with two thresholds."""


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """One class: its name, and whether it counts as the finding."""

    name: str
    positive: bool


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Temperature and bias: probabilities are ``softmax(logits / temperature + bias)``.

    Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2; the bias is their
    vector scaling with one shared scale, which keeps the evidence proportional to the logit.

    Attributes:
        temperature: Greater than 0; above 1 softens.
        bias: One a class, in logits.
    """

    temperature: float
    bias: tuple[float, ...]

    def __post_init__(self) -> None:
        """A temperature of 0 or less would turn the ranking round."""
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, what it was good for, and where that was seen.

    Attributes:
        preset: "screening" or "balanced".
        threshold: On the calibrated probability of the finding; at or above is called.
        sensitivity: Recall on the films it was chosen on.
        specificity: Likewise.
        rule: How it was chosen, in words.
        chosen_on: On which films, in words.
    """

    preset: str
    threshold: float
    sensitivity: Proportion
    specificity: Proportion
    rule: str
    chosen_on: str


@dataclass(frozen=True, slots=True)
class ThreeWayPoint:
    """Two thresholds, chosen for two stated errors: between them the call is indeterminate.

    Attributes:
        lower: On the calibrated probability of the finding; below it the finding is said to be absent. 0 where too few
            films had the finding to promise that: then it is never said to be absent.
        upper: At or above it the finding is called. Above 1 where too few films were without it.
        stated: The two errors: the largest share of the films with the finding that may lie below ``lower``, and of
            those without it at or above ``upper``.
        missed: Of the films with the finding, those below ``lower``.
        false_calls: Of the films without it, those at or above ``upper``.
        sensitivity: Of the films with the finding that get a call, those called.
        specificity: Of the films without it that get a call, those said to be without.
        between: Of all films, those left open.
        between_with: Of the films with the finding, those left open.
        between_without: Of the films without it, those left open.
        rule: How the thresholds were chosen, in words.
        chosen_on: On which films, in words.
    """

    lower: float
    upper: float
    stated: tuple[float, float]
    missed: Proportion
    false_calls: Proportion
    sensitivity: Proportion
    specificity: Proportion
    between: Proportion
    between_with: Proportion
    between_without: Proportion
    rule: str
    chosen_on: str

    def __post_init__(self) -> None:
        """The other way round, a film would be both called and cleared."""
        if not 0 <= self.lower <= self.upper:
            raise ValueError(f"a band's thresholds must rise from 0, not {self.lower} and {self.upper}")

    @property
    def preset(self) -> str:
        """Its name beside those of the operating points."""
        return THREE_WAY

    @property
    def threshold(self) -> float:
        """At or above it the finding is called."""
        return self.upper


@dataclass(frozen=True, slots=True)
class Conformal:
    """Class-conditional (Mondrian) split-conformal quantiles of the score 1 - p(class).

    Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005), section 4.5; Sadinle, Lei,
    Wasserman, JASA 114 (2019). A class is in the set if 1 - p(class) is at most its quantile.

    Attributes:
        coverage: Nominal, in (0, 1).
        quantiles: One a class; 1.0 admits the class always.
    """

    coverage: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BundleMetric:
    """A headline figure: its value, its 95 % interval where there is one, and the number of films."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class SiteCalibration:
    """The record of a re-calibration on the films of one site; the weights are those of the training.

    Attributes:
        site: Its name.
        by: Who did it.
        created: ISO 8601, UTC, to the second.
        films: Number of films.
        patients: Number of patients.
        counts: Films by label.
        manifest_sha256: Hash of the films and labels.
        bundle_sha256: Of the bundle that was re-calibrated.
        prevalence: Share of the finding that the probabilities are calibrated for.
        figures: What was seen and what is to be expected, by name; on films that did not choose the threshold.
        remarks: What a person must know of it, whole sentences.
        software: Version of pneumoscope.
    """

    site: str
    by: str
    created: str
    films: int
    patients: int
    counts: dict[str, int]
    manifest_sha256: str
    bundle_sha256: str
    prevalence: float
    figures: dict[str, BundleMetric] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    software: str = ""


@dataclass(frozen=True, slots=True)
class LearnedSite:
    """A site whose films were learned from.

    Attributes:
        name: Of the site.
        films: Number of films that were learned from.
        patients: Number of their patients.
        ages: Years, from and to, of these; None if they are not known.
        licence: Under which the films and their labels may be used.
        citation: How to cite them.
    """

    name: str
    films: int
    patients: int
    ages: tuple[float, float] | None = None
    licence: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class SiteRates:
    """What a network says at a site that it has not learned from, at a threshold that other sites chose.

    Attributes:
        site: Its name.
        films: Number of films.
        sensitivity: With its interval by patient.
        specificity: Likewise.
        auc: Of the finding; None where films of one kind are missing.
    """

    site: str
    films: int
    sensitivity: Proportion
    specificity: Proportion
    auc: BundleMetric | None = None


@dataclass(frozen=True, slots=True)
class SiteSummary:
    """A rate over sites (``stats.meta_analysis``).

    Attributes:
        value: The mean.
        low: Lower end of its 95 % interval.
        high: Upper end.
        predicted_low: Lower end of the 95 % interval of a further site's rate; with two sites it says next to nothing.
        predicted_high: Upper end.
        tau2: Variance of the sites' log-odds.
    """

    value: float
    low: float
    high: float
    predicted_low: float
    predicted_high: float
    tau2: float


@dataclass(frozen=True, slots=True)
class ExpectedRates:
    """What to expect of a preset on films that are unlike those that were learned from.

    Attributes:
        preset: Its name.
        sites: Each site, read by networks that have not learned from it.
        sensitivity: Over the sites.
        specificity: Likewise.
        worst: The site with the smallest sum of both.
        basis: "sites": each was left out of learning in turn, and this is what a new hospital may expect. "blocks":
            films of the lowest numbers of each site were; this is what the hospitals that were learned from may expect
            at another time, and a new one may see less.
    """

    preset: str
    sites: tuple[SiteRates, ...]
    sensitivity: SiteSummary
    specificity: SiteSummary
    worst: str
    basis: Literal["sites", "blocks"] = "sites"


@dataclass(frozen=True, slots=True)
class BundleMeta:
    """All that stands in the bundle beside the graph.

    Attributes:
        name: "standard", or what the run was called.
        version: Of the model, not of the software.
        finding: What a positive class is a kind of: "pneumonia".
        classes: In the order of the logits.
        preprocess: How a film becomes the graph's input, uint8 [N, 1, size, size].
        evidence_bias: logits[c] = mean over h, w of evidence[c] + evidence_bias[c].
        calibrator: From logits to probabilities.
        operating_points: The first is the default.
        architecture: Name of the network and its options, in words.
        parameters: Number of weights.
        conformal: None or more levels.
        band: The two thresholds of the three-way call, where there is one; for those who ask for the preset.
        gate: What a film must be to be read; None for a bundle that reads whatever it is given.
        reference: The films that later ones are compared with, to see drift; None in bundles of before.
        sites: Re-calibrations since the training, in their order.
        learned_from: The sites whose films were learned from; none in bundles of before.
        expected: What to expect of each preset at a new hospital; none where no site was left out.
        pattern_ages: Years, from and to, of the patients whose patterns (the classes of the finding) were learned; the
            patterns of others are not to be relied on. None if nothing is said.
        provenance: Where it came from.
        reference_class: The class that the others are told from, where no class is without a finding ("": one is): the
            finding is then any of the others, and its absence is no sign of health.
        learned_films: Hashes of the films that it learned from or was chosen by; none in bundles of before.
        figures: Headline figures by name, on the films named in ``figures_on``.
        figures_on: Which films those were.
        intended_use: In words.
        graph_sha256: Of the ONNX graph's bytes, checked at loading.
        graph_bytes: Their number.
        schema_version: Of this document.
        notice: Research use only.
    """

    name: str
    version: str
    finding: str
    classes: tuple[ClassSpec, ...]
    preprocess: PreprocessSpec
    evidence_bias: tuple[float, ...]
    calibrator: Calibrator
    operating_points: tuple[OperatingPoint, ...]
    architecture: str
    parameters: int
    provenance: Provenance
    conformal: tuple[Conformal, ...] = ()
    band: ThreeWayPoint | None = None
    gate: QualitySpec | None = None
    reference: DriftBaseline | None = None
    sites: tuple[SiteCalibration, ...] = ()
    learned_from: tuple[LearnedSite, ...] = ()
    expected: tuple[ExpectedRates, ...] = ()
    pattern_ages: tuple[float, float] | None = None
    figures: dict[str, BundleMetric] = field(default_factory=dict)
    figures_on: str = ""
    learned_films: tuple[LearnedFilms, ...] = ()
    reference_class: str = ""
    intended_use: str = ""
    graph_sha256: str = ""
    graph_bytes: int = 0
    schema_version: int = SCHEMA_VERSION
    notice: str = NOTICE

    def __post_init__(self) -> None:
        """A finished BundleMeta is one that a reading can rely on."""
        count = len(self.classes)
        if count < 2 or len({c.name for c in self.classes}) != count:
            raise ValueError("a bundle has two or more classes with different names")
        if not any(c.positive for c in self.classes) or all(c.positive for c in self.classes):
            raise ValueError("at least one class is the finding and at least one is not")
        per_class = [self.evidence_bias, self.calibrator.bias, *(c.quantiles for c in self.conformal)]
        if any(len(values) != count for values in per_class):
            raise ValueError(f"evidence_bias, calibrator.bias and conformal.quantiles need {count} values, one a class")
        if not self.operating_points:
            raise ValueError("a bundle has at least one operating point")

    @property
    def reference_note(self) -> str:
        """What a reader of calls and two-way figures must know where no class is without a finding; else ""."""
        if not self.reference_class:
            return ""
        return (
            f"No class is without a finding: {self.reference_class} is the reference class. A call and the two-way "
            f"figures tell {self.finding} from {self.reference_class}, and say nothing of a healthy film; the figures "
            "over all classes judge the model."
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the logits."""
        return tuple(c.name for c in self.classes)

    @property
    def positive(self) -> tuple[int, ...]:
        """Indices of the classes that count as the finding."""
        return tuple(i for i, c in enumerate(self.classes) if c.positive)
