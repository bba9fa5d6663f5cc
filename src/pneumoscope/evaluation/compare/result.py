"""The result of a comparison: plain numbers with a schema and a version.

The JSON is a contract. A change that an old reader would misunderstand raises ``SCHEMA_VERSION``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pneumoscope.evaluation.serialization import json_schema, to_json
from pneumoscope.settings import NOTICE
from pneumoscope.stats.metrics import Metric, frame_of, html_table

__all__ = [
    "SCHEMA_VERSION",
    "Comparison",
    "Disagreement",
    "PairAgreement",
    "PairedTest",
    "SeedGroup",
    "SeedSpread",
    "SystemMetrics",
    "UnmatchedFilm",
    "schema",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class SystemMetrics:
    """One system: what it is, and its figures on the films that all systems have.

    Attributes:
        name: As asked for; different for each system.
        kind: "run", "bundle", "model" (any ONNX classifier) or "table".
        about: The network and its options, or whose table it is.
        family: Runs that differ in nothing but their seed share it.
        classes: What it tells apart.
        parameters: Number of weights; None where it is not known (so too below).
        size: Side of the network's input in pixels.
        file_bytes: Of the bundle.
        train_accuracy: Films called as their likeliest class, of those learned from, while they were learned in the
            chosen epoch: with augmentation and dropout on.
        val_accuracy: Likewise of the validation films, which chose the epoch: it flatters.
        films_a_second: Of the network alone, one film at a time on one CPU thread of this machine.
        minutes: Of training.
        epoch_seconds: Median time of an epoch.
        epochs: That were run.
        seed: Of the run.
        machine: That it was trained on, in words.
        own_films: Films that the system has, common or not.
        refused: Films that it gave no probability for.
        threshold: On the probability of the finding.
        threshold_from: Where the threshold comes from, in words.
        metrics: "AUC", "recall", "specificity", "precision", "F1", "accuracy" at the threshold, "class accuracy" of the
            likeliest class, "Brier", "ECE", "log loss", and for more than two classes "macro F1".
    """

    name: str
    kind: str
    about: str
    family: str
    classes: tuple[str, ...]
    parameters: int | None
    size: int | None
    file_bytes: int | None
    train_accuracy: float | None
    val_accuracy: float | None
    films_a_second: float | None
    minutes: float | None
    epoch_seconds: float | None
    epochs: int | None
    seed: int | None
    machine: str
    own_films: int
    refused: int
    threshold: float
    threshold_from: str
    metrics: tuple[Metric, ...]

    def metric(self, name: str) -> Metric | None:
        """One figure; None if there is no such row."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def value(self, name: str) -> float | None:
        """One figure's value; None if there is none."""
        metric = self.metric(name)
        return None if metric is None else metric.value


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """A figure over the seeds of a family: what training again would change."""

    name: str
    mean: float
    sd: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Runs that differ in their seed alone.

    Attributes:
        name: Of the family.
        runs: Their names, two or more.
        figures: One a figure that all of them have.
    """

    name: str
    runs: tuple[str, ...]
    figures: tuple[SeedSpread, ...]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Whether two systems differ in a figure, on the same films.

    Attributes:
        first: The system with the larger figure.
        second: The other.
        figure: "AUC", "accuracy", ...
        difference: First less second.
        low: Lower end of its 95 % interval; None where it cannot be computed.
        high: Upper end.
        p: Two-sided, of this test alone; None where the test cannot be made.
        p_adjusted: After Holm's correction for all pairs of this figure.
        method: Of the test.
        note: Why there is no test, or other remarks.
    """

    first: str
    second: str
    figure: str
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    method: str
    note: str = ""

    @property
    def differs(self) -> bool:
        """Whether the difference stands after the correction, at 5 %."""
        return self.p_adjusted is not None and self.p_adjusted < 0.05


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How often the calls of two systems at their thresholds are right, on the same films."""

    first: str
    second: str
    both_right: int
    first_alone_right: int
    second_alone_right: int
    both_wrong: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A film that the systems do not all call alike.

    Attributes:
        path: As in the first system's table.
        label: Its class.
        positive: Whether that is the finding.
        probability: Of the finding, by system.
        called: By system, whether it is at or above that system's threshold.
    """

    path: str
    label: str
    positive: bool
    probability: dict[str, float]
    called: dict[str, bool]

    @property
    def spread(self) -> float:
        """How far the probabilities lie apart."""
        return max(self.probability.values()) - min(self.probability.values())


@dataclass(frozen=True, slots=True)
class UnmatchedFilm:
    """A film that not every system has: it is in no figure of this comparison.

    Attributes:
        path: As in the table of a system that has it.
        of: Systems with a probability for it.
        refused_by: Systems that refused it.
    """

    path: str
    of: tuple[str, ...]
    refused_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is said of several systems on the same films.

    Attributes:
        finding: What was looked for.
        films: Which films, in words.
        common: Films that every system has; all figures are of these.
        positives: Of them, those with the finding.
        patients: Of them; None where nobody knows.
        matched_by: "path" or "sha256".
        preset: The operating point.
        sorted_by: The figure that orders the rows.
        reference: The system that the others are tested against; "" if every pair is tested.
        rows: Best first.
        families: Of runs with different seeds.
        seed_pairs: Families against each other: whether they differ by more than their seeds do.
        pairs: The tests, figure by figure.
        agreements: Of the pairs.
        disputes: The widest apart first.
        unmatched: Films that not all have.
        warnings: What a reader must know before believing a figure.
        limits: What these figures cannot say, each a sentence.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
        created: ISO 8601, UTC.
        software: pneumoscope's version.
        schema_version: Of this document.
        notice: Research use only.
    """

    finding: str
    films: str
    common: int
    positives: int
    patients: int | None
    matched_by: str
    preset: str
    sorted_by: str
    reference: str
    rows: tuple[SystemMetrics, ...]
    families: tuple[SeedGroup, ...] = ()
    seed_pairs: tuple[PairedTest, ...] = ()
    pairs: tuple[PairedTest, ...] = ()
    agreements: tuple[PairAgreement, ...] = ()
    disputes: tuple[Disagreement, ...] = ()
    unmatched: tuple[UnmatchedFilm, ...] = ()
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    draws: int = 2000
    seed: int = 0
    created: str = ""
    software: str = ""
    schema_version: int = SCHEMA_VERSION
    notice: str = NOTICE

    def __repr__(self) -> str:
        """In one line."""
        return f"<Comparison of {', '.join(row.name for row in self.rows)}>"

    def to_frame(self) -> Any:
        """The systems as a ``pandas.DataFrame``: one row a system and figure.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return frame_of(self._named_rows())

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return html_table(self._named_rows())

    def _named_rows(self) -> tuple[Metric, ...]:
        return tuple(replace(metric, name=f"{row.name}: {metric.name}") for row in self.rows for metric in row.metrics)

    def to_json(self) -> bytes:
        """As JSON, indented; a number is never NaN or infinite."""
        return to_json(self)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json_schema(Comparison)
