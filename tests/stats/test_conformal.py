"""The promise of coverage, by simulation and by its closed form."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.stats.uncertainty import class_conditional_quantiles, prediction_sets, score_quantile, set_coverage


def drawn(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = generator.choice(3, n, p=[0.5, 0.3, 0.2])
    scores = np.exp(generator.normal(size=(n, 3)) + 1.2 * np.eye(3)[labels])
    return scores / scores.sum(axis=1, keepdims=True), labels


def test_the_rank_is_that_of_the_finite_sample() -> None:
    """19 films at 95 %: the 19th of 20 ranks is the largest score; 18 films are too few."""
    p = np.linspace(0.05, 0.95, 19)
    rows = np.stack([p, 1 - p], axis=1)
    assert class_conditional_quantiles(rows, np.zeros(19, dtype=int), 0.95).tolist() == [1 - p.min(), 1.0]
    assert class_conditional_quantiles(rows[:18], np.zeros(18, dtype=int), 0.95).tolist() == [1.0, 1.0]
    # 9 films at 80 %: the 8th smallest score.
    rows = rows[:9]
    assert class_conditional_quantiles(rows, np.zeros(9, dtype=int), 0.8)[0] == np.sort(1 - rows[:, 0])[7]


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_every_class_is_covered_as_promised(coverage: float) -> None:
    """Over calibrations the coverage is at least the promised, and at most 1 / (n + 1) more."""
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        quantiles = class_conditional_quantiles(*drawn(200, generator), coverage)
        rows, labels = drawn(400, generator)
        covered.append([i.value for i in set_coverage(prediction_sets(rows, quantiles), labels).by_class])
    assert np.mean(covered, axis=0) == pytest.approx(coverage, abs=0.025)
    assert (np.mean(covered, axis=0) > coverage - 0.01).all()


def test_a_quantile_of_one_admits_always() -> None:
    assert prediction_sets([[1.0, 0.0]], [1.0, 1.0]).all()


def test_coverage_by_hand() -> None:
    found = set_coverage([[True, False], [True, True], [False, False]], [1, 1, 0])
    assert (found.overall.k, found.overall.n) == (1, 3)
    assert [(i.k, i.n) for i in found.by_class] == [(0, 1), (1, 2)]
    assert (found.mean_size, found.empty) == (1.0, 1)


def test_bad_arrays_get_a_clear_no() -> None:
    rows = np.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        class_conditional_quantiles(rows, [0, 1, 0, 1], 1.0)
    with pytest.raises(ValueError, match="one length"):
        class_conditional_quantiles(rows, [0, 1], 0.9)
    with pytest.raises(ValueError, match="one quantile a class"):
        prediction_sets(rows, [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="NaN"):
        prediction_sets(rows, [0.1, np.nan])
    with pytest.raises(ValueError, match="one length"):
        set_coverage(rows > 0, [0])


def test_between_the_ranks_the_chance_is_the_asked_one() -> None:
    """26 uniform scores at 90 %: the 25th of 27 ranks covers 0.926 in the mean, the interpolated limit 0.9."""
    generator = np.random.default_rng(4)
    scores = generator.random((4000, 26))
    strict = np.mean([score_quantile(row, 0.9) for row in scores])
    between = np.mean([score_quantile(row, 0.9, interpolate=True) for row in scores])
    assert strict == pytest.approx(25 / 27, abs=0.004)
    assert between == pytest.approx(0.9, abs=0.004)
    # Where the rank is whole there is nothing between: 19 films at 95 %.
    assert score_quantile(np.arange(19.0), 0.95, interpolate=True) == 18.0
    assert score_quantile(np.arange(18.0), 0.95, interpolate=True, most=1.0) == 1.0
    assert score_quantile([], 0.9) == np.inf
    assert score_quantile([0.3], 0.2, interpolate=True) == 0.3
    with pytest.raises(ValueError, match="NaN"):
        score_quantile([np.nan], 0.9)
