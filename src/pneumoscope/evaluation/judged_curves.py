"""The curves of a judgement: what one rate costs of another."""

from __future__ import annotations

from dataclasses import dataclass

from pneumoscope.statistics.metrics import Metric  # noqa: TC001 - msgspec reads the annotations

__all__ = ["AtFixedRate", "DecisionCurve", "PrevalenceCurve", "ReliabilityBins", "RocPoints"]


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
    """What was said and what was so, in bins of equal width; empty ones are left out.

    Attributes:
        of: The finding, or a class.
        said: Mean probability.
        so: Share of the films for which it is true.
        low: Wilson's interval.
        high: Likewise.
        films: In the bin.
    """

    of: str
    said: tuple[float, ...]
    so: tuple[float, ...]
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
class AtFixedRate:
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
