"""Wilson against its published values and by simulation; the bootstrap against closed forms."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscope.stats.bootstrap import bootstrap, bootstrap_sums
from pneumoscope.stats.calibration import brier
from pneumoscope.stats.proportions import wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3 (score without continuity correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_values(k: int, n: int, low: float, high: float) -> None:
    found = wilson(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.value == k / n


def test_wilson_of_no_films_knows_nothing_and_says_so() -> None:
    found = wilson(0, 0)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
    assert not found.known
    assert "cannot be computed" in str(found)


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_wilson_holds_its_value_and_mirrors(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    found, mirrored = wilson(k, n), wilson(n - k, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)
    assert wilson(k, n, 0.99).low <= found.low


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_wilson_covers_about_95_percent(p: float) -> None:
    n = 120
    held = np.array([wilson(k, n).low <= p <= wilson(k, n).high for k in range(n + 1)])
    draws = np.random.default_rng(0).binomial(n, p, 20_000)
    assert 0.92 < held[draws].mean() < 0.985


@pytest.mark.parametrize(("k", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 0), (1, 2, 1)])
def test_wilson_says_no(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        wilson(k, n, confidence)


def test_bootstrap_of_a_mean_is_its_standard_error() -> None:
    x = np.random.default_rng(1).normal(size=400)
    found = bootstrap(np.mean, (x,), draws=4000, generator=np.random.default_rng(2))
    half = 1.96 * x.std() / 20
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.008)


def test_bootstrap_draws_whole_patients() -> None:
    """Ten copies of each film are no more information than one."""
    x = np.random.default_rng(1).normal(size=100)
    patients = np.repeat(np.arange(100), 10)
    copied = bootstrap(np.mean, (np.repeat(x, 10),), patients, generator=np.random.default_rng(2))
    once = bootstrap(np.mean, (x,), generator=np.random.default_rng(2))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    blind = bootstrap(np.mean, (np.repeat(x, 10),), generator=np.random.default_rng(2))
    assert copied.high - copied.low > 2.5 * (blind.high - blind.low)


@pytest.mark.parametrize("clustered", [True, False])
def test_both_bootstraps_are_one(clustered: bool) -> None:
    generator = np.random.default_rng(3)
    labels, p = generator.random(300) < 0.6, generator.random(300)
    patients = generator.choice(np.array(["ann", "bo", "cy", *map(str, range(120))]), 300) if clustered else None
    slow = bootstrap(brier, (labels, p), patients, 500, generator=np.random.default_rng(4))
    squares = np.stack([(p - labels) ** 2, np.ones(300)], axis=1)
    fast = bootstrap_sums(lambda x: x[:, 0] / x[:, 1], squares, patients, 500, generator=np.random.default_rng(4))
    assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high), abs=1e-12)
    assert (fast.n, fast.groups, fast.draws) == (slow.n, slow.groups, slow.draws)


def test_clustered_bootstrap_covers_about_95_percent() -> None:
    """A mean over patients with 1 to 4 films and a share of the variance between patients."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        patients = np.repeat(np.arange(80), generator.integers(1, 5, 80))
        x = generator.normal(size=80)[patients] + generator.normal(size=len(patients))
        values = np.stack([x, np.ones(len(x))], axis=1)
        found = bootstrap_sums(lambda s: s[:, 0] / s[:, 1], values, patients, 400, generator=generator)
        held += found.low <= 0 <= found.high
    assert 0.92 < held / 1000 < 0.97


def test_bootstrap_leaves_out_what_cannot_be_computed() -> None:
    def fussy(x: np.ndarray) -> float:
        if len(np.unique(x)) < 2:
            raise ValueError("one class only")
        return float(x.mean())

    some = bootstrap(fussy, (np.array([0, 1, 1]),), draws=400, generator=np.random.default_rng(0))
    assert some.draws < 400
    with pytest.raises(ValueError, match="resamples can be computed"):
        bootstrap(fussy, (np.array([0] + [1] * 1),), draws=1, generator=np.random.default_rng(7))


def test_bootstrap_says_no() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one length"):
        bootstrap(np.mean, (np.zeros(3), np.zeros(4)), generator=generator)
    with pytest.raises(ValueError, match="one group for each"):
        bootstrap(np.mean, (np.zeros(3),), np.zeros(4), generator=generator)
    with pytest.raises(ValueError, match="finite"):
        bootstrap_sums(lambda x: x[:, 0], [1.0, np.nan], generator=generator)


def test_two_thousand_clustered_draws_take_no_time() -> None:
    generator = np.random.default_rng(0)
    values = generator.random((5000, 16))
    patients = generator.integers(2800, size=5000)
    began = time.perf_counter()
    bootstrap_sums(lambda x: x.sum(axis=1), values, patients, 2000, generator=generator)
    assert time.perf_counter() - began < 3
