"""Each reader against the reference, and against the model at its frozen point."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pneumoscope.evaluation.reader_study.result import ReaderResult, ReaderTest
from pneumoscope.stats.differences import delong_difference, holm, mcnemar
from pneumoscope.stats.metrics import Metric, auc_metric, proportion_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pneumoscope.evaluation.reader_study.readings import ReaderStudyReadings

__all__ = ["FIGURES", "arm_words", "model_metrics", "rating_warnings", "reader_results", "reader_tests"]

FIGURES = ("AUC", "sensitivity", "specificity")


def arm_words(arms: tuple[str, ...], arm: str) -> str:
    """``reader 3, aided``: the arm is named where there are several."""
    return f", {arm}" if len(arms) > 1 else ""


def _metrics(
    truth: NDArray[np.bool_],
    patients: NDArray[np.str_],
    ratings: NDArray[np.float64],
    calls: NDArray[np.float64],
) -> tuple[Metric, Metric, Metric]:
    """AUC, sensitivity and specificity of what there is; [N] each."""
    rated, called = np.isfinite(ratings), np.isfinite(calls)
    if rated.any():
        area = auc_metric("AUC", truth[rated], ratings[rated], patients[rated])
    else:
        area = Metric("AUC", None, None, None, 0, None, "DeLong", "", "there are no ratings")
    return (
        area,
        proportion_metric("sensitivity", calls == 1, patients, among=called & truth),
        proportion_metric("specificity", calls == 0, patients, among=called & ~truth),
    )


def reader_results(readings: ReaderStudyReadings) -> tuple[ReaderResult, ...]:
    """The figures of each reader in each arm where they have read a labelled film."""
    labelled = readings.truth >= 0
    truth, patients = readings.truth[labelled] == 1, readings.patients[labelled]
    found = []
    for a, arm in enumerate(readings.arms):
        for r, reader in enumerate(readings.readers):
            read = int(readings.read[a, r, labelled].sum())
            if not read:
                continue
            figures = _metrics(truth, patients, readings.ratings[a, r, labelled], readings.calls[a, r, labelled])
            found.append(ReaderResult(reader, arm, read, int(labelled.sum()) - read, *figures))
    return tuple(found)


def model_metrics(readings: ReaderStudyReadings) -> tuple[Metric, ...]:
    """The model on the labelled films that it has read; empty if it has read none."""
    labelled = readings.truth >= 0
    known = labelled & (np.isfinite(readings.probability) | np.isfinite(readings.model_calls))
    if not known.any():
        return ()
    truth = readings.truth[known] == 1
    return _metrics(truth, readings.patients[known], readings.probability[known], readings.model_calls[known])


def reader_tests(readings: ReaderStudyReadings) -> tuple[ReaderTest, ...]:
    """DeLong's paired test of the AUC, McNemar's of sensitivity and specificity; Holm over an arm's readers."""
    labelled, truth = readings.truth >= 0, readings.truth == 1
    found: list[ReaderTest] = []
    for a, arm in enumerate(readings.arms):
        for figure in FIGURES:
            tests = []
            for r, reader in enumerate(readings.readers):
                if figure == "AUC":
                    films = labelled & np.isfinite(readings.ratings[a, r]) & np.isfinite(readings.probability)
                else:
                    films = labelled & np.isfinite(readings.calls[a, r]) & np.isfinite(readings.model_calls)
                    films &= truth if figure == "sensitivity" else ~truth
                test = _test(readings, a, r, films, figure)
                if test is not None:
                    tests.append(replace(test, reader=reader, arm=arm))
            known = [i for i, test in enumerate(tests) if test.p is not None]
            adjusted = holm([tests[i].p or 0.0 for i in known])
            for i, p in zip(known, adjusted.tolist(), strict=True):
                tests[i] = replace(tests[i], p_adjusted=p)
            found += tests
    return tuple(found)


def _test(readings: ReaderStudyReadings, a: int, r: int, films: NDArray[np.bool_], figure: str) -> ReaderTest | None:
    truth, patients = readings.truth[films] == 1, readings.patients[films]
    if figure == "AUC":
        if not truth.any() or truth.all():
            return None
        one = delong_difference(truth, readings.ratings[a, r, films], readings.probability[films], patients)
        return ReaderTest("", "", figure, one.a, one.b, one.value, one.low, one.high, one.p, None, one.n, one.method)
    if not films.any():
        return None
    right = readings.calls[a, r, films] == truth
    model = readings.model_calls[films] == truth
    both = mcnemar(right, model, patients)
    return ReaderTest(
        "",
        "",
        figure,
        float(right.mean()),
        float(model.mean()),
        both.value,
        both.low,
        both.high,
        both.p_mid,
        None,
        both.n,
        both.method,
    )


def rating_warnings(readings: ReaderStudyReadings, results: tuple[ReaderResult, ...]) -> list[str]:
    """Ratings that tell nothing, that tell all, or that seem to be turned round."""
    labelled = readings.truth >= 0
    flat, perfect, low = [], [], []
    for one in results:
        a, r = readings.arms.index(one.arm), readings.readers.index(one.reader)
        given = readings.ratings[a, r, labelled]
        given = given[np.isfinite(given)]
        name = f"{one.reader}{arm_words(readings.arms, one.arm)}"
        if len(given) > 1 and np.ptp(given) == 0:
            flat.append(name)
        elif one.auc.value == 1:
            perfect.append(name)
        elif one.auc.high is not None and one.auc.high < 0.5:
            low.append(name)
    words = []
    if flat:
        words.append(f"All ratings are equal: {_listed(flat)}. The AUC is 0.5, and tells nothing of the reader.")
    if perfect:
        words.append(
            f"Ratings separate the films perfectly: {_listed(perfect)}. The AUC is 1 with an interval by Wilson; its "
            "variance over films cannot be estimated and counts as 0 in the analysis over readers."
        )
    if low:
        words.append(
            f"AUC below 0.5: {_listed(low)}. A rating must be higher for more suspicion of {readings.finding}, not "
            "for more confidence in the answer."
        )
    return words


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
