"""What the model says of one film. The JSON form is in ``reports/json.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pneumoscope.settings import NOTICE

if TYPE_CHECKING:
    from pneumoscope.types.correction import Correction
    from pneumoscope.types.evidence import Evidence
    from pneumoscope.types.radiograph import FilmInfo

__all__ = ["INDETERMINATE", "Expected", "Finding", "ModelRef", "Pattern", "Reading", "Refusal", "Software"]

INDETERMINATE = "indeterminate"
"""The call of a film between two thresholds, and the pattern of one whose set holds several patterns."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The no of quality control, or the decoder's.

    Attributes:
        code: One word for machines: "unreadable", "too-large", "not-a-chest", ...
        reason: Why, in plain words.
        remedy: What the person can do about it; nothing that only one way in (a command line, a page) has.
    """

    code: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Expected:
    """How often calls at the operating point are right.

    Attributes:
        sensitivity: Share of the films with the finding that are called, in [0, 1].
        specificity: Share of the films without it that are not.
        where: On which films that was seen, in words.
    """

    sensitivity: float
    specificity: float
    where: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The decision for the finding that the bundle was made for.

    Attributes:
        name: "pneumonia" in the shipped bundles.
        probability: Calibrated, in [0, 1]: the sum over the classes that count as the finding.
        threshold: Of the operating point; a probability at or above it is called.
        preset: Name of the operating point: "three-way", "screening" or "balanced".
        call: The name, "no " and the name, or "indeterminate".
        lower: Of a three-way call: below it the finding is said to be absent, and from it to the threshold the call is
            indeterminate; None where one threshold decides.
        expected: How often such a call is right; None where it is not known, or does not hold for this film.
    """

    name: str
    probability: float
    threshold: float
    preset: str
    call: str
    lower: float | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which of the finding's classes it looks like: a radiographic impression, not microbiology.

    Attributes:
        call: One of the finding's classes, "indeterminate", or None when the finding is not called.
        set: The conformal prediction set over all classes (Vovk 2005; class-conditional).
        coverage: The set's nominal coverage, in (0, 1); None if the bundle has no conformal quantiles.
    """

    call: str | None
    set: tuple[str, ...]
    coverage: float | None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which bundle spoke."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Software:
    """Which program ran it."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The outcome for one film: read, or refused with a reason and no number at all.

    Attributes:
        film: What was read.
        status: "read" or "refused".
        refusal: Set if and only if the status is "refused".
        corrections: What was put right before reading, in the order in which it was.
        forced: Whether quality control refused the film and it was read all the same: nothing vouches for the numbers.
            The first warning then says why it was refused.
        warnings: What a person should know about this film.
        probabilities: Calibrated probability by class, in the bundle's order; None if refused.
        positive_classes: Those of the classes that count as the finding; none if refused.
        finding: The decision; None if refused.
        pattern: None if refused, or if the bundle has one positive class only.
        evidence: The map that sums to the logits; None if refused.
        model: The bundle; None if the film was refused before a bundle was asked.
        software: This program.
        notice: Research use only.
    """

    film: FilmInfo
    status: Literal["read", "refused"]
    software: Software
    model: ModelRef | None = None
    refusal: Refusal | None = None
    corrections: tuple[Correction, ...] = ()
    forced: bool = False
    warnings: tuple[str, ...] = ()
    probabilities: dict[str, float] | None = None
    positive_classes: tuple[str, ...] = ()
    finding: Finding | None = None
    pattern: Pattern | None = None
    evidence: Evidence | None = None
    notice: str = NOTICE

    def __post_init__(self) -> None:
        """A refused film never carries a number."""
        refused = self.status == "refused"
        if refused != (self.refusal is not None) or refused != (self.probabilities is None):
            raise ValueError("a refused reading has a refusal and no probabilities; a read one the reverse")
        if refused and (self.forced or self.positive_classes):
            raise ValueError("a refused reading was not forced, and has no classes")
        if not set(self.positive_classes) <= set(self.probabilities or ()):
            raise ValueError("the positive classes are among those that have a probability")
