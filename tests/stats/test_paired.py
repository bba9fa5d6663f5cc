"""Paired tests against published examples, brute force over all pairs, scipy, and by simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from pneumoscope.stats.differences import (
    bootstrap_difference,
    bootstrap_sums_difference,
    delong_difference,
    holm,
    mcnemar,
)
from pneumoscope.stats.roc import delong, roc_auc

# DeLong, DeLong and Clarke-Pearson (1988): 49 patients with ovarian cancer; the 43 without missing values, as the
# SAS/STAT User's Guide prints them (PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves"):
# albumin, total protein, K-G score, benefit of surgery.
OVARIAN = np.fromstring(
    """3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1
    3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0
    2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1
    3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0
    3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1
    3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1""",
    sep=" ",
).reshape(43, 4)


@pytest.mark.parametrize(
    ("column", "area", "value", "low", "high", "p"),
    [
        (0, 0.7366, 0.0108, -0.1761, 0.1976, 0.9102),  # albumin less K-G
        (1, 0.6478, -0.0780, -0.2830, 0.1271, 0.4561),  # total protein less K-G
    ],
)
def test_delongs_own_data(column: int, area: float, value: float, low: float, high: float, p: float) -> None:
    found = delong_difference(OVARIAN[:, 3], OVARIAN[:, column], 10 - OVARIAN[:, 2])
    assert (found.a, found.b) == pytest.approx((area, 0.7258), abs=5e-5)
    assert (found.value, found.low, found.high, found.p) == pytest.approx((value, low, high, p), abs=6e-5)


def brute_difference(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The difference and its variance from the table of all pairs (DeLong 1988, equations 4 to 6)."""
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)

    def psi(scores: np.ndarray) -> np.ndarray:
        return np.array([[np.sign(scores[i] - scores[j]) / 2 + 0.5 for j in negative] for i in positive])

    table = psi(a) - psi(b)
    v10, v01 = table.mean(axis=1), table.mean(axis=0)
    return float(table.mean()), float(v10.var(ddof=1) / len(positive) + v01.var(ddof=1) / len(negative))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(3, 12))
def test_paired_delong_is_the_table_of_all_pairs(seed: int, m: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.arange(m + n) < m
    a, b = (generator.integers(0, 6, m + n).astype(float) for _ in range(2))
    value, variance = brute_difference(labels, a, b)
    found = delong_difference(labels, a, b)
    assert found.value == pytest.approx(value, abs=1e-12)
    if variance > 1e-15 and abs(value) > 1e-9:
        assert found.p == pytest.approx(2 * norm.sf(abs(value) / np.sqrt(variance)), rel=1e-9)


def test_groups_of_one_change_nothing_and_copies_do() -> None:
    labels, a, b = OVARIAN[:, 3], OVARIAN[:, 0], 10 - OVARIAN[:, 2]
    once = delong_difference(labels, a, b)
    alone = delong_difference(labels, a, b, np.arange(43))
    assert alone == once
    rows = np.repeat(np.arange(43), 3)
    copied = delong_difference(labels[rows], a[rows], b[rows], rows)
    assert (copied.value, copied.p) == pytest.approx((once.value, once.p))
    blind = delong_difference(labels[rows], a[rows], b[rows])
    assert blind.p is not None
    assert once.p is not None
    assert blind.p < once.p


def test_one_order_of_films_is_no_difference() -> None:
    labels, a = OVARIAN[:, 3], OVARIAN[:, 0]
    found = delong_difference(labels, a, np.exp(a))
    assert (found.value, found.p) == (0, 1)
    assert (found.low, found.high) == pytest.approx((0, 0))


def test_one_film_of_a_class_has_no_interval() -> None:
    found = delong_difference([0, 0, 1], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1])
    assert (found.value, found.low, found.high, found.p) == (1, None, None, None)
    assert "cannot be computed" in str(found)


