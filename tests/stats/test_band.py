"""The two stated errors hold for new films, over many draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pneumoscope.stats.operating_points import choose_dual_threshold, rates_at_dual_threshold, three_way_rates


@st.composite
def films(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 60))
    labels = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assume(labels.any() and not labels.all())
    score = st.one_of(st.integers(-3, 3).map(float), st.floats(0, 1))
    return labels, np.array(draw(st.lists(score, min_size=n, max_size=n)))


@settings(max_examples=100, deadline=None)
@given(films(), st.sampled_from([0.02, 0.1, 0.3]), st.sampled_from([0.05, 0.2]))
def test_the_errors_are_kept_on_the_films_themselves(
    case: tuple[np.ndarray, np.ndarray], missed: float, false: float
) -> None:
    labels, scores = case
    band = choose_dual_threshold(labels, scores, missed=missed, false_calls=false)
    found = rates_at_dual_threshold(labels, scores, band.lower, band.upper)
    assert band.lower <= band.upper
    assert found.missed.k <= missed * (found.missed.n + 1)
    assert found.false_calls.k <= false * (found.false_calls.n + 1)
    # Every film is called, cleared or left open.
    decided = found.sensitivity.n + found.specificity.n
    assert decided + found.between.k == len(labels)
    assert found.between_with.k + found.between_without.k == found.between.k


def test_the_errors_of_new_films_are_at_most_the_stated_ones_over_a_thousand_draws() -> None:
    generator = np.random.default_rng(2)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = generator.random(n) < 0.6
        return labels, generator.normal(size=n) + 1.5 * labels

    errors = []
    for _ in range(1000):
        band = choose_dual_threshold(*drawn(120), missed=0.05, false_calls=0.1)
        found = rates_at_dual_threshold(*drawn(300), band.lower, band.upper)
        errors.append((found.missed.value, found.false_calls.value))
    missed, false_calls = np.mean(errors, axis=0)
    assert 0.05 - 1 / 60 < missed < 0.0525  # at most the stated one, and at least the next rank down
    assert 0.10 - 1 / 40 < false_calls < 0.104


def test_too_few_films_leave_their_side_open() -> None:
    labels = np.arange(30) < 10
    band = choose_dual_threshold(labels, np.linspace(1, 0, 30), missed=0.05, false_calls=0.05)
    assert band.lower == -np.inf  # 10 films cannot promise 5 %
    assert np.isfinite(band.upper)  # 20 can
    assert rates_at_dual_threshold(labels, np.linspace(1, 0, 30), band.lower, band.upper).missed.k == 0


def test_classes_far_apart_leave_no_film_open() -> None:
    labels = np.arange(100) < 50
    scores = np.where(labels, 0.9, 0.1)
    band = choose_dual_threshold(labels, scores, missed=0.05, false_calls=0.05)
    assert band.lower == band.upper == pytest.approx(0.5)
    assert rates_at_dual_threshold(labels, scores, band.lower, band.upper).between.k == 0


def test_by_hand() -> None:
    found = rates_at_dual_threshold([1, 1, 1, 0, 0], [0.9, 0.5, 0.1, 0.5, 0.2], 0.3, 0.7)
    assert [(r.k, r.n) for r in (found.missed, found.false_calls, found.sensitivity, found.specificity)] == [
        (1, 3),
        (0, 2),
        (1, 2),
        (1, 1),
    ]
    assert [(r.k, r.n) for r in (found.between, found.between_with, found.between_without)] == [(2, 5), (1, 3), (1, 2)]


def test_repeated_calls_are_averaged() -> None:
    """A film that is called in half of its repetitions is half a call."""
    found = three_way_rates([1, 1, 0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.25])
    assert found.sensitivity.value == 1.0  # of one and a half decided films
    assert found.between_with.value == pytest.approx(0.25)
    assert found.between_without.value == pytest.approx(0.75)


def test_bad_arguments_get_a_clear_no() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        choose_dual_threshold([0, 1], [0.1, 0.2], missed=0.0, false_calls=0.1)
    with pytest.raises(ValueError, match="both classes"):
        choose_dual_threshold([1, 1], [0.1, 0.2], missed=0.1, false_calls=0.1)
    with pytest.raises(ValueError, match="must not be above"):
        rates_at_dual_threshold([0, 1], [0.1, 0.2], 0.6, 0.5)
