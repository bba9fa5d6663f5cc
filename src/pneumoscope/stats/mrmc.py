"""Multi-reader multi-case analysis: several readers, the same films, one way of reading or several (arms).

The model is Obuchowski and Rockette's (Commun. Stat. Simul. Comput. 24 (1995) 285): the figure of reader j in arm i is
mu + arm_i + reader_j + (arm x reader)_ij + error_ij, and the errors are correlated because all read the same films.
Their covariances come from the films by the jackknife or by DeLong's method. Degrees of freedom are Hillis's (Stat.
Med. 26 (2007) 596); the analyses with readers or cases held fixed, and that of one arm alone, are those of Hillis,
Obuchowski and Berbaum (Acad. Radiol. 18 (2011) 129).

Arrays of figures are [arms, readers], arrays of readings [arms, readers, films].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import chdtrc, fdtrc, ndtr, stdtr, stdtrit

from pneumoscope.stats.proportions import normal_quantile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pneumoscope.stats.reader_figures import ReaderFigures

    Floats = NDArray[np.float64]

__all__ = [
    "ArmDifference",
    "ArmMean",
    "FactorialAnalysis",
    "Inference",
    "ORComponents",
    "SystemDifference",
    "obuchowski_rockette",
    "readers_against_system",
    "student_interval",
]

_TINY = 1e-14


@dataclass(frozen=True, slots=True)
class ORComponents:
    """Obuchowski and Rockette's variance components.

    Attributes:
        reader: Variance between readers; may be estimated below 0.
        interaction: Of arm by reader; may be estimated below 0.
        error: Of one figure by the choice of films.
        cov1: Covariance of the errors of one reader in different arms.
        cov2: Of different readers in one arm.
        cov3: Of different readers in different arms.
    """

    reader: float
    interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True, slots=True)
class ArmMean:
    """The mean figure of an arm's readers, from that arm's readings alone.

    Attributes:
        value: The mean.
        standard_error: None, with the interval, where it cannot be computed (no variation at all).
        df: Degrees of freedom; infinite with readers fixed.
        low: Lower end of the interval, within 0 and 1.
        high: Upper end.
    """

    value: float
    standard_error: float | None
    df: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ArmDifference:
    """The mean figure of an arm less that of an earlier one.

    Attributes:
        first: Number of the earlier arm.
        second: Of the later.
        value: Second less first.
        standard_error: None, with interval and p-values, where there is no variation at all.
        df: Degrees of freedom; infinite with readers fixed.
        low: Lower end of the interval.
        high: Upper end.
        p: Two-sided, of no difference.
        p_non_inferior: One-sided, of the second being worse than the first by the margin or more; None without one.
    """

    first: int
    second: int
    value: float
    standard_error: float | None
    df: float
    low: float | None
    high: float | None
    p: float | None
    p_non_inferior: float | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """What follows if readers, cases or both are samples of more.

    Attributes:
        readers: "random" or "fixed".
        cases: "random" or "fixed".
        statistic: F; chi-squared over its degrees of freedom with readers fixed; None with one arm or no variation.
        df1: Of the numerator.
        df2: Of the denominator: Hillis's; infinite with readers fixed.
        p: Of no difference between any arms; None without a statistic.
        means: One an arm.
        differences: One a pair of arms.
    """

    readers: Literal["random", "fixed"]
    cases: Literal["random", "fixed"]
    statistic: float | None
    df1: float
    df2: float
    p: float | None
    means: tuple[ArmMean, ...]
    differences: tuple[ArmDifference, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FactorialAnalysis:
    """The analysis of a study in which every reader read every film in every arm.

    Attributes:
        figures: Of each reader in each arm, with their covariances.
        components: None with one reader or one arm, where they cannot be told apart.
        ms_arm: Mean square of arms; 0 with one arm.
        ms_reader: Of readers; 0 with one reader.
        ms_interaction: Of arm by reader; 0 with one of either.
        inferences: Readers and cases random, readers fixed, cases fixed. With one reader, readers fixed alone.
    """

    figures: ReaderFigures
    components: ORComponents | None
    ms_arm: float
    ms_reader: float
    ms_interaction: float
    inferences: tuple[Inference, ...]

    def inference(self, readers: str = "random", cases: str = "random") -> Inference | None:
        """That of the given kind; None if there is none."""
        return next((one for one in self.inferences if (one.readers, one.cases) == (readers, cases)), None)


@dataclass(frozen=True, slots=True)
class SystemDifference:
    """The readers' mean figure less that of a system on the same films.

    Attributes:
        readers: "random" or "fixed".
        cases: "random" or "fixed".
        mean: Of the readers.
        system: The system's own figure.
        value: Mean less system.
        standard_error: None, with interval and p-values, where there is no variation at all.
        df: Degrees of freedom; infinite with readers fixed.
        low: Lower end of the interval of the difference.
        high: Upper end.
        p: Two-sided, of no difference.
        p_non_inferior: One-sided, of the system being worse than the readers by the margin or more; None without one.
    """

    readers: Literal["random", "fixed"]
    cases: Literal["random", "fixed"]
    mean: float
    system: float
    value: float
    standard_error: float | None
    df: float
    low: float | None
    high: float | None
    p: float | None
    p_non_inferior: float | None = None


def obuchowski_rockette(
    figures: ReaderFigures, *, margin: float | None = None, confidence: float = 0.95
) -> FactorialAnalysis:
    """The analysis of figures of all readers in all arms: random readers and cases, or one of them fixed.

    Args:
        figures: Of all readers in all arms.
        margin: Of non-inferiority, above 0: how much worse a later arm may be than an earlier one.
        confidence: Of the intervals.

    Raises:
        ValueError: A margin that is not above 0, or an impossible confidence.
    """
    if margin is not None and not margin > 0:
        raise ValueError(f"a margin must be above 0, not {margin}")
    normal_quantile(confidence)
    values, covariance = figures.values, figures.covariance
    t, r = values.shape
    overall, of_arm, of_reader = values.mean(), values.mean(axis=1), values.mean(axis=0)
    ms_arm = float(r * ((of_arm - overall) ** 2).sum() / (t - 1)) if t > 1 else 0.0
    ms_reader = float(t * ((of_reader - overall) ** 2).sum() / (r - 1)) if r > 1 else 0.0
    rest = values - of_arm[:, None] - of_reader[None, :] + overall
    ms_interaction = float((rest**2).sum() / ((t - 1) * (r - 1))) if t > 1 and r > 1 else 0.0
    error, cov1, cov2, cov3 = _mean_covariances(covariance)
    components = None
    if t > 1 and r > 1:
        components = ORComponents(
            reader=(ms_reader - ms_interaction) / t - cov1 + cov3,
            interaction=ms_interaction - error + cov1 + max(cov2 - cov3, 0.0),
            error=error,
            cov1=cov1,
            cov2=cov2,
            cov3=cov3,
        )
    shared = max(cov2 - cov3, 0.0)
    # Of each arm alone: mean square of its readers, its error variance and covariance.
    alone = [(float(values[i].var(ddof=1)) if r > 1 else 0.0, *_arm_covariances(covariance, i)) for i in range(t)]
    kinds: list[tuple[Literal["random", "fixed"], Literal["random", "fixed"], float, float]] = []
    if r > 1:
        both = ms_interaction + r * shared
        hillis = both**2 / (ms_interaction**2 / ((t - 1) * (r - 1))) if ms_interaction > _TINY and t > 1 else np.inf
        kinds.append(("random", "random", both, hillis))
    kinds.append(("fixed", "random", error - cov1 + (r - 1) * shared, np.inf))
    if r > 1:
        kinds.append(("random", "fixed", ms_interaction, float((t - 1) * (r - 1))))
    inferences = []
    for readers, cases, denominator, df in kinds:
        statistic = ms_arm / denominator if t > 1 and denominator > _TINY else None
        p = None
        if statistic is not None:
            p = float(chdtrc(t - 1, statistic * (t - 1)) if np.isinf(df) else fdtrc(t - 1, df, statistic))
        means = tuple(
            _arm_mean(float(of_arm[i]), r, *alone[i], readers=readers, cases=cases, confidence=confidence)
            for i in range(t)
        )
        differences = tuple(
            _arm_difference(i, j, float(of_arm[j] - of_arm[i]), 2 * denominator / r, df, margin, confidence)
            for i in range(t)
            for j in range(i + 1, t)
        )
        inferences.append(Inference(readers, cases, statistic, float(t - 1), df, p, means, differences))
    return FactorialAnalysis(figures, components, ms_arm, ms_reader, ms_interaction, tuple(inferences))


def readers_against_system(
    figures: ReaderFigures, *, margin: float | None = None, confidence: float = 0.95
) -> tuple[SystemDifference, ...]:
    """The readers' mean against a system that read the same films.

    The differences of the readers to the system are analysed as one arm (Hillis, Obuchowski, Berbaum 2011, single
    arm; so done for stand-alone systems by Hupse et al., Radiology 266 (2013) 123). The system is fixed: it would say
    the same of a film again. Its figures share the films, so that a hard set is hard for both.

    Args:
        figures: Of one arm [1, readers + 1]; the system's is the last.
        margin: Of non-inferiority, above 0: how much worse the system may be than the readers' mean.
        confidence: Of the intervals.

    Returns:
        Readers and cases random, readers fixed, cases fixed; with one reader, readers fixed alone.

    Raises:
        ValueError: Not one arm, no reader, or a margin that is not above 0.
    """
    if figures.values.shape[0] != 1 or figures.values.shape[1] < 2:
        raise ValueError(f"one arm of readers and a system is needed, not {figures.values.shape}")
    if margin is not None and not margin > 0:
        raise ValueError(f"a margin must be above 0, not {margin}")
    values, covariance = figures.values[0], figures.covariance[0, :, 0, :]
    r = len(values) - 1
    mean, system = float(values[:-1].mean()), float(values[-1])
    own = covariance[:-1, :-1] - covariance[:-1, -1:] - covariance[-1:, :-1] + covariance[-1, -1]
    error = float(np.diag(own).mean())
    cov2 = float((own.sum() - np.trace(own)) / (r * (r - 1))) if r > 1 else 0.0
    spread = float(values[:-1].var(ddof=1)) if r > 1 else 0.0
    found = []
    for readers, cases, variance, df in _single_arm_variances(r, spread, error, cov2):
        low, high, p, worse = student_interval(system - mean, variance, df, margin, confidence)
        # The margin is asked of the system; the difference is told of the readers.
        low, high = (None, None) if low is None or high is None else (-high, -low)
        scale = None if variance <= _TINY else float(np.sqrt(variance))
        found.append(SystemDifference(readers, cases, mean, system, mean - system, scale, df, low, high, p, worse))
    return tuple(found)


def _mean_covariances(covariance: Floats) -> tuple[float, float, float, float]:
    """The means of the four kinds: error, cov1, cov2, cov3; 0 where there is none of a kind."""
    t, r = covariance.shape[:2]
    same_arm, same_reader = np.eye(t, dtype=bool)[:, None, :, None], np.eye(r, dtype=bool)[None, :, None, :]
    kinds = (same_arm & same_reader, ~same_arm & same_reader, same_arm & ~same_reader, ~same_arm & ~same_reader)
    full = (np.broadcast_to(kind, covariance.shape) for kind in kinds)
    error, cov1, cov2, cov3 = (float(covariance[kind].mean()) if kind.any() else 0.0 for kind in full)
    return error, cov1, cov2, cov3


def _arm_covariances(covariance: Floats, arm: int) -> tuple[float, float]:
    error, _, cov2, _ = _mean_covariances(covariance[arm : arm + 1, :, arm : arm + 1, :])
    return error, cov2


def _single_arm_variances(
    r: int, spread: float, error: float, cov2: float
) -> Iterator[tuple[Literal["random", "fixed"], Literal["random", "fixed"], float, float]]:
    """Variance of the mean of one arm's readers, and its degrees of freedom, of each kind of inference."""
    shared = max(cov2, 0.0)
    if r > 1:
        both = spread + r * shared
        yield "random", "random", both / r, both**2 / (spread**2 / (r - 1)) if spread > _TINY else np.inf
    yield "fixed", "random", (error + (r - 1) * shared) / r, np.inf
    if r > 1:
        yield "random", "fixed", spread / r, float(r - 1)