@pytest.mark.slow
def test_paired_delong_covers_and_keeps_its_level() -> None:
    """Two scores with correlated noise and the same or another AUC; patients have one to three films of one class."""
    generator = np.random.default_rng(0)
    held = false = 0
    for _ in range(1000):
        patients = np.repeat(np.arange(90), generator.integers(1, 4, 90))
        labels = (np.arange(90) < 45)[patients]
        shared = generator.normal(size=90)[patients]
        a, b, c = (labels * 1.0 + shared + generator.normal(size=len(patients)) * s for s in (1, 1, 2))
        equal = delong_difference(labels, a, b, patients)
        assert equal.p is not None
        false += equal.p < 0.05
        other = delong_difference(labels, a, c, patients)
        truth = norm.cdf(1 / np.sqrt(2 * 2)) - norm.cdf(1 / np.sqrt(2 * 5))
        assert other.low is not None
        assert other.high is not None
        held += other.low <= truth <= other.high
    assert 0.925 < held / 1000 < 0.97
    assert 0.03 < false / 1000 < 0.075


def test_mcnemar_gives_the_published_values() -> None:
    # Bentur et al. (2009), as analysed by Fagerland, Lydersen and Laake (Stat. Med. 33 (2014) 2850): 1, 1, 7, 12.
    rights = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [1, 1, 7, 12], axis=0)
    found = mcnemar(rights[:, 0], rights[:, 1])
    assert (found.both, found.only_a, found.only_b, found.neither) == (1, 1, 7, 12)
    assert (found.p_exact, found.p_mid) == pytest.approx((0.0703, 0.0391), abs=5e-5)
    assert (found.value, found.low, found.high) == pytest.approx((-0.286, -0.507, -0.026), abs=5e-4)


@pytest.mark.parametrize(("b", "c"), list(product(range(0, 9, 2), range(1, 12, 3))))
def test_mcnemar_is_the_binomial_test(b: int, c: int) -> None:
    rights = np.repeat([[1, 1], [1, 0], [0, 1]], [5, b, c], axis=0)
    found = mcnemar(rights[:, 0], rights[:, 1])
    assert found.p_exact == pytest.approx(binomtest(b, b + c, 0.5).pvalue)
    assert found.p_mid == pytest.approx(2 * binom.cdf(min(b, c), b + c, 0.5) - binom.pmf(b, b + c, 0.5))


def test_mcnemar_of_systems_that_agree() -> None:
    found = mcnemar([1, 1, 0], [1, 1, 0])
    assert (found.p_exact, found.p_mid, found.value) == (1, 1, 0)
    assert found.low < 0 < found.high
    with pytest.raises(ValueError, match="the same films"):
        mcnemar([1, 0], [1, 0, 1])


@pytest.mark.slow
def test_mid_p_and_newcombe_keep_their_level() -> None:
    generator = np.random.default_rng(1)
    held = false = 0
    for _ in range(2000):
        hard = generator.normal(size=150)
        a, b, c = (hard + generator.normal(size=150) < cut for cut in (1.2, 1.2, 0.8))
        false += mcnemar(a, b).p_mid < 0.05
        truth = norm.cdf(1.2 / np.sqrt(2)) - norm.cdf(0.8 / np.sqrt(2))
        found = mcnemar(a, c)
        held += found.low <= truth <= found.high
    assert 0.03 < false / 2000 < 0.06
    assert 0.94 < held / 2000 < 0.975


def f1(sums: np.ndarray) -> np.ndarray:
    return np.where(sums.sum(axis=1) > 0, 2 * sums[:, 0] / np.maximum(2 * sums[:, 0] + sums[:, 1], 1), np.nan)


def test_both_paired_bootstraps_are_one() -> None:
    generator = np.random.default_rng(3)
    labels = generator.random(200) < 0.6
    patients = generator.integers(90, size=200)
    a, b = (labels ^ (generator.random(200) < rate) for rate in (0.1, 0.2))

    def columns(called: np.ndarray) -> np.ndarray:
        return np.stack([called & labels, called ^ labels], axis=1).astype(float)

    fast = bootstrap_sums_difference(
        f1, columns(a), columns(b), groups=patients, draws=400, generator=np.random.default_rng(4)
    )
    slow = bootstrap_difference(
        lambda y, call: float(f1(np.array([[(y & call).sum(), (y ^ call).sum()]]))[0]),
        [labels],
        [a],
        [b],
        groups=patients,
        draws=400,
        generator=np.random.default_rng(4),
    )
    for name in ("a", "b", "value", "low", "high", "p"):
        assert getattr(fast, name) == pytest.approx(getattr(slow, name)), name


