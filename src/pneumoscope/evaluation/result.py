"""The result of an evaluation: plain numbers with a schema and a version.

The JSON is a contract. A change that an old reader would misunderstand raises ``SCHEMA_VERSION``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pneumoscope.evaluation.predictions import RefusedFilm  # noqa: TC001 - msgspec reads the annotations
from pneumoscope.evaluation.serialization import json_schema, read_document, to_json, write_document
from pneumoscope.model.schema import ExpectedRates  # noqa: TC001 - likewise
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric, frame_of, html_table

if TYPE_CHECKING:
    from os import PathLike

__all__ = [
    "SCHEMA_VERSION",
    "ClassMetrics",
    "ConfusionMatrix",
    "DecisionCurve",
    "EvaluationResult",
    "FilmCounts",
    "FixedRateMetric",
    "MulticlassMetrics",
    "OperatingPointMetrics",
    "PrevalenceCurve",
    "ReliabilityBins",
    "RocPoints",
    "Subgroup",
    "SubgroupTest",
    "ThreeWayMetrics",
]


@dataclass(frozen=True, slots=True)
class RocPoints:
    """The ROC and the precision-recall curve, thinned to at most 1,000 points.

    Attributes:
        threshold: Falling; null for the first point, at which nothing is called.
        sensitivity: Recall.
        specificity: Of the films without the finding, those not called.
        precision: 1 where nothing is called.
    """

    threshold: tuple[float | None, ...]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]
    precision: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Predicted probability and observed frequency, in bins of equal width; empty ones are left out.

    Attributes:
        of: The finding, or a class.
        mean_predicted: Mean probability.
        observed_fraction: Share of the films for which it is true.
        low: Wilson's interval.
        high: Likewise.
        films: In the bin.
    """

    of: str
    mean_predicted: tuple[float, ...]
    observed_fraction: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    films: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PrevalenceCurve:
    """PPV and NPV where the finding is rarer or more frequent than among these films, at one operating point.

    Attributes:
        preset: The operating point.
        prevalence: From low to high.
        ppv: Precision at that prevalence, with its 95 % interval in ``ppv_low`` and ``ppv_high``.
        npv: Likewise, in ``npv_low`` and ``npv_high``.
        here: The share of films with the finding among these.
    """

    preset: str
    prevalence: tuple[float, ...]
    ppv: tuple[float, ...]
    ppv_low: tuple[float, ...]
    ppv_high: tuple[float, ...]
    npv: tuple[float, ...]
    npv_low: tuple[float, ...]
    npv_high: tuple[float, ...]
    here: float


