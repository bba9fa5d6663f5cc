"""The rules hold exactly, on every set of films."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from pneumoscope.stats.operating_points import choose_threshold, rates_at_threshold, recall_at_least, youden

Films = tuple[np.ndarray, np.ndarray]


@st.composite
def films(draw: st.DrawFn) -> Films:
    """Labels of both classes, with scores that tie, or lie as close as floats can."""
    n = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assume(labels.any() and not labels.all())
    score = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([0.5, np.nextafter(0.5, 1)]), st.floats(0, 1))
    return labels, np.array(draw(st.lists(score, min_size=n, max_size=n)))


@settings(max_examples=60, deadline=None)
@given(films(), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_recall_rule_is_the_highest_that_does(case: Films, target: float) -> None:
    labels, scores = case
    found = choose_threshold(labels, scores, recall_at_least(target))
    assert np.mean(scores[labels] >= found.value) >= target
    assert found.sensitivity.value >= target
    called = scores >= found.value
    # The next higher threshold would leave out the lowest called score, and fall short.
    assert np.mean(scores[labels] > scores[called].min()) < target


@settings(max_examples=60, deadline=None)
@given(films())
def test_youden_is_the_largest(case: Films) -> None:
    labels, scores = case
    found = choose_threshold(labels, scores, youden())
    reached = found.sensitivity.value + found.specificity.value - 1
    fpr, tpr, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert reached == pytest.approx((tpr - fpr)[1:].max())


@settings(max_examples=60, deadline=None)
@given(films(), st.sampled_from([youden(), recall_at_least(0.9)]))
def test_what_is_stated_is_what_the_threshold_does(case: Films, rule: object) -> None:
    labels, scores = case
    found = choose_threshold(labels, scores, rule)  # type: ignore[arg-type]  # hypothesis gives an object
    again = rates_at_threshold(labels, scores, found.value)
    assert (found.sensitivity, found.specificity) == (again.sensitivity, again.specificity)


def test_the_threshold_stands_half_way() -> None:
    labels, scores = [0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9]
    assert choose_threshold(labels, scores, recall_at_least(1.0)).value == pytest.approx(0.5)
    assert choose_threshold(labels, scores, recall_at_least(0.5)).value == pytest.approx(0.8)
    assert choose_threshold(labels, scores, youden()).value == pytest.approx(0.5)


def test_a_missed_case_can_count_twice() -> None:
    """At 0.75 one case of four is missed; at 0.35 none, and two of six are called in vain."""
    labels, scores = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], [0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05]
    assert choose_threshold(labels, scores, youden()).value == pytest.approx(0.75)
    assert choose_threshold(labels, scores, youden(2)).value == pytest.approx(0.35)
    assert "2 x" in choose_threshold(labels, scores, youden(2)).rule
    assert choose_threshold([1, 0], [0.2, 0.6], recall_at_least(1.0)).value == 0.2  # no score below: the lowest itself


def test_equally_good_thresholds_give_the_middle() -> None:
    # At 0.8 and at 0.6 sensitivity + specificity is 4/3: every threshold above 0.4 and up to 0.8 is as good.
    tied = choose_threshold([1, 1, 0, 1, 0, 0], [0.8, 0.6, 0.6, 0.4, 0.4, 0.4], youden())
    assert tied.value == pytest.approx(0.6)
    assert tied.sensitivity.value + tied.specificity.value == pytest.approx(4 / 3)
    # Two stretches, (0.7, 0.9] and (0.1, 0.5]: each of one score, so the more sensitive wins.
    apart = choose_threshold([1, 0, 1, 0], [0.9, 0.7, 0.5, 0.1], youden())
    assert apart.value == pytest.approx(0.3)
    useless = choose_threshold([1, 0, 1, 0], [0.8, 0.8, 0.4, 0.4], youden())
    assert useless.value == 0.4  # all are alike, and there is no score below the lowest


def test_rates_by_hand() -> None:
    at = rates_at_threshold([1, 1, 1, 0, 0], [0.9, 0.8, 0.1, 0.7, 0.2], 0.5)
    assert (at.sensitivity.k, at.sensitivity.n) == (2, 3)
    assert (at.specificity.k, at.specificity.n) == (1, 2)
    assert (at.ppv.k, at.ppv.n) == (2, 3)
    assert (at.npv.k, at.npv.n) == (1, 2)
    assert (at.accuracy.k, at.accuracy.n) == (3, 5)
    assert at.f1.value == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert at.f1.low < at.f1.value < at.f1.high


def test_rates_without_films_are_unknown() -> None:
    at = rates_at_threshold([1, 1], [0.9, 0.8], 0.5)
    assert not at.specificity.known
    assert not at.npv.known
    assert at.sensitivity.value == 1


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [([1, 1], [0.1, 0.2], "both classes"), ([0, 1], [0.1, np.nan], "finite"), ([0, 1], [0.1], "one length")],
)
def test_bad_arrays_get_a_clear_no(labels: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_threshold(labels, scores, youden())


def test_impossible_rules() -> None:
    with pytest.raises(ValueError, match="above 0"):
        recall_at_least(0)
    with pytest.raises(ValueError, match="NaN"):
        rates_at_threshold([0, 1], [0.1, 0.2], float("nan"))


def test_within_one_error_the_middle_of_the_plateau_is_taken() -> None:
    """A hundred cases from 0.8, a hundred others up to 0.2, and between them ten of each that nothing tells apart."""
    generator = np.random.default_rng(0)
    cases = np.concatenate([generator.uniform(0.8, 1.0, 100), [0.31, 0.36, 0.45, 0.52, 0.68]])
    others = np.concatenate([generator.uniform(0.0, 0.2, 100), [0.28, 0.41, 0.49, 0.57, 0.71]])
    labels, scores = np.repeat([1, 0], 105), np.concatenate([cases, others])
    sharp, broad = choose_threshold(labels, scores, youden()), choose_threshold(labels, scores, youden(1, 2.0))
    assert broad.value == pytest.approx(0.5, abs=0.06)
    index = sharp.sensitivity.value + sharp.specificity.value
    assert index - 0.06 < broad.sensitivity.value + broad.specificity.value <= index
    assert "within 2 standard error" in broad.rule
    assert choose_threshold([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], youden(1, 1.0)).value == pytest.approx(
        0.5
    )  # nothing is worse
