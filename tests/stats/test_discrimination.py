"""AUC and its interval against brute force, published data, scikit-learn, and simulation."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from sklearn import metrics

from pneumoscope.stats import confusion
from pneumoscope.stats import roc as d

Films = tuple[np.ndarray, np.ndarray]


@st.composite
def films(draw: st.DrawFn, most: int = 40) -> Films:
    """Labels of both classes, with scores that often tie."""
    n = draw(st.integers(2, most))
    labels = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assume(labels.any() and not labels.all())
    scores = np.array(draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n)), dtype=float)
    return labels, scores


def pairs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The whole table of positives against negatives: 1 in order, half for a tie."""
    difference = scores[labels][:, None] - scores[~labels][None]
    table: np.ndarray = (difference > 0) + 0.5 * (difference == 0)
    return table


@settings(deadline=None)
@given(films())
def test_auc_is_mann_whitney(case: Films) -> None:
    assert d.roc_auc(*case) == pytest.approx(pairs(*case).mean())
    assert d.delong(*case).value == pytest.approx(pairs(*case).mean())


@settings(deadline=None)
@given(films())
def test_monotone_transforms_do_not_change_auc(case: Films) -> None:
    labels, scores = case
    assert d.roc_auc(labels, np.exp(scores) * 3 - 7) == d.roc_auc(labels, scores)
    assert d.roc_auc(labels, -scores) == pytest.approx(1 - d.roc_auc(labels, scores))
    assert d.roc_auc(~labels, -scores) == pytest.approx(d.roc_auc(labels, scores))


@settings(deadline=None)
@given(films())
def test_delong_is_the_variance_of_the_structural_components(case: Films) -> None:
    labels, scores = case
    table = pairs(labels, scores)
    m, n = table.shape
    assume(min(m, n) > 1)
    expected = table.mean(axis=1).var(ddof=1) / m + table.mean(axis=0).var(ddof=1) / n
    assert d.delong(labels, scores).variance == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(films())
def test_the_interval_holds_the_auc(case: Films) -> None:
    found = d.delong(*case)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_hanley_and_mcneils_films() -> None:
    """109 CT films in five ratings (Radiology 143 (1982) 29, table I).

    Stata's manual ([R] roctab) prints DeLong's area 0.8932 and standard error 0.0307 for them.
    """
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    scores = np.concatenate([np.repeat(np.arange(5), normal), np.repeat(np.arange(5), abnormal)])
    found = d.delong(np.repeat([0, 1], [58, 51]), scores)
    assert found.value == pytest.approx(0.8932, abs=5e-5)
    assert np.sqrt(found.variance) == pytest.approx(0.0307, abs=5e-5)


def test_clusters_of_one_give_delong() -> None:
    generator = np.random.default_rng(0)
    labels, scores = generator.random(80) < 0.6, generator.normal(size=80)
    plain, alone = d.delong(labels, scores), d.delong(labels, scores, np.arange(80))
    assert plain.variance == pytest.approx(alone.variance, rel=1e-12)
    # Every film copied twice: the same information, so nearly the same variance; DeLong's alone would halve it.
    twice = d.delong(np.repeat(labels, 2), np.repeat(scores, 2), np.repeat(np.arange(80), 2))
    assert twice.variance == pytest.approx(plain.variance, rel=1e-9)


@pytest.mark.parametrize("separation", [0.8, 2.2])
def test_the_interval_covers_about_95_percent(separation: float) -> None:
    """Two normal laws: the area is Phi(separation / sqrt 2)."""
    truth = ndtr(separation / np.sqrt(2))
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1], [60, 90])
    found = [d.delong(labels, generator.normal(size=150) + separation * labels) for _ in range(1000)]
    held = np.mean([f.low <= truth <= f.high for f in found])
    assert 0.93 < held < 0.975