@dataclass(frozen=True, slots=True)
class FixedRateMetric:
    """One rate where the other is held: recall at a fixed specificity, or specificity at a fixed recall.

    The threshold is chosen on these films; the interval is by the bootstrap, which chooses it anew in each draw.

    Attributes:
        fixed: "specificity" or "recall".
        target: It is at least this.
        threshold: The one that gives the most of the other; null where nothing need be called for it.
        metric: The other rate.
    """

    fixed: str
    target: float
    threshold: float | None
    metric: Metric


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit (Vickers and Elkin, Med. Decis. Making 26 (2006) 565), in true positives a film.

    Attributes:
        threshold: Probability from which a person would act.
        net_benefit: Of acting on the system, with its 95 % interval in ``low`` and ``high``.
        low: Lower end.
        high: Upper end.
        act_on_all: Net benefit of acting on every film; that of acting on none is 0.
    """

    threshold: tuple[float, ...]
    net_benefit: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    act_on_all: tuple[float, ...]


SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class FilmCounts:
    """How many films there were.

    Attributes:
        films: That were judged.
        positives: Of them, those with the finding.
        negatives: Of them, those without.
        patients: None where nobody knows.
        by_class: Films of each class.
        refused: Films that got no probability; they are in no figure.
    """

    films: int
    positives: int
    negatives: int
    patients: int | None
    by_class: dict[str, int]
    refused: int


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """How many films of each class (rows) were called which (columns)."""

    names: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class OperatingPointMetrics:
    """One threshold.

    Attributes:
        preset: "screening", "balanced"; "best threshold" for the optimistic one.
        threshold: At or above it is called.
        chosen: How and on which films it was chosen, in words.
        optimistic: It was chosen on the films that it is judged on here: no forecast for other films.
        metrics: "recall", "specificity", "precision", "NPV", "F1", "accuracy", "balanced accuracy", "MCC",
            "Cohen's kappa", each with its 95 % interval.
        confusion: Two by two: without and with the finding.
    """

    preset: str
    threshold: float
    chosen: str
    optimistic: bool
    metrics: tuple[Metric, ...]
    confusion: ConfusionMatrix


@dataclass(frozen=True, slots=True)
class ThreeWayMetrics:
    """Two thresholds: between them the call is left open.

    Attributes:
        lower: Below it the finding is said to be absent.
        upper: At or above it the finding is called.
        chosen: How and on which films they were chosen, in words.
        metrics: "missed" (of the films with the finding, those below), "false calls" (of those without, those at or
            above), "recall of the decided", "specificity of the decided", "indeterminate rate", "indeterminate rate
            with", "indeterminate rate without", each with its 95 % interval.
    """

    lower: float
    upper: float
    chosen: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """One class against all others: called where it is the likeliest class.

    Attributes:
        name: Of the class.
        metrics: "recall", "specificity", "precision", "NPV", "F1", "AUC", "average precision", "Brier", "ECE",
            "calibration slope", "calibration intercept".
    """

    name: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class MulticlassMetrics:
    """All classes at once, for a system with more than two; a film is called its likeliest class.

    Attributes:
        metrics: "accuracy", "macro recall" (balanced accuracy), "macro specificity", "macro precision", "macro NPV",
            "macro F1", "MCC", "Cohen's kappa", "macro AUC" and "macro average precision" (each class against all
            others), "log loss", "Brier", "ECE" (of the likeliest class), and "A against B AUC" for the pairs of
            classes that are the finding.
        classes: One by one.
        confusion: C by C.
    """

    metrics: tuple[Metric, ...]
    classes: tuple[ClassMetrics, ...]
    confusion: ConfusionMatrix


@dataclass(frozen=True, slots=True)
class SubgroupTest:
    """Whether a group's figure differs from that of the other films of the stratum.

    Attributes:
        name: "AUC", "recall (screening)", ...
        difference: Group less others.
        p: Two-sided, of this test alone.
        p_adjusted: After Holm's correction for all tests on this page.
        method: Of the test.
    """

    name: str
    difference: float
    p: float
    p_adjusted: float
    method: str


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The films of one group.

    Attributes:
        stratum: "sex", "view", ...
        group: "F", "AP", ...
        films: In it.
        positives: Of them, with the finding.
        metrics: "AUC", and "recall", "specificity" at each operating point, named with it.
        tests: Against the other films of the same stratum; empty where they cannot be made.
    """

    stratum: str
    group: str
    films: int
    positives: int
    metrics: tuple[Metric, ...]
    tests: tuple[SubgroupTest, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """All figures of one system on one set of films.

    Attributes:
        system: Which, in words.
        films: Which, in words.
        finding: What was looked for.
        classes: In the order of the columns.
        positive: Names of the classes that are the finding.
        counts: How many films.
        overall: Figures without a threshold: "AUC", "average precision", "Brier", "ECE", "log loss",
            "calibration slope", "calibration intercept", "calibration in the large" (the intercept with the slope
            held at 1), "observed less predicted" (share of the finding less the mean probability).
        points: At the frozen operating points.
        best: At the threshold that is best on these very films (Youden): shown beside the others, and optimistic.
        three_way: With two thresholds; None for a system with one.
        over_classes: None for a system with two classes.
        roc: None if there are films of one kind only; so are ``decision`` and ``fixed``.
        reliability: Of the finding, and of each class of more than two.
        prevalence: One curve an operating point.
        fixed: Recall at fixed specificities, then the reverse.
        decision: Net benefit.
        subgroups: Those that the table knows.
        across_sites: Where the films are of several sites: by operating point each site, and what a further one is to
            expect.
        refused: The films without a probability.
        limits: What these figures cannot say, each a sentence.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
        confidence: Of every interval.
        created: ISO 8601, UTC.
        software: pneumoscope's version.
        seconds: What judging took, by step.
        schema_version: Of this document.
        notice: Research use only.
    """

    system: str
    films: str
    finding: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    counts: FilmCounts
    overall: tuple[Metric, ...]
    points: tuple[OperatingPointMetrics, ...] = ()
    best: OperatingPointMetrics | None = None
    three_way: ThreeWayMetrics | None = None
    over_classes: MulticlassMetrics | None = None
    roc: RocPoints | None = None
    reliability: tuple[ReliabilityBins, ...] = ()
    prevalence: tuple[PrevalenceCurve, ...] = ()
    fixed: tuple[FixedRateMetric, ...] = ()
    decision: DecisionCurve | None = None
    subgroups: tuple[Subgroup, ...] = ()
    across_sites: tuple[ExpectedRates, ...] = ()
    refused: tuple[RefusedFilm, ...] = ()
    limits: tuple[str, ...] = ()
    draws: int = 2000
    seed: int = 0
    confidence: float = 0.95
    created: str = ""
    software: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    notice: str = NOTICE

    def __repr__(self) -> str:
        """In one line."""
        auc = self.metric("AUC")
        told = "" if auc is None or auc.value is None else f", AUC {auc.value:.3f}"
        return f"<EvaluationResult of {self.system} on {self.counts.films} films{told}>"

    def metric(self, name: str, preset: str | None = None) -> Metric | None:
        """One figure, of those without a threshold or at a preset; None if there is no such row."""
        if preset is None:
            rows = self.overall
        else:
            rows = next((point.metrics for point in self.points if point.preset == preset), ())
        return next((row for row in rows if row.name == name), None)

    @property
    def rows(self) -> tuple[Metric, ...]:
        """Every figure of the whole set of films; one at an operating point carries its name: "recall (balanced)"."""
        at = (replace(row, name=f"{row.name} ({point.preset})") for point in self.points for row in point.metrics)
        classes = () if self.over_classes is None else self.over_classes.metrics
        return (*self.overall, *at, *(replace(row, name=f"{row.name} (classes)") for row in classes))

    def to_frame(self) -> Any:
        """``rows`` as a ``pandas.DataFrame``.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame_of(self.rows)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return html_table(self.rows)

    def to_json(self) -> bytes:
        """As JSON, indented; a number is never NaN or infinite."""
        return to_json(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write as JSON, and beside it the schema as ``judgement.schema.json``.

        Raises:
            StorageError: The disk is full or the folder cannot be written.
        """
        write_document(self, path)
        write_document(schema(), Path(path).with_name("judgement.schema.json"))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> EvaluationResult:
        """Read what ``save`` wrote.

        Raises:
            DatasetError: The file is missing, no judgement, or of a newer pneumoscope.
        """
        return read_document(path, cls, what="judgement", newest=SCHEMA_VERSION, upgrade=_upgraded)


_SINCE_2 = {"said": "mean_predicted", "so": "observed_fraction"}


def _upgraded(document: Any) -> Any:
    """A document of version 1 with the names of version 2: of the reliability bins and the three-way call."""
    if not isinstance(document, dict) or document.get("schema_version") != 1:
        return document
    found = dict(document)
    found["reliability"] = [
        {_SINCE_2.get(key, key): value for key, value in bins.items()} for bins in found.get("reliability", [])
    ]
    if three := found.get("three_way"):
        metrics = [
            {**metric, "name": metric["name"].replace("left open", "indeterminate rate")} for metric in three["metrics"]
        ]
        found["three_way"] = {**three, "metrics": metrics}
    return found


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json_schema(EvaluationResult)
