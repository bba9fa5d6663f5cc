"""A reader study from its readings to its result: the whole story in one function."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope import __version__
from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.reader_study.accuracy import (
    model_metrics,
    rating_warnings,
    reader_results,
    reader_tests,
)
from pneumoscope.evaluation.reader_study.over_readers import analyse_over_readers
from pneumoscope.evaluation.reader_study.reading_times import reading_times, time_ratios
from pneumoscope.evaluation.reader_study.result import ArmAgreement, DisputedFilm, ReaderStudyResult
from pneumoscope.stats.agreement import (
    cohen_kappa_of,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    observed_agreement,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings
    from pneumoscope.stats.reader_figures import CovarianceMethod

__all__ = ["analyse_reader_study", "disputed_films"]

_PAIRS = 12
"""Readers up to which every pair's kappa is told; beyond, the readers' with the model alone."""

_RATING_STEPS = 11
"""Different ratings up to which they are an ordinal scale whose agreement can be told."""


def analyse_reader_study(
    readings: ReaderStudyReadings,
    *,
    margin: float | None = None,
    covariance: CovarianceMethod = "jackknife",
    detect: float = 0.05,
    power: float = 0.8,
    draws: int = 2000,
    seed: int = 0,
    step: Callable[[str], None] = lambda _: None,
) -> ReaderStudyResult:
    """Analyse a reader study.

    Args:
        readings: The study.
        margin: Of non-inferiority, stated before the study.
        covariance: Of AUCs: "jackknife" or "delong".
        detect: Difference between two arms that the next study is to show.
        power: Of the next study.
        draws: Bootstrap replicates of measures of agreement.
        seed: Of the bootstrap.
        step: Told what is now done.

    Raises:
        DatasetError: No film has a label, or all labelled films are of one kind.
        UsageError: A margin, difference or power that cannot be.
    """
    if margin is not None and not 0 < margin < 1:
        raise UsageError(
            f"a margin of non-inferiority is between 0 and 1, not {margin:g}", remedy="Give one such as 0.05"
        )
    if not 0 < detect < 1 or not 0 < power < 1:
        raise UsageError(f"a difference of {detect:g} with power {power:g} cannot be planned for", remedy="Give 0 to 1")
    labelled = readings.truth >= 0
    positives = int((readings.truth == 1).sum())
    if not labelled.any():
        raise DatasetError(
            "no film has a label: there is nothing to hold the readers against",
            where=readings.source or None,
            remedy="Add a column label, or give the reference as a table with film and label",
        )
    if positives in {0, int(labelled.sum())}:
        raise DatasetError(
            f"all {int(labelled.sum())} labelled films are {'with' if positives else 'without'} {readings.finding}",
            where=readings.source or None,
            remedy="A reader study needs films of both kinds",
        )
    step("readers")
    results = reader_results(readings)
    tests = reader_tests(readings)
    step("analysis over readers")
    over = analyse_over_readers(readings, margin=margin, covariance=covariance, detect=detect, power=power)
    step("agreement")
    agreements = _agreements(readings, draws=draws, seed=seed)
    warnings = [*readings.warnings, *rating_warnings(readings, results), *over.warnings]
    if len(readings.readers) == 1:
        warnings.append("There is one reader: nothing here is true of readers in general.")
    return ReaderStudyResult(
        study=readings.study,
        version=readings.version,
        finding=readings.finding,
        arms=readings.arms,
        readers=readings.readers,
        films=len(readings.films),
        labelled=int(labelled.sum()),
        positives=positives,
        patients=len(np.unique(readings.patients[labelled])),
        readings=int(readings.read.sum()),
        complete_films=over.films,
        complete_readers=over.readers,
        model=model_metrics(readings),
        threshold=readings.threshold,
        bundle=readings.bundle,
        results=results,
        tests=tests,
        means=tuple(over.means),
        comparisons=tuple(over.comparisons),
        readers_and_model=tuple(over.against),
        components=tuple(over.components),
        gap_analyses=tuple(over.gaps),
        agreements=agreements,
        times=reading_times(readings),
        time_ratios=time_ratios(readings),
        next_studies=tuple(over.next_studies),
        disputes=disputed_films(readings),
        warnings=tuple(warnings),
        limits=_limits(readings),
        margin=margin,
        draws=draws,
        seed=seed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        software=f"pneumoscope {__version__}",
    )


def _agreements(readings: ReaderStudyReadings, *, draws: int, seed: int) -> tuple[ArmAgreement, ...]:
    """Of all readers of an arm, of each pair, and of each with the model; each from the same resamples."""
    found = []
    calls = np.where(np.isnan(readings.calls), -1, readings.calls).astype(np.int64)
    model = np.where(np.isnan(readings.model_calls), -1, readings.model_calls).astype(np.int64)
    steps = np.unique(readings.ratings[np.isfinite(readings.ratings)])
    for a, arm in enumerate(readings.arms):
        here = [r for r in range(len(readings.readers)) if (calls[a, r] >= 0).any()]
        if len(here) > 1:
            for measure in (observed_agreement, fleiss_kappa, gwet_ac1, krippendorff_alpha):
                one = measure(calls[a, here], 2, readings.patients, generator=np.random.default_rng(seed), draws=draws)
                found.append(ArmAgreement(arm, "all readers, calls", one))
        rated = [r for r in range(len(readings.readers)) if np.isfinite(readings.ratings[a, r]).any()]
        if len(rated) > 1 and 2 < len(steps) <= _RATING_STEPS:
            table = readings.ratings[a, rated]
            places = np.where(np.isnan(table), -1, np.searchsorted(steps, np.nan_to_num(table))).astype(np.int64)
            one = krippendorff_alpha(
                places,
                len(steps),
                readings.patients,
                level="ordinal",
                generator=np.random.default_rng(seed),
                draws=draws,
            )
            found.append(ArmAgreement(arm, "all readers, ratings", one))
        pairs = list(combinations(here, 2)) if len(here) <= _PAIRS else []
        for first, second in pairs:
            one = cohen_kappa_of(
                calls[a, first],
                calls[a, second],
                2,
                readings.patients,
                generator=np.random.default_rng(seed),
                draws=draws,
            )
            found.append(ArmAgreement(arm, f"{readings.readers[first]} and {readings.readers[second]}", one))
        for r in here if (model >= 0).any() else []:
            one = cohen_kappa_of(
                calls[a, r], model, 2, readings.patients, generator=np.random.default_rng(seed), draws=draws
            )
            found.append(ArmAgreement(arm, f"{readings.readers[r]} and the model", one))
    return tuple(found)


def disputed_films(readings: ReaderStudyReadings) -> tuple[DisputedFilm, ...]:
    """Films of the first arm where most readers and the model differ, then those that split the readers.

    The first arm, because readers who saw the model no longer speak for themselves.
    """
    calls = readings.calls[0]
    found = []
    for i, film in enumerate(readings.films):
        mine = {
            reader: bool(call)
            for reader, call in zip(readings.readers, calls[:, i].tolist(), strict=True)
            if not np.isnan(call)
        }
        if not mine:
            continue
        called = sum(mine.values())
        own, p = readings.model_calls[i], readings.probability[i]
        one = DisputedFilm(
            film,
            readings.labels[i],
            None if readings.truth[i] < 0 else bool(readings.truth[i]),
            None if np.isnan(p) else float(p),
            None if np.isnan(own) else bool(own),
            readings.arms[0],
            called,
            len(mine),
            mine,
        )
        if _differs(one) or 0 < called < len(mine):
            found.append(one)

    def order(one: DisputedFilm) -> tuple[int, float, str]:
        share = one.called / one.readers
        return (0, -abs(share - 0.5), one.film) if _differs(one) else (1, abs(share - 0.5), one.film)

    return tuple(sorted(found, key=order))


def _differs(film: DisputedFilm) -> bool:
    return film.model_called is not None and film.majority is not None and film.majority != film.model_called


def _limits(readings: ReaderStudyReadings) -> tuple[str, ...]:
    positives, labelled = int((readings.truth == 1).sum()), int((readings.truth >= 0).sum())
    words = [
        f"The share of {readings.finding} among these films is {positives / labelled:.0%}; readers who expect another "
        "share call otherwise.",
        "Readers know that they are in a study, have no clinical history and no earlier films here.",
    ]
    if len(readings.arms) > 1:
        words.append("Arms that were read one after the other differ by memory and practice, too.")
    if np.isfinite(readings.model_calls).any():
        words.append(
            "The model's operating point was frozen before the study, and each reader has a point of their own."
        )
    words.append("The reference counts as true; where it is a panel's, its own errors are in every figure.")
    return tuple(words)
