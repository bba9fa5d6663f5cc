"""Predictive values by Bayes' rule, by hand and by simulation; net benefit by its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.clinical_utility import net_benefit, net_benefit_band, predictive_values
from pneumoscope.stats.proportions import wilson


def test_predictive_values_by_hand() -> None:
    # Recall 0.9 and specificity 0.8 at a prevalence of 10 %: of 1,000 films 90 true and 180 false calls.
    found = predictive_values(wilson(90, 100), wilson(80, 100), [0.1])
    assert found.ppv[0] == pytest.approx(90 / 270)
    assert found.npv[0] == pytest.approx(720 / 730)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.01, 0.99))
def test_predictive_values_stay_in_order(k: int, j: int, prevalence: float) -> None:
    found = predictive_values(wilson(k, 40), wilson(j, 40), [prevalence, min(0.995, prevalence + 0.004)])
    for low, value, high in ((found.ppv_low, found.ppv, found.ppv_high), (found.npv_low, found.npv, found.npv_high)):
        assert ((low >= 0) & (low <= value + 1e-12) & (value <= high + 1e-12) & (high <= 1)).all()
    assert found.ppv[0] <= found.ppv[1] + 1e-12
    assert found.npv[0] >= found.npv[1] - 1e-12


def test_a_perfect_rate_is_not_certain() -> None:
    found = predictive_values(wilson(50, 50), wilson(60, 60), [0.05])
    assert found.ppv[0] == 1
    assert found.ppv_low[0] < 0.5
    assert found.npv_low[0] < 1


def test_predictive_values_say_no() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        predictive_values(wilson(1, 2), wilson(1, 2), [0.0])
    with pytest.raises(ValueError, match="need films"):
        predictive_values(wilson(0, 0), wilson(1, 2), [0.5])


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.9, 0.8), (0.98, 0.95)])
def test_predictive_values_cover_about_95_percent(sensitivity: float, specificity: float) -> None:
    generator = np.random.default_rng(0)
    prevalence = 0.05
    ppv = prevalence * sensitivity / (prevalence * sensitivity + (1 - prevalence) * (1 - specificity))
    npv = (1 - prevalence) * specificity / ((1 - prevalence) * specificity + prevalence * (1 - sensitivity))
    held = np.zeros(2)
    for _ in range(2000):
        k, j = generator.binomial(150, sensitivity), generator.binomial(150, specificity)
        found = predictive_values(wilson(k, 150), wilson(j, 150), [prevalence])
        held += found.ppv_low[0] <= ppv <= found.ppv_high[0], found.npv_low[0] <= npv <= found.npv_high[0]
    assert ((held / 2000 > 0.935) & (held / 2000 < 0.985)).all(), held


def test_net_benefit_by_its_definition() -> None:
    # Vickers and Elkin (2006), equation 1: TP / n - FP / n x pt / (1 - pt).
    labels, p = [1, 1, 0, 0, 0], [0.9, 0.3, 0.6, 0.2, 0.1]
    found = net_benefit(labels, p, [0.5, 0.25, 0.1])
    assert found == pytest.approx([1 / 5 - 1 / 5, 2 / 5 - 1 / 5 / 3, 2 / 5 - 3 / 5 / 9])
    with pytest.raises(ValueError, match="between 0 and 1"):
        net_benefit(labels, p, [1.0])


def test_acting_on_all_and_on_none() -> None:
    labels = np.array([1, 1, 1, 0])
    cuts = np.array([0.1, 0.5, 0.9])
    assert net_benefit(labels, np.ones(4), cuts) == pytest.approx(0.75 - 0.25 * cuts / (1 - cuts))
    assert net_benefit(labels, np.zeros(4), cuts) == pytest.approx(0)
    assert net_benefit(labels, labels, cuts) == pytest.approx(0.75)  # a perfect system: the prevalence


@pytest.mark.slow
def test_the_band_of_net_benefit_covers() -> None:
    generator = np.random.default_rng(2)
    held = np.zeros(2)
    cuts = np.array([0.2, 0.6])
    # Calibrated, uniform p: TP share is (1 - t^2) / 2, FP share (1 - t)^2 / 2.
    truth = (1 - cuts**2) / 2 - (1 - cuts) ** 2 / 2 * cuts / (1 - cuts)
    for _ in range(1000):
        p = generator.random(250)
        labels = generator.random(250) < p
        shared = Resamples(250, draws=300, generator=generator)
        generator.random()
        band = net_benefit_band(labels, p, cuts, shared)
        held += (band.low <= truth) & (truth <= band.high)
    assert ((held / 1000 > 0.92) & (held / 1000 < 0.97)).all(), held
