from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.model.decide import calibrated_probabilities
from pneumoscope.model.schema import Calibrator

logits = st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3)
temperatures = st.floats(0.05, 20)
biases = st.tuples(*[st.floats(-5, 5)] * 3)


@given(logits, temperatures, biases)
def test_probabilities_are_shares_of_one(values: list[float], temperature: float, bias: tuple[float, ...]) -> None:
    probabilities = calibrated_probabilities(np.array(values), Calibrator(temperature, bias))

    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-12)


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), temperatures, biases)
def test_it_is_the_softmax_of_scaled_logits_and_bias(
    values: list[float], temperature: float, bias: tuple[float, ...]
) -> None:
    powers = [np.exp(min(value / temperature + shift, 700)) for value, shift in zip(values, bias, strict=True)]

    probabilities = calibrated_probabilities(np.array(values), Calibrator(temperature, bias))

    np.testing.assert_allclose(probabilities, np.array(powers) / sum(powers), rtol=1e-9)


@given(st.floats(-20, 20), st.floats(0.01, 5), temperatures, biases)
def test_more_logit_is_more_probability(start: float, more: float, temperature: float, bias: tuple[float, ...]) -> None:
    low = calibrated_probabilities(np.array([start, 0.0, 0.0]), Calibrator(temperature, bias))[0]
    high = calibrated_probabilities(np.array([start + more, 0.0, 0.0]), Calibrator(temperature, bias))[0]

    assert high >= low


def test_a_batch_is_its_films_one_by_one() -> None:
    batch = np.random.default_rng(0).normal(size=(5, 3))
    calibrator = Calibrator(1.7, (0.1, 0.2, -0.3))

    together = calibrated_probabilities(batch, calibrator)

    np.testing.assert_array_equal(together, [calibrated_probabilities(film, calibrator) for film in batch])
