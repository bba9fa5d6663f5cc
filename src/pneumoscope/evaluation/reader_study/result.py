"""The result of a reader study: plain numbers with a schema and a version.

The JSON is a contract. A change that an old reader would misunderstand raises ``SCHEMA_VERSION``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pneumoscope.evaluation.serialization import json_schema, to_json
from pneumoscope.settings import NOTICE
from pneumoscope.stats.agreement import Agreement  # noqa: TC001 - msgspec reads the annotations
from pneumoscope.stats.metrics import Metric  # noqa: TC001 - msgspec reads the annotations
from pneumoscope.stats.mrmc import ORComponents  # noqa: TC001 - msgspec reads the annotations
from pneumoscope.stats.mrmc_power import StudySize  # noqa: TC001 - msgspec reads the annotations

__all__ = [
    "SCHEMA_VERSION",
    "ArmAgreement",
    "ArmComparison",
    "ArmMeanResult",
    "ComponentsOfFigure",
    "DisputedFilm",
    "GapAnalysis",
    "NextStudy",
    "ReaderResult",
    "ReaderStudyResult",
    "ReaderTest",
    "ReadersAndModel",
    "ReadingTime",
    "TimeRatio",
    "schema",
]

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ReaderResult:
    """One reader in one arm.

    Attributes:
        reader: As in the table.
        arm: As in the table.
        films: Read, of those with a label.
        gaps: Of those with a label, not read.
        auc: From the ratings; without a value where they are missing.
        sensitivity: Of the calls.
        specificity: Of the calls.
    """

    reader: str
    arm: str
    films: int
    gaps: int
    auc: Metric
    sensitivity: Metric
    specificity: Metric


@dataclass(frozen=True, slots=True)
class ReaderTest:
    """A reader against the model at its frozen point, on the films that both have read.

    Attributes:
        reader: As in the table.
        arm: As in the table.
        figure: "AUC", "sensitivity" or "specificity".
        reader_value: Of the reader.
        model_value: Of the model on the same films.
        difference: Reader less model.
        low: Lower end of its 95 % interval; None where it cannot be computed.
        high: Upper end.
        p: Two-sided; None where it cannot be computed.
        p_adjusted: After Holm's correction for all readers of the arm and figure.
        films: That the figure is of.
        method: Of the test.
    """

    reader: str
    arm: str
    figure: str
    reader_value: float
    model_value: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    films: int
    method: str


@dataclass(frozen=True, slots=True)
class ArmMeanResult:
    """The mean of an arm's readers.

    Attributes:
        figure: "AUC", "sensitivity" or "specificity".
        arm: As in the table.
        readers_are: "random" or "fixed".
        cases_are: Likewise.
        value: The mean.
        low: Lower end of its 95 % interval; None without any variation.
        high: Upper end.
        df: Degrees of freedom; None where they are infinite.
        readers: Of the analysis.
        cases: Patients.
    """

    figure: str
    arm: str
    readers_are: str
    cases_are: str
    value: float
    low: float | None
    high: float | None
    df: float | None
    readers: int
    cases: int


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """An arm against an earlier one, over all readers (Obuchowski-Rockette).

    Attributes:
        figure: "AUC", "sensitivity" or "specificity".
        first: The earlier arm.
        second: The later.
        readers_are: "random" or "fixed".
        cases_are: Likewise.
        first_value: Mean of the readers.
        second_value: Likewise.
        difference: Second less first.
        low: Lower end of its 95 % interval; None without any variation.
        high: Upper end.
        statistic: F of the difference.
        df: Hillis's degrees of freedom; None where they are infinite.
        p: Two-sided.
        margin: Of non-inferiority; None if none was stated.
        p_non_inferior: One-sided.
        non_inferior: Whether the second is shown not to be worse by the margin (one-sided 2.5 %); None without one.
        readers: Of the analysis.
        cases: Patients of the films that all of them read in all arms.
    """

    figure: str
    first: str
    second: str
    readers_are: str
    cases_are: str
    first_value: float
    second_value: float
    difference: float
    low: float | None
    high: float | None
    statistic: float | None
    df: float | None
    p: float | None
    margin: float | None
    p_non_inferior: float | None
    non_inferior: bool | None
    readers: int
    cases: int


@dataclass(frozen=True, slots=True)
class ReadersAndModel:
    """The readers' mean of an arm against the model.

    Attributes:
        figure: "AUC", "sensitivity" or "specificity".
        arm: As in the table.
        readers_are: "random" or "fixed".
        cases_are: Likewise.
        readers_value: Mean of the readers.
        model_value: Of the model on the same films.
        difference: Readers less model.
        low: Lower end of its 95 % interval; None without any variation.
        high: Upper end.
        df: None where they are infinite.
        p: Two-sided.
        margin: Of non-inferiority of the model; None if none was stated.
        p_non_inferior: One-sided.
        non_inferior: Whether the model is shown not to be worse than the readers by the margin (one-sided 2.5 %).
        readers: Of the analysis.
        cases: Patients of the films that all of them and the model read.
    """

    figure: str
    arm: str
    readers_are: str
    cases_are: str
    readers_value: float
    model_value: float
    difference: float
    low: float | None
    high: float | None
    df: float | None
    p: float | None
    margin: float | None
    p_non_inferior: float | None
    non_inferior: bool | None
    readers: int
    cases: int


@dataclass(frozen=True, slots=True)
class ComponentsOfFigure:
    """Obuchowski and Rockette's variance components of a figure, and the mean squares they come from."""

    figure: str
    components: ORComponents
    ms_arm: float
    ms_reader: float
    ms_interaction: float
    covariance: str