def test_bootstrap_of_an_auc_difference_is_delongs() -> None:
    generator = np.random.default_rng(5)
    labels = generator.random(400) < 0.5
    a, b = (labels + generator.normal(size=400) * scale for scale in (1, 1.5))
    drawn = bootstrap_difference(roc_auc, [labels], [a], [b], draws=1000, generator=np.random.default_rng(6))
    closed = delong_difference(labels, a, b)
    assert (drawn.low, drawn.high) == pytest.approx((closed.low, closed.high), abs=0.01)
    assert delong(labels, a).value - delong(labels, b).value == pytest.approx(closed.value)


@pytest.mark.slow
def test_paired_bootstrap_covers_and_keeps_its_level() -> None:
    generator = np.random.default_rng(7)
    held = false = 0
    for _ in range(1000):
        patients = np.repeat(np.arange(80), generator.integers(1, 4, 80))
        shared = generator.normal(size=80)[patients]
        a, b, c = (shared + generator.normal(size=len(patients)) + shift for shift in (0, 0, 0.5))
        ones = np.ones(len(patients))

        def mean(x: np.ndarray) -> np.ndarray:
            return np.asarray(x[:, 0] / x[:, 1])

        def compare(x: np.ndarray, y: np.ndarray, ones: np.ndarray = ones, who: np.ndarray = patients) -> object:
            return bootstrap_sums_difference(
                mean, np.stack([x, ones], 1), np.stack([y, ones], 1), groups=who, draws=500, generator=generator
            )

        false += compare(a, b).p < 0.05  # type: ignore[attr-defined]
        found = compare(c, a)
        held += found.low <= 0.5 <= found.high  # type: ignore[attr-defined]
    assert 0.92 < held / 1000 < 0.97
    assert 0.03 < false / 1000 < 0.08


def test_holm_by_hand() -> None:
    # Holm (1979) by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, 1 x 0.04 raised to its forerunner.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)
    with pytest.raises(ValueError, match="from 0 to 1"):
        holm([np.nan, 0.1])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_holm_does_not_care_for_order(p: list[float], random: object) -> None:
    order = list(range(len(p)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert holm([p[i] for i in order]) == pytest.approx(holm(p)[order])
    assert (holm(p) >= np.array(p)).all()
    assert holm(p).max() <= min(1, len(p) * max(p)) + 1e-12


def test_mcnemar_by_patient_is_mcnemar_where_patients_have_one_film() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.random((2, 80)) < 0.8
    assert mcnemar(a, b, np.arange(80)) == mcnemar(a, b)


def test_mcnemar_by_patient_is_exact_over_all_signs() -> None:
    a = np.array([1, 1, 1, 1, 1, 0, 1, 0, 1], dtype=bool)
    b = np.array([0, 0, 0, 1, 0, 1, 0, 0, 1], dtype=bool)
    patients = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4])
    found = mcnemar(a, b, patients)
    differences = np.array([3, 1, -1, 1])  # of the patients who have any
    sums = [abs(int(np.dot(signs, differences))) for signs in product((-1, 1), repeat=4)]
    seen = abs(differences.sum())
    assert found.p_exact == pytest.approx(np.mean([s >= seen for s in sums]))
    assert found.p_mid == pytest.approx(np.mean([(s > seen) + (s == seen) / 2 for s in sums]))


def test_mcnemar_keeps_its_error_where_patients_have_ten_films() -> None:
    """Two systems of one accuracy, each of which errs on all films of a patient or on none."""
    generator = np.random.default_rng(11)
    patients = np.repeat(np.arange(40), 10)
    rejected = {True: 0, False: 0}
    trials = 400
    for _ in range(trials):
        ease = generator.normal(size=(2, 40))[:, patients]
        a, b = (ease + generator.normal(size=(2, 400))) > -1
        rejected[True] += mcnemar(a, b, patients).p_mid < 0.05
        rejected[False] += mcnemar(a, b).p_mid < 0.05
    assert 0.02 <= rejected[True] / trials <= 0.08
    assert rejected[False] / trials > 0.12


def test_the_interval_of_mcnemar_widens_with_the_films_of_a_patient() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.random((2, 60)) < 0.8
    a3, b3, patients = (np.repeat(x, 3) for x in (a, b, np.arange(60)))
    clustered, blind, once = mcnemar(a3, b3, patients), mcnemar(a3, b3), mcnemar(a, b)
    assert clustered.high - clustered.low == pytest.approx(once.high - once.low, rel=0.03)
    assert blind.high - blind.low < 0.7 * (clustered.high - clustered.low)
