"""Welch's test against scipy, a published example, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from pneumoscope.stats.differences import seed_difference


@pytest.mark.parametrize("sizes", [(3, 3), (2, 7), (12, 5)])
def test_it_is_scipys(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(sum(sizes))
    a, b = generator.normal(0.9, 0.02, sizes[0]), generator.normal(0.88, 0.06, sizes[1])
    found, known = seed_difference(a, b), ttest_ind(a, b, equal_var=False)
    ends = known.confidence_interval(0.95)
    assert found.p == pytest.approx(known.pvalue)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.value == pytest.approx(a.mean() - b.mean())


def test_students_sleep_data_by_welch() -> None:
    """Student (1908), extra hours of sleep; R's ``t.test(extra ~ group, sleep)``: -3.3655 to 0.2055, p = 0.0794."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = seed_difference(first, second)
    assert found.p == pytest.approx(0.07939, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-6)


def test_three_seeds_cover_the_truth() -> None:
    generator = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        found = seed_difference(generator.normal(0.95, 0.01, 3), generator.normal(0.94, 0.01, 3))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0.01 <= found.high
    assert 0.94 < inside / 2000 < 0.98  # Welch's is a little too wide with three a side


def test_seeds_that_change_nothing_have_no_interval() -> None:
    found = seed_difference([0.9, 0.9], [0.8, 0.8])
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high, found.p) == (None, None, None)


@pytest.mark.parametrize(("a", "b"), [([0.9], [0.8, 0.7]), ([0.9, float("nan")], [0.8, 0.7])])
def test_one_seed_or_a_nan_is_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="two seeds"):
        seed_difference(a, b)
