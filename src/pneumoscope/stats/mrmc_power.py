"""Power and sample size of the next reader study, from the variance components of this one.

Hillis, Obuchowski and Berbaum, Acad. Radiol. 18 (2011) 129: the variance components of a pilot study are carried to
other numbers of readers and cases; the error's covariances fall as one over the number of cases, at the same share of
cases with the finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import chndtr, fdtri, gammaincinv, ncfdtr, nctdtr, ndtr, ndtri, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pneumoscope.stats.mrmc import ORComponents

__all__ = ["StudySize", "cases_for_power", "study_power", "study_sizes"]

_MAX_CASES = 10_000


@dataclass(frozen=True, slots=True)
class StudySize:
    """A size of a study of two arms, and its power.

    Attributes:
        readers: Of the study.
        cases: Of the study; None where no number up to 10,000 gives the power.
        power: The chance that the study shows the difference (or the non-inferiority); with ``cases`` None, that of
            10,000 cases.
    """

    readers: int
    cases: int | None
    power: float


def study_power(
    components: ORComponents,
    pilot_cases: int,
    *,
    readers: int,
    cases: int,
    difference: float,
    margin: float | None = None,
    readers_random: bool = True,
    cases_random: bool = True,
    alpha: float = 0.05,
) -> float:
    """The chance that a study of two arms shows a difference at level alpha, two-sided.

    Args:
        components: Of the pilot study.
        pilot_cases: Its cases (patients).
        readers: Of the planned study: 2 or more, or 1 with fixed readers.
        cases: Of the planned study, with the pilot's share of the finding.
        difference: That truly is between the arms: the later less the earlier.
        margin: Of non-inferiority: the power to show that the later arm is not worse by this or more, one-sided at
            alpha / 2; None: the power to show a difference.
        readers_random: Whether readers are a sample.
        cases_random: Whether cases are a sample.
        alpha: Level.

    Raises:
        ValueError: A number that makes no study.
    """
    if readers < (2 if readers_random else 1) or cases < 4 or pilot_cases < 4 or not 0 < alpha < 1:
        raise ValueError(f"no study has {readers} readers, {cases} cases, {pilot_cases} in its pilot, level {alpha}")
    if not (readers_random or cases_random) or (margin is not None and not margin > 0):
        raise ValueError("readers, cases or both must be random, and a margin above 0")
    interaction = max(components.interaction, 0.0) if readers_random else 0.0
    shared = max(components.cov2 - components.cov3, 0.0)
    scale = pilot_cases / cases
    alone = components.error - components.cov1
    inner = interaction + scale * max(alone - shared, 0.0)  # the expected mean square of arm by reader
    whole = inner + scale * readers * shared if cases_random else inner
    if not whole > 0:
        return 1.0 if abs(difference) > 0 or margin is not None else alpha
    df = np.inf
    if readers_random:
        df = (readers - 1) * (whole / inner) ** 2 if inner > 0 else np.inf
    standard_error = float(np.sqrt(2 * whole / readers))
    if margin is not None:
        shift = (difference + margin) / standard_error
        if np.isinf(df):
            return float(ndtr(shift - ndtri(1 - alpha / 2)))
        return float(1 - nctdtr(df, shift, stdtrit(df, 1 - alpha / 2)))
    noncentral = (difference / standard_error) ** 2
    if np.isinf(df):
        return float(1 - chndtr(2 * gammaincinv(0.5, 1 - alpha), 1.0, noncentral))
    return float(1 - ncfdtr(1.0, df, noncentral, fdtri(1.0, df, 1 - alpha)))


def cases_for_power(
    components: ORComponents,
    pilot_cases: int,
    *,
    readers: int,
    difference: float,
    power: float = 0.8,
    margin: float | None = None,
    readers_random: bool = True,
    alpha: float = 0.05,
) -> StudySize:
    """The least number of cases with which so many readers reach a power.

    Args:
        components: Of the pilot study.
        pilot_cases: Its cases.
        readers: Of the planned study.
        difference: As for ``study_power``.
        power: Wanted.
        margin: As for ``study_power``.
        readers_random: Whether readers are a sample.
        alpha: Level.

    Raises:
        ValueError: A number that makes no study, or a power outside 0 to 1.
    """
    if not 0 < power < 1:
        raise ValueError(f"a power must be between 0 and 1, not {power}")

    def reached(cases: int) -> float:
        return study_power(
            components,
            pilot_cases,
            readers=readers,
            cases=cases,
            difference=difference,
            margin=margin,
            readers_random=readers_random,
            alpha=alpha,
        )

    most = reached(_MAX_CASES)
    if most < power:
        return StudySize(readers, None, most)
    few, many = 3, _MAX_CASES
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if reached(middle) < power else (few, middle)
    return StudySize(readers, many, reached(many))


def study_sizes(
    components: ORComponents,
    pilot_cases: int,
    *,
    difference: float,
    readers: Sequence[int] = (3, 4, 5, 6, 8, 10, 12, 15, 20),
    power: float = 0.8,
    margin: float | None = None,
    kind: Literal["random", "fixed"] = "random",
    alpha: float = 0.05,
) -> tuple[StudySize, ...]:
    """Cases for each number of readers: the table to choose the next study from."""
    return tuple(
        cases_for_power(
            components,
            pilot_cases,
            readers=count,
            difference=difference,
            power=power,
            margin=margin,
            readers_random=kind == "random",
            alpha=alpha,
        )
        for count in readers
    )
