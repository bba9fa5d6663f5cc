"""What holds over readers: means of arms, arms against each other, the readers against the model, the next study."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.reader_study.accuracy import FIGURES
from pneumoscope.evaluation.reader_study.result import (
    ArmComparison,
    ArmMeanResult,
    ComponentsOfFigure,
    GapAnalysis,
    NextStudy,
    ReadersAndModel,
)
from pneumoscope.stats.mrmc import obuchowski_rockette, readers_against_system
from pneumoscope.stats.mrmc_power import study_sizes
from pneumoscope.stats.reader_figures import auc_figures, rate_figures
from pneumoscope.stats.u_statistics import u_statistic_auc, u_statistic_rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings
    from pneumoscope.stats.mrmc import FactorialAnalysis
    from pneumoscope.stats.reader_figures import CovarianceMethod, ReaderFigures
    from pneumoscope.stats.u_statistics import UStatistic

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

__all__ = ["OverReaders", "analyse_over_readers"]

_LEAST_SHARE = 0.5
"""Of the labelled films that a reader must have read in every arm to be in the complete analysis."""

_MOST_PAIRS = 40_000_000
"""Readers by films with by films without, that the U-statistic holds in memory at once: 320 MB."""


@dataclass(slots=True)
class OverReaders:
    """What was found, figure by figure."""

    films: int = 0
    readers: tuple[str, ...] = ()
    means: list[ArmMeanResult] = field(default_factory=list)
    comparisons: list[ArmComparison] = field(default_factory=list)
    against: list[ReadersAndModel] = field(default_factory=list)
    components: list[ComponentsOfFigure] = field(default_factory=list)
    gaps: list[GapAnalysis] = field(default_factory=list)
    next_studies: list[NextStudy] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def analyse_over_readers(
    readings: ReaderStudyReadings,
    *,
    margin: float | None = None,
    covariance: CovarianceMethod = "jackknife",
    detect: float = 0.05,
    power: float = 0.8,
) -> OverReaders:
    """Analyse AUC, sensitivity and specificity over the readers.

    The complete analysis is of the films that all its readers read in all arms; a reader with fewer than half of the
    labelled films in some arm is not in it, so that one who left half-way does not take the others' films away. The
    U-statistic takes every reading.

    Args:
        readings: The study.
        margin: Of non-inferiority.
        covariance: Of the AUC.
        detect: Difference that the next study is to show.
        power: Of the next study.
    """
    found = OverReaders()
    labelled = readings.truth >= 0
    truth = readings.truth == 1
    for figure in FIGURES:
        table = readings.ratings if figure == "AUC" else readings.calls
        if not np.isfinite(table).any():
            continue
        among = labelled if figure == "AUC" else labelled & (truth if figure == "sensitivity" else ~truth)
        share = np.isfinite(table[:, :, labelled]).mean(axis=2)
        kept = (share >= _LEAST_SHARE).all(axis=0)
        if len(readings.arms) > 1 and not kept.any():
            # Arms with readers of their own: each arm alone, and no comparison within readers.
            _say(found, "No reader has half of the films in every arm: arms are told one by one, and not compared.")
            for a, arm in enumerate(readings.arms):
                _analyse_arms(
                    found, readings, figure, table[a : a + 1], (arm,), share[a] >= _LEAST_SHARE, margin, covariance
                )
        else:
            gone = [name for name, keep in zip(readings.readers, kept, strict=True) if not keep]
            if gone:
                _say(
                    found,
                    f"Not in the complete analysis over readers, with fewer than half of the films: {', '.join(gone)}.",
                )
            analysis, cases = _analyse_arms(found, readings, figure, table, readings.arms, kept, margin, covariance)
            if analysis is not None and analysis.components is not None:
                found.components.append(
                    ComponentsOfFigure(
                        figure,
                        analysis.components,
                        analysis.ms_arm,
                        analysis.ms_reader,
                        analysis.ms_interaction,
                        covariance if figure == "AUC" else "jackknife",
                    )
                )
                if cases >= 4:
                    sizes = study_sizes(analysis.components, cases, difference=detect, power=power)
                    found.next_studies.append(NextStudy(figure, detect, power, 0.05, sizes))
        _against_model(found, readings, figure, table, share, margin, covariance)
        _with_gaps(found, readings, figure, table, among)
    return found


def _say(found: OverReaders, words: str) -> None:
    if words not in found.warnings:
        found.warnings.append(words)


def _figures(
    readings: ReaderStudyReadings, figure: str, table: Floats, films: Mask, covariance: CovarianceMethod
) -> ReaderFigures | None:
    """Of [arms, readers, N] without gaps on the films; None with too few patients."""
    truth, patients = readings.truth[films] == 1, readings.patients[films]
    inside = table[:, :, films]
    try:
        if figure == "AUC":
            return auc_figures(truth, inside, patients, method=covariance)
        hits = inside == truth
        return rate_figures(hits, truth if figure == "sensitivity" else ~truth, patients)
    except ValueError:
        return None


def _analyse_arms(  # noqa: PLR0917 - of this module alone
    found: OverReaders,
    readings: ReaderStudyReadings,
    figure: str,
    table: Floats,
    arms: tuple[str, ...],
    kept: Mask,
    margin: float | None,
    covariance: CovarianceMethod,
) -> tuple[FactorialAnalysis | None, int]:
    table = table[:, kept]
    films = (readings.truth >= 0) & np.isfinite(table).all(axis=(0, 1))
    names = tuple(name for name, keep in zip(readings.readers, kept, strict=True) if keep)
    figures = _figures(readings, figure, table, films, covariance) if names and films.any() else None
    if figures is None:
        _say(found, f"{figure}: too few films were read by all readers for an analysis over readers.")
        return None, 0
    if int(films.sum()) > found.films:
        found.films, found.readers = int(films.sum()), names
    analysis = obuchowski_rockette(figures, margin=margin)
    count, cases = len(names), len(np.unique(readings.patients[films]))
    for one in analysis.inferences:
        for a, mean in enumerate(one.means):
            found.means.append(
                ArmMeanResult(
                    figure,
                    arms[a],
                    one.readers,
                    one.cases,
                    mean.value,
                    mean.low,
                    mean.high,
                    _finite(mean.df),
                    count,
                    cases,
                )
            )
        for gap in one.differences:
            low = gap.p_non_inferior
            statistic = None if gap.standard_error is None else (gap.value / gap.standard_error) ** 2
            found.comparisons.append(
                ArmComparison(
                    figure,
                    arms[gap.first],
                    arms[gap.second],
                    one.readers,
                    one.cases,
                    one.means[gap.first].value,
                    one.means[gap.second].value,
                    gap.value,
                    gap.low,
                    gap.high,
                    statistic,
                    _finite(gap.df),
                    gap.p,
                    margin,
                    low,
                    None if low is None else low < 0.025,
                    count,
                    cases,
                )
            )
    return analysis, cases


def _finite(df: float) -> float | None:
    return float(df) if np.isfinite(df) else None


def _against_model(  # noqa: PLR0917 - of this module alone
    found: OverReaders,
    readings: ReaderStudyReadings,
    figure: str,
    table: Floats,
    share: Floats,
    margin: float | None,
    covariance: CovarianceMethod,
) -> None:
    own = readings.probability if figure == "AUC" else readings.model_calls
    if not np.isfinite(own).any():
        return
    for a, arm in enumerate(readings.arms):
        kept = share[a] >= _LEAST_SHARE
        inside = table[a : a + 1, kept]
        films = (readings.truth >= 0) & np.isfinite(inside).all(axis=(0, 1)) & np.isfinite(own)
        both = np.concatenate([inside, own[None, None, :]], axis=1)
        figures = _figures(readings, figure, both, films, covariance) if kept.any() and films.any() else None
        if figures is None:
            continue
        for one in readers_against_system(figures, margin=margin):
            p = one.p_non_inferior
            found.against.append(
                ReadersAndModel(
                    figure,
                    arm,
                    one.readers,
                    one.cases,
                    one.mean,
                    one.system,
                    one.value,
                    one.low,
                    one.high,
                    _finite(one.df),
                    one.p,
                    margin,
                    p,
                    None if p is None else p < 0.025,
                    int(kept.sum()),
                    len(np.unique(readings.patients[films])),
                )
            )


def _with_gaps(found: OverReaders, readings: ReaderStudyReadings, figure: str, table: Floats, among: Mask) -> None:
    labelled, truth = readings.truth >= 0, readings.truth == 1
    positives, negatives = int((labelled & truth).sum()), int((labelled & ~truth).sum())
    if figure == "AUC" and len(readings.readers) * positives * negatives > _MOST_PAIRS:
        _say(found, "AUC: too many readings for the analysis of all of them, gaps included; it is left out.")
        return
    patients, kind = readings.patients[labelled], truth[labelled]
    counted = among[labelled]

    def of(later: Floats, earlier: Floats | None) -> UStatistic | None:
        try:
            if figure == "AUC":
                return u_statistic_auc(kind, later, earlier, patients)
            return u_statistic_rate(
                _hits(later, kind), counted, None if earlier is None else _hits(earlier, kind), patients
            )
        except ValueError:  # nobody has read films of both kinds (in both arms)
            return None

    arms = [
        (f"{readings.arms[b]} less {readings.arms[a]}", b, a) for a, b in combinations(range(len(readings.arms)), 2)
    ]
    gaps = bool(np.isnan(table[:, :, labelled]).any())
    for what, b, a in [*[(arm, i, None) for i, arm in enumerate(readings.arms) if gaps], *arms]:
        one = of(table[b][:, labelled], None if a is None else table[a][:, labelled])
        if one is not None:
            found.gaps.append(GapAnalysis(figure, what, one.value, one.low, one.high, one.p, one.readers))


def _hits(calls: Floats, truth: Mask) -> Floats:
    return np.where(np.isnan(calls), np.nan, (calls == 1) == truth)
