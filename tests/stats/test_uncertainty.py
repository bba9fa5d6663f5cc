"""Risk against coverage by brute force over orders, and the promise of prediction sets by simulation."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.stats.uncertainty import (
    class_conditional_quantiles,
    error_auc,
    least_confidence,
    normalized_entropy,
    prediction_sets,
    risk_coverage,
    risk_coverage_area,
    set_coverage_by_class,
)


def by_all_orders(wrong: list[bool], uncertainty: list[int]) -> np.ndarray:
    """The risk at every coverage, averaged over every order that sorts by uncertainty."""
    curves = []
    for order in permutations(range(len(wrong))):
        if all(uncertainty[a] <= uncertainty[b] for a, b in pairwise(order)):
            errors = np.array([wrong[i] for i in order], dtype=float)
            curves.append(np.cumsum(errors) / np.arange(1, len(errors) + 1))
    mean: np.ndarray = np.mean(curves, axis=0)
    return mean


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=6))
def test_the_curve_is_the_mean_over_the_orders_of_ties(films: list[tuple[bool, int]]) -> None:
    wrong, uncertainty = [w for w, _ in films], [u for _, u in films]
    found = risk_coverage(wrong, uncertainty)
    expected = by_all_orders(wrong, uncertainty)
    assert found.risk == pytest.approx(expected)
    assert found.area == pytest.approx(expected.mean())
    assert found.risk[-1] == pytest.approx(np.mean(wrong))
    assert found.best <= found.area + 1e-12


def test_the_best_area_is_that_of_an_oracle() -> None:
    wrong = np.array([0, 0, 0, 1, 1])
    assert risk_coverage(wrong, wrong).area == pytest.approx(risk_coverage(wrong, [3, 1, 2, 9, 8]).best)
    # 1/4 at four films, 2/5 at five, over five coverages.
    assert risk_coverage(wrong, wrong).area == pytest.approx((1 / 4 + 2 / 5) / 5)


def test_doubt_that_knows_nothing_has_the_error_rate_as_its_area() -> None:
    found = risk_coverage([1, 0, 0, 0], [0.5] * 4)
    assert found.area == pytest.approx(0.25)
    assert found.risk_at(0.5) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="coverage"):
        found.risk_at(0)


def test_the_areas_interval_holds_the_true_area_in_about_95_of_100() -> None:
    generator = np.random.default_rng(3)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        p = generator.uniform(0, 0.5, n)
        return generator.random(n) < p, p

    truth = risk_coverage(*drawn(400_000)).area
    held = 0
    for _ in range(150):
        found = risk_coverage_area(*drawn(200), draws=200, generator=generator)
        held += found.low <= truth <= found.high
    assert 0.88 <= held / 150 <= 0.99


def test_patients_widen_the_areas_interval() -> None:
    generator = np.random.default_rng(4)
    p = np.repeat(generator.uniform(0, 0.5, 60), 5)
    wrong = np.repeat(generator.random(60) < p[::5], 5)
    alone = risk_coverage_area(wrong, p, draws=300, generator=np.random.default_rng(0))
    clustered = risk_coverage_area(wrong, p, np.repeat(np.arange(60), 5), draws=300, generator=np.random.default_rng(0))
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low)


def test_the_auc_of_doubt_is_the_share_of_pairs_in_order() -> None:
    wrong, uncertainty = np.array([1, 0, 0, 1]), np.array([0.4, 0.1, 0.4, 0.3])
    pairs = [(w > r) + 0.5 * (w == r) for w in uncertainty[wrong == 1] for r in uncertainty[wrong == 0]]
    assert error_auc(wrong, uncertainty).value == pytest.approx(np.mean(pairs))
    with pytest.raises(ValueError, match="both classes"):
        error_auc([0, 0], [0.1, 0.2])


def test_doubt_and_entropy_by_hand() -> None:
    rows = np.array([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]])
    assert least_confidence(rows) == pytest.approx([0, 2 / 3, 0.5])
    assert normalized_entropy(rows) == pytest.approx([0, 1, np.log(2) / np.log(3)])
    with pytest.raises(ValueError, match="sum to 1"):
        least_confidence([[0.5, 0.6]])
    with pytest.raises(ValueError, match="one row a film"):
        normalized_entropy([0.5, 0.5])


def drawn(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = generator.choice(3, n, p=[0.5, 0.3, 0.2])
    scores = np.exp(generator.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels])
    return scores / scores.sum(axis=1, keepdims=True), labels


def test_sets_hold_their_class_at_the_nominal_rate_over_a_thousand_draws() -> None:
    """Each draw is a calibration of 150 films and 60 new ones; the mean coverage is near nominal in every class."""
    generator = np.random.default_rng(1)
    covered = np.zeros((1000, 3))
    for draw in range(1000):
        quantiles = class_conditional_quantiles(*drawn(150, generator), 0.9)
        rows, labels = drawn(60, generator)
        found = set_coverage_by_class(prediction_sets(rows, quantiles), labels, draws=1, generator=generator)
        covered[draw] = [each.coverage.value if each.coverage.known else np.nan for each in found]
    mean = np.nanmean(covered, axis=0)
    assert (mean >= 0.89).all()
    assert (mean <= 0.90 + 1 / 30 + 0.01).all()  # at most 1 / (n + 1) above, n about 30 in the rarest class


def test_sets_by_class_by_hand() -> None:
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]], dtype=bool)
    first, second, third = set_coverage_by_class(sets, [0, 0, 1, 1], generator=np.random.default_rng(0))
    assert (first.coverage.k, first.coverage.n, first.single.k, first.empty) == (2, 2, 1, 0)
    assert (second.coverage.k, second.coverage.n, second.empty) == (1, 2, 1)
    assert first.size is not None
    assert first.size.value == 1.5
    assert second.size is not None
    assert second.size.value == 1.0
    assert third.size is None
    assert not third.coverage.known
    with pytest.raises(ValueError, match="one length"):
        set_coverage_by_class(sets, [0], generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="films, classes"):
        set_coverage_by_class([True], [0], generator=np.random.default_rng(0))
