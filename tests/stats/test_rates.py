"""Clustered proportions by simulation, sample sizes by the closed form and by search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.stats.proportions import clustered_rate, films_needed, half_width, wilson


def test_without_patients_it_is_wilsons() -> None:
    hits = np.arange(40) < 33
    found, plain = clustered_rate(hits), wilson(33, 40)
    # The design effect of films of one each is n / (n - 1) at most.
    assert (found.k, found.n, found.value) == (33, 40, plain.value)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.003)


def test_films_of_one_patient_count_once() -> None:
    """Five copies of each of 40 films tell what the 40 tell."""
    hits, people = np.repeat(np.arange(40) < 33, 5), np.repeat(np.arange(40), 5)
    found = clustered_rate(hits, people)
    assert (found.low, found.high) == pytest.approx((wilson(33, 40).low, wilson(33, 40).high), abs=0.005)
    all_hits = clustered_rate(np.ones(200), people)
    assert all_hits.low == pytest.approx(wilson(40, 40).low)


def test_the_interval_holds_the_truth_in_about_95_of_100_clustered_draws() -> None:
    generator = np.random.default_rng(0)
    held = plain = 0
    for _ in range(1000):
        # Each patient has a rate of their own, 0.8 in the mean, and four films.
        rate = generator.beta(3.2, 0.8, size=50)
        hits = generator.random((50, 4)) < rate[:, None]
        found = clustered_rate(hits.ravel(), np.repeat(np.arange(50), 4))
        held += found.low <= 0.8 <= found.high
        alone = wilson(int(hits.sum()), 200)
        plain += alone.low <= 0.8 <= alone.high
    assert 0.92 <= held / 1000 <= 0.98
    assert plain / 1000 < 0.92  # what a plain interval does with such films


def test_no_films_and_shares() -> None:
    assert not clustered_rate([]).known
    assert clustered_rate([0.5, 1.0, 0.9]).value == pytest.approx(0.8)
    with pytest.raises(ValueError, match="0 to 1"):
        clustered_rate([2.0])
    with pytest.raises(ValueError, match="among what is counted"):
        clustered_rate([1.0], among=[0.0])
    with pytest.raises(ValueError, match="one length"):
        clustered_rate([1.0], among=[1.0, 1.0])
    with pytest.raises(ValueError, match="groups"):
        clustered_rate([1.0, 0.0], [1])


def test_what_is_not_counted_changes_nothing() -> None:
    generator = np.random.default_rng(1)
    hits, people = generator.random(60) < 0.7, generator.integers(25, size=60)
    among = generator.random(60) < 0.6
    assert clustered_rate(hits & among, people, among) == clustered_rate(hits[among], people[among])


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0.01, 0.3))
def test_the_number_is_the_least_that_does(proportion: float, wanted: float) -> None:
    n = films_needed(proportion, wanted)
    assert half_width(proportion, n) <= wanted
    assert n == 1 or half_width(proportion, n - 1) > wanted


def test_the_textbooks_number() -> None:
    """z^2 p (1 - p) / h^2 is 139 at 0.9 to 5 points (Machin and others, Sample Size Tables, 2009, chapter 6)."""
    assert films_needed(0.9, 0.05) == pytest.approx(139, abs=4)
    assert films_needed(0.5, 0.05) == pytest.approx(385, abs=4)
    for proportion, wanted, words in ((1.5, 0.1, "proportion"), (0.5, 0.0, "half width")):
        with pytest.raises(ValueError, match=words):
            films_needed(proportion, wanted)
