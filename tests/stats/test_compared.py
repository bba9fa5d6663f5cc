"""Groups of films against each other: against scipy, the closed form, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, norm

from pneumoscope.stats.differences import auc_difference_of_groups, rate_difference_of_groups
from pneumoscope.stats.roc import delong


def test_without_patients_it_is_fishers_test() -> None:
    hits = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 9)
    first = np.arange(22) < 10
    found = rate_difference_of_groups(hits, first, ~first)
    assert found.value == pytest.approx(0.8 - 0.25)
    assert found.p == pytest.approx(fisher_exact([[8, 2], [3, 9]]).pvalue)
    assert found.method == "Fisher"


def test_copies_of_films_are_no_evidence() -> None:
    hits = np.array([1] * 8 + [0] * 2 + [1] * 3 + [0] * 9)
    first = np.arange(22) < 10
    rows = np.repeat(np.arange(22), 4)
    copied = rate_difference_of_groups(hits[rows], first[rows], ~first[rows], rows)
    pooled, differ = 11 / 22, 0.8 - 0.25
    assert copied.p == pytest.approx(2 * norm.sf(differ / np.sqrt(pooled * (1 - pooled) * (1 / 10 + 1 / 12))))
    blind = rate_difference_of_groups(hits[rows], first[rows], ~first[rows])
    assert blind.p < copied.p / 100


def test_all_hits_are_no_difference() -> None:
    first = np.array([True, True, False, False])
    assert rate_difference_of_groups([1, 1, 1, 1], first, ~first, [0, 0, 1, 1]).p == 1


def test_the_difference_of_two_areas_is_delongs() -> None:
    generator = np.random.default_rng(0)
    labels, first = generator.random(200) < 0.5, generator.random(200) < 0.4
    scores = labels + generator.normal(size=200)
    found = auc_difference_of_groups(labels, scores, first, ~first)
    a, b = delong(labels[first], scores[first]), delong(labels[~first], scores[~first])
    assert found is not None
    assert found.value == pytest.approx(a.value - b.value)
    assert found.p == pytest.approx(2 * norm.sf(abs(a.value - b.value) / np.sqrt(a.variance + b.variance)))


def test_groups_say_no() -> None:
    first = np.array([True, False, False])
    with pytest.raises(ValueError, match="need films"):
        rate_difference_of_groups([1, 0, 1], first, first)
    with pytest.raises(ValueError, match="mask of 3"):
        rate_difference_of_groups([1, 0, 1], first[:2], first)
    labels, half = np.array([1, 0, 1, 0]), np.array([True, True, False, False])
    assert auc_difference_of_groups(labels, [0.1, 0.2, 0.3, 0.4], half, ~half) is None


@pytest.mark.slow
def test_both_tests_keep_their_level_with_patients_in_both_groups() -> None:
    generator = np.random.default_rng(3)
    false = np.zeros(2)
    for _ in range(1000):
        patients = np.repeat(np.arange(80), 3)
        labels = (np.arange(80) < 40)[patients]
        score = labels + generator.normal(size=80)[patients] + generator.normal(size=240)
        first = generator.random(240) < 0.5
        rate = rate_difference_of_groups(score > 0.5, first & labels, ~first & labels, patients)
        area = auc_difference_of_groups(labels, score, first, ~first, patients)
        assert area is not None
        false += rate.p < 0.05, area.p < 0.05
    assert ((false / 1000 > 0.03) & (false / 1000 < 0.075)).all(), false
