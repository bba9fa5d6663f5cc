"""Sites pooled, held to published figures."""

from __future__ import annotations

import numpy as np
import pytest

from pneumoscope.stats.meta_analysis import pool_proportions, random_effects
from pneumoscope.stats.proportions import clustered_rate, wilson

# Vaccination against tuberculosis, 13 trials (Colditz et al., JAMA 271 (1994) 698): cases and others, with and without.
BCG = [
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
]


def test_the_bcg_trials_give_what_the_literature_prints() -> None:
    """Paule and Mandel's variance is 0.318 (Viechtbauer, J. Stat. Softw. 36 (2010) 3, and metafor's own tests)."""
    a, b, c, d = np.array(BCG, dtype=float).T
    effects = np.log(a / (a + b)) - np.log(c / (c + d))
    variances = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    found = random_effects(effects, variances)
    assert found.tau2 == pytest.approx(0.3181, abs=5e-4)
    assert found.value == pytest.approx(-0.715, abs=1e-3)
    assert found.predicted_low < found.low < found.value < found.high < found.predicted_high


def test_sites_that_agree_have_no_variance_between_them() -> None:
    found = random_effects([1.0, 1.01, 0.99], [0.1, 0.1, 0.1])
    assert found.tau2 == 0
    assert found.value == pytest.approx(1)


def test_one_site_says_nothing_of_the_next() -> None:
    found = pool_proportions([wilson(90, 100)])
    assert (found.predicted_low, found.predicted_high) == (0, 1)
    assert found.low < 0.9 < found.high


def test_the_prediction_interval_holds_the_next_site_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        truths = 1 / (1 + np.exp(-random.normal(2, 0.6, 7)))
        rates = [wilson(int(random.binomial(200, truth)), 200) for truth in truths[:-1]]
        found = pool_proportions(rates)
        held += found.predicted_low <= truths[-1] <= found.predicted_high
    assert 0.91 <= held / 400 <= 0.985


def test_films_of_one_patient_count_once() -> None:
    hits = np.repeat(np.arange(50) < 40, 4)
    alone = pool_proportions([clustered_rate(hits), clustered_rate(hits)])
    clustered = pool_proportions([clustered_rate(hits, np.repeat(np.arange(50), 4))] * 2)
    assert clustered.high - clustered.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize("wrong", [([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0]), ([np.nan], [1.0])])
def test_what_is_no_sample_of_sites_is_refused(wrong: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="effects"):
        random_effects(*wrong)
