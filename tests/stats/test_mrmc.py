"""Multi-reader multi-case analysis: against published figures, brute force, and simulation without a difference."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pneumoscope.stats.mrmc import obuchowski_rockette, readers_against_system
from pneumoscope.stats.mrmc_power import cases_for_power, study_power, study_sizes
from pneumoscope.stats.reader_figures import auc_figures, rate_figures
from pneumoscope.stats.roc import delong, roc_auc
from pneumoscope.stats.u_statistics import u_statistic_auc, u_statistic_rate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def van_dyke(real_data: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Truth [114] and ratings [2, 5, 114] of Van Dyke et al. (1993), as the literature analyses them."""
    truth, ratings = np.zeros(114, dtype=np.int64), np.full((2, 5, 114), np.nan)
    with (real_data / "reader_studies" / "vandyke.csv").open() as file:
        for row in csv.DictReader(file):
            case = int(row["case"]) - 1
            truth[case] = int(row["truth"])
            ratings[int(row["treatment"]) - 1, int(row["reader"]) - 1, case] = float(row["rating"])
    return truth, ratings


def simulated(
    generator: np.random.Generator,
    *,
    readers: int = 5,
    positives: int = 30,
    negatives: int = 30,
    difference: float = 0.0,
    arms: int = 2,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Roe and Metz's model (Acad. Radiol. 4 (1997) 298), variances of their "HH" structure, AUC near .86."""
    truth = np.repeat([1, 0], [positives, negatives])
    n = positives + negatives
    mean = 1.5 * truth + difference * truth * np.arange(arms)[:, None, None]
    reader = np.sqrt(0.011) * generator.normal(size=(1, readers, 2))[:, :, truth]
    interaction = np.sqrt(0.011) * generator.normal(size=(arms, readers, 2))[:, :, truth]
    case = np.sqrt(0.3) * generator.normal(size=(1, 1, n)) + np.sqrt(0.3) * generator.normal(size=(arms, 1, n))
    own = np.sqrt(0.2) * generator.normal(size=(1, readers, n)) + np.sqrt(0.2) * generator.normal(
        size=(arms, readers, n)
    )
    return truth, mean + reader + interaction + case + own


@pytest.mark.real
def test_van_dyke_gives_the_published_analysis(
    van_dyke: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    """Figures as printed by Chakraborty's RJafroc book, which gives those of OR-DBM MRMC 2.5 and Hillis (2007)."""
    found = obuchowski_rockette(auc_figures(*van_dyke))
    assert found.figures.values == pytest.approx(
        np.array(
            [
                [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
                [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
            ]
        ),
        abs=1e-8,
    )
    assert (found.ms_arm, found.ms_reader, found.ms_interaction) == pytest.approx(
        (0.00479617053, 0.00383619999, 0.00055103062), abs=1e-11
    )
    c = found.components
    assert c is not None
    assert (c.reader, c.interaction, c.cov1, c.cov2, c.cov3, c.error) == pytest.approx(
        (0.00153499935, 0.00020040252, 0.00034661371, 0.00034407483, 0.00023902837, 0.00080228827), abs=1e-11
    )
    both = found.inference("random", "random")
    assert both is not None
    assert (both.statistic, both.df1, both.df2, both.p) == pytest.approx(
        (4.4563187, 1, 15.259675, 0.051665686), rel=1e-7
    )
    difference = both.differences[0]
    assert (difference.value, difference.low, difference.high) == pytest.approx(
        (0.043800322, -0.00035885444, 0.087959499), abs=1e-9
    )
    assert [(m.value, m.standard_error, m.df, m.low, m.high) for m in both.means] == [
        pytest.approx((0.89703704, 0.033173597, 12.744648, 0.82522360, 0.96885048), rel=1e-7),
        pytest.approx((0.94083736, 0.021566368, 12.710190, 0.89413783, 0.98753689), rel=1e-7),
    ]
    readers_fixed = found.inference("fixed", "random")
    assert readers_fixed is not None
    assert (readers_fixed.statistic, readers_fixed.p) == pytest.approx((5.4759532, 0.019279843), rel=1e-7)
    assert [(m.standard_error, m.low, m.high) for m in readers_fixed.means] == [
        pytest.approx((0.024289710, 0.84943008, 0.94464399), rel=1e-7),
        pytest.approx((0.016776324, 0.90795637, 0.97371835), rel=1e-7),
    ]
    cases_fixed = found.inference("random", "fixed")
    assert cases_fixed is not None
    assert (cases_fixed.statistic, cases_fixed.df2, cases_fixed.p) == pytest.approx((8.704, 4, 0.041958752), rel=1e-7)
    assert (cases_fixed.differences[0].low, cases_fixed.differences[0].high) == pytest.approx(
        (0.0025804202, 0.085020224), rel=1e-7
    )


@pytest.mark.real
def test_van_dyke_gives_the_published_power(van_dyke: tuple[NDArray[np.int64], NDArray[np.float64]]) -> None:
    """Sizes and power that RJafroc's own tests hold, by Hillis, Obuchowski and Berbaum (2011)."""
    components = obuchowski_rockette(auc_figures(*van_dyke)).components
    assert components is not None
    effect = -0.043800322
    assert study_power(components, 114, readers=10, cases=165, difference=effect) == pytest.approx(0.80541995, abs=1e-7)
    assert study_power(components, 114, readers=6, cases=111, difference=effect) == pytest.approx(0.5526116, abs=1e-7)
    assert study_power(
        components, 114, readers=10, cases=131, difference=effect, readers_random=False
    ) == pytest.approx(0.80091813, abs=1e-7)
    assert study_power(components, 114, readers=10, cases=53, difference=effect, cases_random=False) == pytest.approx(
        0.80496663, abs=1e-7
    )
    assert cases_for_power(components, 114, readers=6, difference=effect).cases == 251
    assert cases_for_power(components, 114, readers=10, difference=effect).cases == 163
    few = study_sizes(components, 114, difference=effect, readers=(3,))[0]
    assert few.cases is None
    assert few.power < 0.8


@pytest.mark.parametrize("grouped", [False, True])
def test_the_jackknife_is_that_of_areas_computed_anew(grouped: bool) -> None:
    generator = np.random.default_rng(0)
    truth, ratings = simulated(generator, readers=2, positives=8, negatives=9)
    ratings = np.round(2 * ratings)  # with ties
    # Patients of several films, of one kind and of both.
    patients = np.array([0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 9, 9, 10, 11, 1]) if grouped else np.arange(17)
    found = auc_figures(truth, ratings, patients)
    left = np.array(
        [
            [roc_auc(truth[patients != one], row[patients != one]) for one in np.unique(patients)]
            for row in ratings.reshape(4, -1)
        ]
    )
    count = left.shape[1]
    expected = (count - 1) ** 2 / count * np.cov(left)
    assert found.covariance.reshape(4, 4) == pytest.approx(expected, abs=1e-12)
    assert found.cases == count


def test_delongs_covariance_has_delongs_variances_and_is_near_the_jackknife() -> None:
    truth, ratings = simulated(np.random.default_rng(1), readers=3)
    patients = np.arange(60) // 2
    found = auc_figures(truth, ratings, patients, method="delong")
    expected = [delong(truth, row, patients).variance for row in ratings.reshape(6, -1)]
    assert np.diag(found.covariance.reshape(6, 6)) == pytest.approx(expected, rel=1e-12)
    assert found.covariance == pytest.approx(auc_figures(truth, ratings, patients).covariance, rel=0.2, abs=1e-4)


def test_a_sensitivity_has_the_binomial_variance() -> None:
    hits = np.array([[[1, 1, 0, 1, 0, 1, 1, 1, 0, 0]]])
    among = np.array([1] * 6 + [0] * 4)
    found = rate_figures(hits, among)
    assert found.values[0, 0] == pytest.approx(4 / 6)
    assert found.covariance[0, 0, 0, 0] == pytest.approx(4 / 6 * 2 / 6 / 5)


def test_one_reader_alone_is_analysed_with_the_reader_fixed() -> None:
    truth, ratings = simulated(np.random.default_rng(2), readers=1)
    found = obuchowski_rockette(auc_figures(truth, ratings))
    assert [(one.readers, one.cases) for one in found.inferences] == [("fixed", "random")]
    assert found.components is None
    assert found.inferences[0].p is not None


def test_one_arm_has_means_and_no_test() -> None:
    truth, ratings = simulated(np.random.default_rng(3), arms=1)
    found = obuchowski_rockette(auc_figures(truth, ratings))
    both = found.inference()
    assert both is not None
    assert both.statistic is None
    assert both.p is None
    assert both.differences == ()
    assert both.means[0].low is not None


@pytest.mark.parametrize("ratings", [np.ones((2, 3, 20)), np.tile(np.repeat([5, 1], 10), (2, 3, 1))])
def test_ratings_without_any_variation_have_figures_and_no_intervals(ratings: NDArray[np.float64]) -> None:
    """All ratings equal, and perfect separation."""
    truth = np.repeat([1, 0], 10)
    found = obuchowski_rockette(auc_figures(truth, ratings), margin=0.05)
    assert np.ptp(found.figures.values) == 0
    for one in found.inferences:
        assert one.p is None
        assert one.means[0].low is None
        assert one.differences[0].value == 0
        assert one.differences[0].p_non_inferior is None


def test_gaps_and_too_few_patients_are_refused() -> None:
    truth, ratings = simulated(np.random.default_rng(4))
    holed = ratings.copy()
    holed[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="every reader"):
        auc_figures(truth, holed)
    with pytest.raises(ValueError, match="two patients"):
        auc_figures(truth, ratings, truth)


def test_a_system_like_the_readers_is_no_different_and_a_better_one_is() -> None:
    truth, ratings = simulated(np.random.default_rng(5), readers=6, positives=60, negatives=60, arms=1)
    alike = np.concatenate([ratings, ratings.mean(axis=1, keepdims=True)], axis=1)
    perfect = np.concatenate([ratings, 9.0 * truth[None, None, :]], axis=1)
    same = readers_against_system(auc_figures(truth, alike), margin=0.1)[0]
    better = readers_against_system(auc_figures(truth, perfect), margin=0.1)[0]
    assert better.value < 0
    assert better.p is not None
    assert better.p < 0.001
    assert better.p_non_inferior is not None
    assert same.p_non_inferior is not None
    assert better.p_non_inferior < same.p_non_inferior < 0.05
    assert better.low is not None
    assert better.high is not None
    assert better.low < better.value < better.high < 0


def test_the_u_statistic_is_unbiased_brute_force() -> None:
    """Its expectation of the squared mean is the mean product of kernels that share nothing, counted one by one."""
    generator = np.random.default_rng(6)
    truth, ratings = simulated(generator, readers=3, positives=3, negatives=4)
    second, first = ratings[1].copy(), ratings[0].copy()
    second[0, 1] = first[2, 5] = np.nan
    found = u_statistic_auc(truth, second, first)
    positive, negative = np.flatnonzero(truth), np.flatnonzero(truth == 0)
    terms = {}
    for r in range(3):
        for i in positive:
            for j in negative:
                a, b = second[r, i] - second[r, j], first[r, i] - first[r, j]
                if np.isfinite(a + b):
                    terms[r, i, j] = np.heaviside(a, 0.5) - np.heaviside(b, 0.5)
    mean = float(np.mean(list(terms.values())))
    apart = [
        x * y
        for one, x in terms.items()
        for two, y in terms.items()
        if all(p != q for p, q in zip(one, two, strict=True))
    ]
    assert found.value == pytest.approx(mean)
    assert found.variance == pytest.approx(max(0.0, mean**2 - float(np.mean(apart))), abs=1e-12)


def test_the_u_statistic_keeps_readings_that_a_complete_analysis_drops() -> None:
    generator = np.random.default_rng(7)
    truth, ratings = simulated(generator, readers=6, positives=50, negatives=50)
    whole = u_statistic_auc(truth, ratings[1], ratings[0])
    ratings[generator.random(ratings.shape) < 0.2] = np.nan
    holed = u_statistic_auc(truth, ratings[1], ratings[0])
    assert holed.readers == 6
    assert holed.value == pytest.approx(whole.value, abs=0.03)
    assert holed.variance > 0
    called = np.where(np.isnan(ratings), np.nan, ratings > 1)
    rate = u_statistic_rate(called[1], truth == 1, called[0])
    assert rate.low is not None
    assert rate.low < rate.value


def test_more_readers_and_cases_have_more_power() -> None:
    truth, ratings = simulated(np.random.default_rng(8))
    components = obuchowski_rockette(auc_figures(truth, ratings)).components
    assert components is not None
    powers = [study_power(components, 60, readers=r, cases=n, difference=0.05) for r, n in ((4, 60), (8, 60), (8, 300))]
    assert powers == sorted(powers)
    assert study_power(components, 60, readers=5, cases=100, difference=0.0) == pytest.approx(0.05, abs=1e-6)
    easier = study_power(components, 60, readers=8, cases=300, difference=0.0, margin=0.2)
    harder = study_power(components, 60, readers=8, cases=300, difference=0.0, margin=0.02)
    assert easier > harder
    with pytest.raises(ValueError, match="no study"):
        study_power(components, 60, readers=1, cases=100, difference=0.05)


def rejections(repeats: int) -> tuple[float, float, float]:
    """Shares of rejections at 5 % where nothing differs: by AUC, by sensitivity, by the U-statistic."""
    generator = np.random.default_rng(9)
    found = np.zeros(3)
    for _ in range(repeats):
        truth, ratings = simulated(generator)
        by_auc = obuchowski_rockette(auc_figures(truth, ratings)).inference()
        by_rate = obuchowski_rockette(rate_figures(ratings > 0.8, truth)).inference()
        assert by_auc is not None
        assert by_rate is not None
        found[0] += by_auc.p is not None and by_auc.p < 0.05
        found[1] += by_rate.p is not None and by_rate.p < 0.05
        found[2] += u_significant(truth, ratings)
    a, b, c = found / repeats
    return float(a), float(b), float(c)


def u_significant(truth: NDArray[np.int64], ratings: NDArray[np.float64]) -> bool:
    p = u_statistic_auc(truth, ratings[1], ratings[0]).p
    return p is not None and p < 0.05


def test_without_a_difference_few_are_found() -> None:
    by_auc, by_rate, _ = rejections(120)
    assert by_auc <= 0.12
    assert by_rate <= 0.12


@pytest.mark.slow
def test_without_a_difference_one_in_twenty_is_found() -> None:
    """2,000 studies of 5 readers and 60 films; 5 % +- 1.5 points is three standard errors."""
    by_auc, by_rate, by_u = rejections(2000)
    assert by_auc == pytest.approx(0.05, abs=0.015)
    assert by_rate == pytest.approx(0.05, abs=0.02)
    assert by_u <= 0.05  # on the safe side by its degrees of freedom
