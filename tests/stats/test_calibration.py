"""Scores of probabilities against scikit-learn, hand-made cases and data of known calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn import linear_model, metrics

from pneumoscope.stats import calibration as c


def known(slope: float, intercept: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn so that the calibration line of p has this slope and intercept."""
    generator = np.random.default_rng(0)
    p = expit(generator.normal(size=n) * 1.5)
    return generator.random(n) < expit(slope * logit(p) + intercept), p


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), min_size=2, max_size=50))
def test_scores_are_scikit_learns(cases: list[tuple[bool, float]]) -> None:
    labels, p = np.array([a for a, _ in cases]), np.array([b for _, b in cases])
    assert c.brier(labels, p) == pytest.approx(np.mean((p - labels) ** 2))
    assert c.log_loss(labels, p) == pytest.approx(metrics.log_loss(labels, p, labels=[False, True]))
    both = np.stack([1 - p, p], axis=1)
    assert c.log_loss(labels.astype(int), both) == pytest.approx(c.log_loss(labels, p))
    assert c.multiclass_brier(labels.astype(int), both) == pytest.approx(2 * c.brier(labels, p))
    assert 0 <= c.expected_calibration_error(labels, p) <= 1


def test_a_certain_mistake_costs_much_and_not_infinity() -> None:
    assert c.log_loss([0, 1], [1.0, 1.0]) == pytest.approx(-np.log(1e-12) / 2)


def test_calibration_error_by_hand() -> None:
    labels, p = [0, 1, 1, 1], [0.1, 0.1, 0.9, 0.7]
    # Two bins: |0.2 - 1| and |1.6 - 2|, over 4 films.
    assert c.expected_calibration_error(labels, p, bins=2) == pytest.approx((0.8 + 0.4) / 4)
    assert c.expected_calibration_error(labels, p, bins=1) == pytest.approx(abs(1.8 - 3) / 4)
    assert c.expected_calibration_error(labels, p, bins=2, equal_mass=True) == pytest.approx((0.8 + 0.4) / 4)
    assert c.expected_calibration_error([0, 1], [0.0, 1.0]) == 0


def test_equal_mass_bins_hold_equally_many() -> None:
    p = np.random.default_rng(0).beta(0.3, 0.3, 3000)
    assert set(np.bincount(c.bin_numbers(p, 15, equal_mass=True))) == {200}


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.5, -0.4), (1.8, 0.7)])
def test_the_line_is_found_again(slope: float, intercept: float) -> None:
    labels, p = known(slope, intercept)
    line = c.calibration_line(labels, p)
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), abs=0.05)
    reference = linear_model.LogisticRegression(C=np.inf, tol=1e-10).fit(logit(p)[:, None], labels)
    assert line.slope == pytest.approx(reference.coef_[0, 0], abs=1e-5)
    assert line.intercept == pytest.approx(reference.intercept_[0], abs=1e-5)


def test_the_line_of_hard_probabilities_converges() -> None:
    line = c.calibration_line([0, 0, 1, 1, 0, 1], [0.0, 1e-9, 1.0, 1 - 1e-9, 1.0, 0.0])
    assert np.isfinite(line).all()


def test_reliability_finds_the_truth_and_drops_empty_bins() -> None:
    labels, p = known(1, 0)
    points = c.reliability(labels, p, bins=10)
    for said, so in zip(points.mean_probability, points.observed, strict=True):
        assert so.value == pytest.approx(said, abs=0.03)
    assert points.error == pytest.approx(c.expected_calibration_error(labels, p))
    few = c.reliability([0, 1, 1], [0.05, 0.95, 1.0], bins=10)
    assert [o.n for o in few.observed] == [1, 2]
    assert few.mean_probability.tolist() == pytest.approx([0.05, 0.975])


@pytest.mark.parametrize(
    ("labels", "p", "message"),
    [
        ([0, 1], [0.1, 1.2], "from 0 to 1"),
        ([0, 1], [np.nan, 0.2], "finite"),
        ([0, 1], [0.1], "one length"),
        ([0, 3], [0.1, 0.2], "0 or 1"),
    ],
)
def test_bad_arrays_get_a_clear_no(labels: list[int], p: list[float], message: str) -> None:
    for function in (c.brier, c.log_loss, c.expected_calibration_error, c.reliability, c.calibration_line):
        with pytest.raises(ValueError, match=message):
            function(labels, p)


def test_lines_that_are_none() -> None:
    with pytest.raises(ValueError, match="both classes"):
        c.calibration_line([1, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="separate the classes"):
        c.calibration_line([0, 0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="alike"):
        c.calibration_line([0, 1], [0.2, 0.2])


def test_rows_that_are_no_probabilities() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        c.multiclass_brier([0, 1], [[0.5, 0.6], [0.5, 0.5]])
    with pytest.raises(ValueError, match="from 0 to 1"):
        c.log_loss([0, 2], [[0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="at least one bin"):
        c.expected_calibration_error([0, 1], [0.5, 0.5], bins=0)


def test_the_diagram_states_the_one_calibration_error() -> None:
    generator = np.random.default_rng(2)
    p = generator.random(200)
    labels = generator.random(200) < p**2
    expected = c.expected_calibration_error(labels, p)
    for bins in (4, 10, 15):
        assert c.reliability(labels, p, bins).error == expected
