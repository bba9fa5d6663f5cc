"""Temperature and bias: found again in data made with them, and never turning an order round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from pneumoscope.stats.calibration import expected_calibration_error, fit_temperature_and_bias, log_loss

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def applied(logits: ArrayLike, temperature: float, bias: ArrayLike) -> np.ndarray:
    p: np.ndarray = softmax(np.asarray(logits) / temperature + np.asarray(bias), axis=1)
    return p


def made_with(temperature: float, bias: list[float], n: int = 30_000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(n, len(bias))) * 3
    p = applied(logits, temperature, bias)
    return logits, (p.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, [0.0, 0.0]), (2.5, [0.8, -0.2, -0.6]), (0.4, [-0.5, 0.5])])
def test_what_the_data_were_made_with_is_found_again(temperature: float, bias: list[float]) -> None:
    logits, labels = made_with(temperature, bias)
    found, shift = fit_temperature_and_bias(logits, labels)
    assert found == pytest.approx(temperature, rel=0.04)
    assert shift.tolist() == pytest.approx(bias, abs=0.06)
    assert shift.sum() == pytest.approx(0, abs=1e-12)
    p = applied(logits, found, shift)
    assert expected_calibration_error(labels == 1, p[:, 1]) < 0.01


def test_nothing_near_is_better() -> None:
    logits, labels = made_with(1.7, [0.3, -0.3], n=500)
    temperature, bias = fit_temperature_and_bias(logits, labels, l2=0)
    best = log_loss(labels, applied(logits, temperature, bias))
    for factor, shift in [(1.02, 0.0), (0.98, 0.0), (1.0, 0.02), (1.0, -0.02)]:
        moved = applied(logits, temperature * factor, bias + np.array([shift, -shift]))
        assert log_loss(labels, moved) > best


def test_weights_count_as_copies() -> None:
    logits, labels = made_with(1.5, [0.2, 0.1, -0.3], n=400)
    times = np.random.default_rng(1).integers(0, 4, 400)
    weighted = fit_temperature_and_bias(logits, labels, times)
    copied = fit_temperature_and_bias(np.repeat(logits, times, axis=0), np.repeat(labels, times))
    assert weighted[0] == pytest.approx(copied[0], rel=1e-5)
    np.testing.assert_allclose(weighted[1], copied[1], atol=1e-5)


def test_separable_films_and_missing_classes_stay_finite() -> None:
    labels = np.repeat([0, 1], 50)
    temperature, bias = fit_temperature_and_bias(np.eye(3)[labels] * 4, labels)
    assert 0.02 <= temperature <= 50
    assert np.abs(bias).max() < 20


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_two_class_calibration_is_monotone(seed: int) -> None:
    generator = np.random.default_rng(seed)
    logits, labels = generator.normal(size=(40, 2)) * 4, generator.integers(0, 2, 40)
    p = applied(logits, *fit_temperature_and_bias(logits, labels))[:, 1]
    order = np.argsort(logits[:, 1] - logits[:, 0])
    assert (np.diff(p[order]) >= 0).all()


@pytest.mark.parametrize(
    ("logits", "labels", "weights", "message"),
    [
        ([[0.0, np.inf]], [0], None, "finite"),
        ([[0.0, 1.0]], [0, 1], None, "one length"),
        ([[0.0, 1.0]], [2], None, "from 0 to 1"),
        ([0.0, 1.0], [0, 1], None, "one column a class"),
        ([[0.0, 1.0]], [0], [-1.0], "weights"),
        ([[0.0, 1.0]], [0], [0.0], "weights"),
    ],
)
def test_bad_arrays_get_a_clear_no(
    logits: list[list[float]], labels: list[int], weights: list[float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature_and_bias(logits, labels, weights)


def test_one_admitted_class_is_a_label() -> None:
    logits, labels = made_with(1.7, [0.3, 0.2, -0.5], n=500)
    by_number = fit_temperature_and_bias(logits, labels)
    by_table = fit_temperature_and_bias(logits, np.eye(3, dtype=bool)[labels])
    assert by_number[0] == pytest.approx(by_table[0])
    np.testing.assert_allclose(by_number[1], by_table[1], atol=1e-9)


def test_labels_that_tell_only_the_side_find_the_sides_bias() -> None:
    """Three classes of which two count as one: the temperature and the sides' bias are found again."""
    logits, labels = made_with(2.0, [0.8, -0.4, -0.4])
    admitted = np.array([[True, False, False], [False, True, True]])[(labels > 0).astype(int)]
    temperature, bias = fit_temperature_and_bias(logits, admitted, tied=[0, 1, 1])
    assert temperature == pytest.approx(2.0, rel=0.06)
    assert bias.tolist() == pytest.approx([0.8, -0.4, -0.4], abs=0.08)
    assert bias[1] == bias[2]


def test_nothing_near_is_better_with_sides_and_ties() -> None:
    """The gradient is that of the loss that is stated: the negative log chance of the admitted classes."""
    logits, labels = made_with(1.6, [0.5, -0.2, -0.3], n=400)
    admitted = np.array([[True, False, False], [False, True, True]])[(labels > 0).astype(int)]
    temperature, bias = fit_temperature_and_bias(logits, admitted, tied=[0, 1, 1], l2=0)

    def loss(t: float, b: np.ndarray) -> float:
        return float(-np.log((applied(logits, t, b) * admitted).sum(axis=1)).mean())

    best = loss(temperature, bias)
    away = np.array([1.0, -0.5, -0.5])
    for factor, shift in [(1.02, 0.0), (0.98, 0.0), (1.0, 0.03), (1.0, -0.03)]:
        assert loss(temperature * factor, bias + shift * away) > best


def test_odd_tables_and_ties_get_a_clear_no() -> None:
    with pytest.raises(ValueError, match="a class for each film"):
        fit_temperature_and_bias([[0.0, 1.0]], np.zeros((1, 2), dtype=bool))
    with pytest.raises(ValueError, match="shaped like"):
        fit_temperature_and_bias([[0.0, 1.0]], np.ones((1, 3), dtype=bool))
    with pytest.raises(ValueError, match="tied"):
        fit_temperature_and_bias([[0.0, 1.0]], [0], tied=[0, 2])