def _arm_mean(
    value: float, r: int, spread: float, error: float, cov2: float, *, readers: str, cases: str, confidence: float
) -> ArmMean:
    variance, df = next(
        (variance, df)
        for first, second, variance, df in _single_arm_variances(r, spread, error, cov2)
        if (first, second) == (readers, cases)
    )
    low, high, _, _ = student_interval(value, variance, df, None, confidence)
    if low is None or high is None:
        return ArmMean(value, None, df, None, None)
    return ArmMean(value, float(np.sqrt(variance)), df, max(0.0, low), min(1.0, high))


def _arm_difference(  # noqa: PLR0917 - of one caller or two
    first: int, second: int, value: float, variance: float, df: float, margin: float | None, confidence: float
) -> ArmDifference:
    low, high, p, worse = student_interval(value, variance, df, margin, confidence)
    scale = None if variance <= _TINY else float(np.sqrt(variance))
    return ArmDifference(first, second, value, scale, df, low, high, p, worse)


def student_interval(
    value: float, variance: float, df: float, margin: float | None, confidence: float
) -> tuple[float | None, float | None, float | None, float | None]:
    """Interval, two-sided p of 0, and one-sided p of -margin or less; None where there is no variation."""
    if not variance > _TINY:
        return None, None, None, None
    scale = float(np.sqrt(variance))
    quantile = normal_quantile(confidence) if np.isinf(df) else float(stdtrit(df, 0.5 + confidence / 2))

    def below(t: float) -> float:
        return float(ndtr(t) if np.isinf(df) else stdtr(df, t))

    worse = None if margin is None else below(-(value + margin) / scale)
    return value - quantile * scale, value + quantile * scale, 2 * below(-abs(value) / scale), worse