@dataclass(frozen=True, slots=True)
class GapAnalysis:
    """The same difference from all readings that there are, by U-statistics.

    Attributes:
        figure: "AUC", "sensitivity" or "specificity".
        what: The arm, or the arms: "aided less unaided".
        value: Of the difference, or of the arm's mean.
        low: Lower end of its 95 % interval; None where it cannot be computed.
        high: Upper end.
        p: Of a difference; else None.
        readers: That it is of.
    """

    figure: str
    what: str
    value: float
    low: float | None
    high: float | None
    p: float | None
    readers: int


@dataclass(frozen=True, slots=True)
class ArmAgreement:
    """A measure of the agreement of an arm's readers; of two by name, or of all."""

    arm: str
    of: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class ReadingTime:
    """Seconds a film: of a reader in an arm, or of all readers ("all").

    Attributes:
        reader: As in the table, or "all".
        arm: As in the table.
        median: Seconds.
        lower: Lower quartile.
        upper: Upper quartile.
        films: With a time.
        hours: Of all of them.
    """

    reader: str
    arm: str
    median: float
    lower: float
    upper: float
    films: int
    hours: float


@dataclass(frozen=True, slots=True)
class TimeRatio:
    """How many times as long a film takes in an arm as in an earlier one.

    Attributes:
        first: The earlier arm.
        second: The later.
        ratio: Geometric mean over readers of each reader's geometric mean over films read in both.
        low: Lower end of its 95 % interval, by Student's t over readers; None with one reader.
        high: Upper end.
        p: Two-sided, of a ratio of 1.
        readers: Number of them.
    """

    first: str
    second: str
    ratio: float
    low: float | None
    high: float | None
    p: float | None
    readers: int


@dataclass(frozen=True, slots=True)
class NextStudy:
    """Readers and cases of the next study.

    Attributes:
        figure: "AUC", "sensitivity" or "specificity".
        difference: Between two arms, that it is to show.
        power: Wanted.
        alpha: Two-sided.
        sizes: Cases by readers.
    """

    figure: str
    difference: float
    power: float
    alpha: float
    sizes: tuple[StudySize, ...]


@dataclass(frozen=True, slots=True)
class DisputedFilm:
    """A film on which most readers and the model differ, or the readers among themselves.

    Attributes:
        film: As in the table.
        label: The reference's; empty if it has none.
        positive: Whether that is the finding; None if it has none.
        probability: The model's; None if unknown.
        model_called: At its frozen point; None if unknown.
        arm: Whose readings these are.
        called: Readers that called it.
        readers: That said either.
        calls: By reader.
    """

    film: str
    label: str
    positive: bool | None
    probability: float | None
    model_called: bool | None
    arm: str
    called: int
    readers: int
    calls: dict[str, bool]

    @property
    def majority(self) -> bool | None:
        """What most readers say; None if they are evenly split."""
        return None if 2 * self.called == self.readers else 2 * self.called > self.readers


@dataclass(frozen=True, slots=True)
class ReaderStudyResult:
    """All that is said of a reader study.

    Attributes:
        study: Its name; empty if the table has none.
        version: Of the study; empty likewise.
        finding: What was looked for.
        arms: In their order.
        readers: By name.
        films: All.
        labelled: With a label in the reference.
        positives: With the finding.
        patients: Of the labelled films.
        readings: In all arms.
        complete_films: Labelled films that the analysis over readers is of: read by all its readers in all arms.
        complete_readers: Readers of that analysis.
        model: The model on the labelled films: AUC, sensitivity, specificity; empty without one.
        threshold: Of the model's frozen point.
        bundle: That read the films.
        results: One a reader and arm.
        tests: Each reader against the model.
        means: Of the arms.
        comparisons: Of arms.
        readers_and_model: The readers' mean against the model.
        components: By figure.
        gap_analyses: All readings, by U-statistics.
        agreements: By arm.
        times: By arm and reader.
        time_ratios: Of arms.
        next_studies: By figure; empty with one arm.
        disputes: Films where most readers and the model differ first.
        warnings: What a reader must know before believing a figure.
        limits: What these figures cannot say, each a sentence.
        margin: Of non-inferiority, stated before; None if none was.
        draws: Of the bootstrap.
        seed: Of the bootstrap.
        created: ISO 8601, UTC.
        software: pneumoscope's version.
        schema_version: Of this document.
        notice: Research use only.
    """

    study: str
    version: str
    finding: str
    arms: tuple[str, ...]
    readers: tuple[str, ...]
    films: int
    labelled: int
    positives: int
    patients: int
    readings: int
    complete_films: int
    complete_readers: tuple[str, ...]
    model: tuple[Metric, ...]
    threshold: float | None
    bundle: str
    results: tuple[ReaderResult, ...]
    tests: tuple[ReaderTest, ...] = ()
    means: tuple[ArmMeanResult, ...] = ()
    comparisons: tuple[ArmComparison, ...] = ()
    readers_and_model: tuple[ReadersAndModel, ...] = ()
    components: tuple[ComponentsOfFigure, ...] = ()
    gap_analyses: tuple[GapAnalysis, ...] = ()
    agreements: tuple[ArmAgreement, ...] = ()
    times: tuple[ReadingTime, ...] = ()
    time_ratios: tuple[TimeRatio, ...] = ()
    next_studies: tuple[NextStudy, ...] = ()
    disputes: tuple[DisputedFilm, ...] = ()
    warnings: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    margin: float | None = None
    draws: int = 2000
    seed: int = 0
    created: str = ""
    software: str = ""
    schema_version: int = SCHEMA_VERSION
    notice: str = NOTICE

    def to_json(self) -> bytes:
        """As JSON, indented; a number is never NaN or infinite."""
        return to_json(self)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json_schema(ReaderStudyResult)
