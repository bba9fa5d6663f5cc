"""The stability index: closed forms, chance, and what it is blind to."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from pneumoscope.stats.drift import (
    MIN_FILMS,
    PSI_THRESHOLD,
    QUANTILES,
    _chi_squared,
    drift,
    drift_from_quantiles,
    histogram,
    histogram_from_quantiles,
    quantile_edges,
    quantiles_of,
)

floats = st.floats(-1e6, 1e6, allow_nan=False)


def test_the_same_films_have_not_drifted() -> None:
    values = np.random.default_rng(0).random(300)
    assert drift(values, values).index == pytest.approx(0, abs=1e-12)


def test_two_bins_by_hand() -> None:
    # 20 and 20 films in two bins of 10 and 10, then 15 and 5: (0.5 - 15.5/21) ln(0.5 / (15.5/21)) + ...
    found = drift([0.0] * 10 + [1.0] * 10, [0.0] * 15 + [1.0] * 5)
    p, q = 15.5 / 21, 5.5 / 21
    by_hand = (0.5 - p) * np.log(0.5 / p) + (0.5 - q) * np.log(0.5 / q)
    assert found.reference.counts == (10, 10)
    assert found.now.counts == (15, 5)
    assert found.index == pytest.approx(by_hand)


def test_a_shift_of_half_a_deviation_raises_the_alarm_and_a_tenth_does_not() -> None:
    generator = np.random.default_rng(1)
    reference = generator.normal(size=2000)
    assert drift(reference, generator.normal(0.6, 1, 2000)).alarm
    assert not drift(reference, generator.normal(0.1, 1, 2000)).alarm


def test_chance_alone_seldom_alarms_however_few_the_films() -> None:
    generator = np.random.default_rng(2)
    for n in (20, 50, 200):
        alarms = sum(drift(generator.random(200), generator.random(n)).alarm for _ in range(400))
        assert alarms <= 12, n  # 1 % is promised


def test_the_threshold_alone_would_cry_wolf_with_few_films() -> None:
    generator = np.random.default_rng(3)
    found = [drift(generator.random(200), generator.random(40)) for _ in range(200)]
    assert not any(one.sharp for one in found)
    assert np.mean([one.index is not None and one.index > PSI_THRESHOLD for one in found]) > 0.02


def test_too_few_films_give_no_number() -> None:
    found = drift(np.arange(MIN_FILMS - 1), np.arange(500))
    assert found.index is None
    assert not found.alarm
    assert not found.sharp
    assert drift([], []).reference.counts == (0,)


def test_a_reference_of_one_value_gives_no_number() -> None:
    assert drift([0.5] * 100, [0.6] * 100).index is None


@given(st.lists(floats, min_size=1, max_size=80), st.integers(2, 12))
def test_every_value_is_in_one_bin(values: list[float], bins: int) -> None:
    edges = quantile_edges(values, bins)
    assert list(edges) == sorted(set(edges))
    assert histogram(values, edges).n == len(values)


@given(st.lists(floats, min_size=MIN_FILMS, max_size=60), st.lists(floats, min_size=MIN_FILMS, max_size=60))
def test_it_is_never_below_nothing(old: list[float], new: list[float]) -> None:
    index = drift(old, new).index
    assert index is None or index >= 0


@given(st.lists(floats, min_size=1, max_size=300), st.lists(floats, min_size=1, max_size=300), st.integers(2, 12))
def test_quantiles_rise_and_leave_no_film_out(old: list[float], new: list[float], bins: int) -> None:
    quantiles = quantiles_of(old)
    assert len(quantiles) == QUANTILES
    assert list(quantiles) == sorted(quantiles)
    found = histogram_from_quantiles(quantiles, len(old), quantile_edges(quantiles, bins))
    assert found.n == len(old)
    assert min(found.counts) >= 0
    assert drift_from_quantiles(quantiles, len(old), new).now.n == len(new)


@pytest.mark.parametrize("n", [200, 522, 4000])
@pytest.mark.parametrize("levels", [0, 12])
def test_quantiles_stand_for_their_films(n: int, levels: int) -> None:
    """Also where values are equal by the dozen, as shares of 255 are: the index is that of the films themselves."""
    generator = np.random.default_rng(n)
    for shift in (0.0, 0.4):
        old, new = generator.normal(size=n), generator.normal(shift, 1, 300)
        if levels:
            old, new = (np.round(values.clip(-2, 2) * levels / 4) / 255 for values in (old, new))
        kept, whole = drift_from_quantiles(quantiles_of(old), n, new), drift(old, new)
        assert kept.chance == pytest.approx(whole.chance)
        assert kept.index == pytest.approx(whole.index, abs=0.02 + 3 / n)
        most = 1 + n / (QUANTILES - 1)  # quantiles tell shares to a hundredth
        assert np.abs(np.subtract(kept.reference.counts, whole.reference.counts)).max() <= most
        if levels:
            assert kept.now.counts == whole.now.counts


def test_the_rounding_of_quantiles_parts_no_equal_values() -> None:
    """A third has no end: rounded, it would lie above the films that it was taken of."""
    values = np.repeat([1 / 255, 2 / 255, 1 / 3], 50)
    kept = drift_from_quantiles(quantiles_of(values), 150, values)
    assert kept.now.counts == (50, 50, 50)
    assert kept.index == pytest.approx(0, abs=1e-3)


def test_chance_alone_seldom_alarms_beside_quantiles() -> None:
    generator = np.random.default_rng(6)
    for n in (20, 60, 200):
        kept = [drift_from_quantiles(quantiles_of(generator.random(522)), 522, generator.random(n)) for _ in range(400)]
        assert sum(one.index > one.chance for one in kept) <= 12, n  # type: ignore[operator]  # 1 % is promised


@pytest.mark.parametrize("degrees", [1, 2, 4, 9])
def test_the_quantile_of_chi_squared(degrees: int) -> None:
    assert _chi_squared(degrees, 0.99) == pytest.approx(chi2.ppf(0.99, degrees), rel=0.03)


@pytest.mark.parametrize("bad", [[[1.0]], [float("nan")]])
def test_bad_values(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        drift(bad, [1.0])


def test_serving_counts_without_scipy() -> None:
    code = (
        "import sys, pneumoscope.stats.drift, pneumoscope.stats.proportions;"
        "sys.exit(any(name.split('.')[0] == 'scipy' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