def test_the_clustered_interval_covers_where_the_plain_one_does_not() -> None:
    truth = ndtr(1.0)  # both parts have variance 1 in sum; a difference of sqrt 2
    generator = np.random.default_rng(2)
    patients = np.repeat(np.arange(80), 4)
    labels = patients < 40
    held = np.zeros((600, 2))
    for i in range(600):
        own, film = generator.normal(size=80)[patients], generator.normal(size=320)
        scores = np.sqrt(0.7) * own + np.sqrt(0.3) * film + np.sqrt(2) * labels
        for j, groups in enumerate((patients, None)):
            found = d.delong(labels, scores, groups)
            held[i, j] = found.low <= truth <= found.high
    clustered, plain = held.mean(axis=0)
    assert clustered > 0.92
    assert plain < 0.85


def test_complete_separation_is_not_certainty() -> None:
    found = d.delong(np.repeat([0, 1], [20, 30]), np.arange(50))
    assert found.value == found.high == 1
    assert 0.8 < found.low < 0.9  # Wilson of 20 in 20
    single = d.delong([1, 0, 0, 0], [3, 1, 2, 0])
    assert single.low < 0.3


def test_delong_of_5000_films_is_quick() -> None:
    generator = np.random.default_rng(0)
    labels = generator.random(5000) < 0.7
    scores = generator.normal(size=5000) + labels
    began = time.perf_counter()
    for _ in range(10):
        d.delong(labels, scores)
    assert time.perf_counter() - began < 1


@settings(max_examples=40, deadline=None)
@given(films(most=60))
def test_curves_are_scikit_learns(case: Films) -> None:
    labels, scores = case
    curve = d.roc_curve(labels, scores)
    fpr, tpr, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    np.testing.assert_allclose(1 - curve.specificity, fpr, atol=1e-12)
    np.testing.assert_allclose(curve.sensitivity, tpr)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert d.average_precision(labels, scores) == pytest.approx(metrics.average_precision_score(labels, scores))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=60))
def test_agreement_is_scikit_learns(calls: list[tuple[int, int]]) -> None:
    truth, called = np.array(calls).T
    assume(len(set(truth.tolist()) | set(called.tolist())) > 1)  # scikit-learn warns of the rest
    matrix = confusion.confusion_matrix(truth, called, 3)
    every = [0, 1, 2]
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(truth, called, labels=every))
    rates = [confusion.class_precision(matrix), confusion.class_recall(matrix), confusion.class_f1(matrix)]
    wanted = metrics.precision_recall_fscore_support(truth, called, labels=every, zero_division=0)
    np.testing.assert_allclose(np.nan_to_num(rates), wanted[:3])
    assert confusion.macro_f1(matrix) == pytest.approx(wanted[2].mean())
    assert confusion.macro_precision(matrix) == pytest.approx(wanted[0].mean())
    assert confusion.accuracy(matrix) == pytest.approx((truth == called).mean())
    assert np.nan_to_num(confusion.mcc(matrix)) == pytest.approx(metrics.matthews_corrcoef(truth, called), abs=1e-12)
    kappa = metrics.cohen_kappa_score(truth, called)
    assert np.nan_to_num(confusion.cohen_kappa(matrix)) == pytest.approx(np.nan_to_num(kappa), abs=1e-12)
    present = [np.mean(called[truth == c] == c) for c in set(truth)]
    assert np.nanmean(confusion.class_recall(matrix)) == pytest.approx(np.mean(present))
    assert np.isnan(confusion.balanced_accuracy(matrix)) == (len(present) < 3)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1], [0.1, 0.2], "both classes"),
        ([0, 1], [0.1, np.nan], "finite"),
        ([0, 1, 1], [0.1, 0.2], "one length"),
        ([0, 2], [0.1, 0.2], "0 or 1"),
        ([], [], "at least one film"),
    ],
)
def test_bad_arrays_get_a_clear_no(labels: list[int], scores: list[float], message: str) -> None:
    for function in (d.roc_auc, d.delong, d.roc_curve, d.average_precision):
        with pytest.raises(ValueError, match=message):
            function(labels, scores)


def test_bad_calls_get_a_clear_no() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        confusion.confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="whole class numbers"):
        confusion.confusion_matrix([0.5, 1], [0, 1], 2)
    with pytest.raises(ValueError, match="one length"):
        confusion.confusion_matrix([0, 1], [0], 2)
    with pytest.raises(ValueError, match="square matrices"):
        confusion.accuracy(np.zeros((2, 3)))
    assert np.isnan(confusion.accuracy(np.zeros((2, 2))))
