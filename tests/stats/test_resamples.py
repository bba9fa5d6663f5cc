"""Shared resamples against the plain bootstraps; figures of many resamples against their twins of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn import metrics

from pneumoscope.stats import confusion
from pneumoscope.stats.bootstrap import Resamples, bootstrap, bootstrap_sums
from pneumoscope.stats.calibration import CalibrationResamples, calibration_line
from pneumoscope.stats.roc import RankedScores, average_precision, rate_at_fixed, roc_curve

SEEDS = st.integers(0, 2**32 - 1)


def films(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.random(n) < 0.6
    labels[:2] = [False, True]
    p = expit(2 * labels - 1 + generator.normal(size=n)).round(2).clip(0.01, 0.99)
    return labels, p, generator.integers(max(2, n // 2), size=n)


def mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[:, 0] / sums[:, 1])


@pytest.mark.parametrize("kept", [True, False])
def test_the_same_draws_as_the_plain_bootstraps(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kept:
        monkeypatch.setattr("pneumoscope.stats.bootstrap._KEPT", 0)
    labels, p, patients = films(0)
    values = np.stack([(p - labels) ** 2, np.ones(len(p))], axis=1)
    plain = bootstrap_sums(mean, values, patients, 700, generator=np.random.default_rng(3))
    shared = Resamples(len(p), patients, 700, generator=np.random.default_rng(3))
    for _ in range(2):  # the second time from the draws that were kept
        assert shared.sums(mean, values) == plain
    precision = bootstrap(average_precision, (labels, p), patients, 700, generator=np.random.default_rng(3))
    found = shared.weights(RankedScores(labels, p).average_precisions)
    assert (found.value, found.low, found.high) == pytest.approx((precision.value, precision.low, precision.high))


def test_the_generator_is_left_as_it_was() -> None:
    generator = np.random.default_rng(1)
    before = generator.bit_generator.state
    Resamples(5, draws=10, generator=generator).sums(mean, np.ones((5, 2)))
    assert generator.bit_generator.state == before


def test_a_band_is_its_points() -> None:
    labels, p, patients = films(1)
    shared = Resamples(len(p), patients, 500, generator=np.random.default_rng(0))
    values = np.stack([p, p**2, np.ones(len(p))], axis=1)
    band = shared.band(lambda x: x[:, :2] / x[:, 2:], values)
    for place in range(2):
        point = shared.sums(mean, values[:, [place, 2]])
        assert (band.value[place], band.low[place], band.high[place]) == pytest.approx(
            (point.value, point.low, point.high)
        )
    assert labels.any()


def test_resamples_say_no() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least one film"):
        Resamples(0, generator=generator)
    shared = Resamples(3, draws=50, generator=generator)
    with pytest.raises(ValueError, match="a row for each"):
        shared.sums(mean, np.ones((4, 2)))
    with pytest.raises(ValueError, match="one group for each"):
        Resamples(3, [1, 2], generator=generator)
    with pytest.raises(ValueError, match="cannot be computed on these films"):
        shared.weights(lambda w: np.where(w.sum(axis=1) == 3, np.nan, 0.0) if len(w) == 1 else w[:, 0])
    with pytest.raises(ValueError, match="resamples can be computed"):
        shared.weights(lambda w: np.where(w[:, 0] == 1, 1.0, np.nan), least=0.9)


@settings(deadline=None, max_examples=30)
@given(SEEDS, st.integers(2, 4))
def test_cells_of_many_are_those_of_one(seed: int, classes: int) -> None:
    generator = np.random.default_rng(seed)
    labels, called = generator.integers(classes, size=(2, 60))
    labels[:classes] = np.arange(classes)
    cells = confusion.confusion_cells(labels, called, classes).sum(axis=0).reshape(1, classes, classes)
    assert (cells[0] == metrics.confusion_matrix(labels, called, labels=range(classes))).all()
    assert confusion.mcc(cells)[0] == pytest.approx(metrics.matthews_corrcoef(labels, called))
    assert confusion.mcc(cells)[0] == pytest.approx(confusion.mcc(cells[0]))
    assert confusion.cohen_kappa(cells)[0] == pytest.approx(metrics.cohen_kappa_score(labels, called))
    assert confusion.cohen_kappa(cells)[0] == pytest.approx(confusion.cohen_kappa(cells[0]))
    assert confusion.balanced_accuracy(cells)[0] == pytest.approx(metrics.balanced_accuracy_score(labels, called))
    for name, twin in (("macro_f1", metrics.f1_score), ("macro_precision", metrics.precision_score)):
        expected = twin(labels, called, average="macro", labels=range(classes), zero_division=0)
        assert getattr(confusion, name)(cells)[0] == pytest.approx(expected), name


def test_figures_of_one_call_are_not_numbers() -> None:
    cells = np.array([[[0.0, 10.0], [0.0, 5.0]]])
    assert np.isnan(confusion.mcc(cells))
    assert confusion.cohen_kappa(cells) == pytest.approx(0)
    assert np.isnan(confusion.cohen_kappa(np.array([[[9.0, 0.0], [0.0, 0.0]]])))
    assert np.isnan(confusion.balanced_accuracy(np.array([[[9.0, 0.0], [0.0, 0.0]]])))


@settings(deadline=None, max_examples=40)
@given(SEEDS)
def test_ranked_figures_of_weights_are_those_of_repeated_films(seed: int) -> None:
    labels, p, _ = films(seed, 40)
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, 40)).astype(float)
    weights[:, :2] = 1
    ranking = RankedScores(labels, p)
    for row, times in enumerate(weights.astype(int)):
        y, s = np.repeat(labels, times), np.repeat(p, times)
        assert ranking.average_precisions(weights)[row] == pytest.approx(metrics.average_precision_score(y, s))
        assert ranking.areas(weights)[row] == pytest.approx(metrics.roc_auc_score(y, s))
        curve = roc_curve(y, s)
        for target in (0.5, 0.8, 0.95, 1.0):
            recall = curve.sensitivity[curve.specificity >= target - 1e-12].max()
            specificity = curve.specificity[curve.sensitivity >= target - 1e-12].max()
            assert ranking.recalls(weights, [0.1, target])[row, 1] == pytest.approx(recall)
            assert ranking.specificities(weights, [target, 0.1])[row, 0] == pytest.approx(specificity)


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.sampled_from(["specificity", "recall"]), st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_a_held_rate_is_what_its_threshold_gives(seed: int, fixed: str, target: float) -> None:
    labels, p, _ = films(seed, 50)
    found = rate_at_fixed(labels, p, fixed, target)
    called = np.zeros(50, bool) if found.threshold is None else p >= found.threshold
    recall, specificity = called[labels].mean(), 1 - called[~labels].mean()
    held, free = (specificity, recall) if fixed == "specificity" else (recall, specificity)
    assert held >= target - 1e-12
    assert found.value == pytest.approx(free)
    assert found.k / found.n == pytest.approx(found.value)
    ranking, once = RankedScores(labels, p), np.ones((1, 50))
    of_weights = ranking.recalls if fixed == "specificity" else ranking.specificities
    assert of_weights(once, [target])[0, 0] == pytest.approx(free)


def test_held_rates_say_no() -> None:
    with pytest.raises(ValueError, match="can be held"):
        rate_at_fixed([0, 1], [0.1, 0.2], "precision", 0.5)
    with pytest.raises(ValueError, match="can be held"):
        rate_at_fixed([0, 1], [0.1, 0.2], "recall", 0)
    assert rate_at_fixed([1, 0], [0.1, 0.2], "specificity", 1.0).threshold is None


def test_lines_of_weights_are_those_of_repeated_films() -> None:
    labels, p, _ = films(4, 150)
    weights = np.random.default_rng(5).integers(0, 4, size=(20, 150)).astype(float)
    found = CalibrationResamples(labels, p).lines(weights)
    for row, times in enumerate(weights.astype(int)):
        line = calibration_line(np.repeat(labels, times), np.repeat(p, times))
        assert found[row] == pytest.approx([line.slope, line.intercept], abs=1e-6)


def test_calibration_in_the_large_balances_the_books() -> None:
    labels, p, _ = films(6, 200)
    weights = np.random.default_rng(5).integers(0, 4, size=(10, 200)).astype(float)
    shift = CalibrationResamples(labels, p).in_the_large(weights)
    said = expit(logit(p) + shift[:, None])
    assert (weights * said).sum(axis=1) == pytest.approx(weights @ labels, abs=1e-6)


def test_separated_resamples_have_no_line() -> None:
    labels, p = np.array([0, 0, 1, 1, 0]), np.array([0.1, 0.2, 0.7, 0.9, 0.8])
    calibrations = CalibrationResamples(labels, p)
    weights = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [0, 0, 1, 1, 0]], dtype=float)
    assert np.isfinite(calibrations.lines(weights)).all(axis=1).tolist() == [True, False, False]
    assert np.isnan(calibrations.in_the_large(weights)).tolist() == [False, False, True]
    with pytest.raises(ValueError, match="infinite"):
        CalibrationResamples([0, 1], [0.2, 0.8])
    with pytest.raises(ValueError, match="alike"):
        CalibrationResamples([0, 1], [0.5, 0.5])


@pytest.mark.parametrize("p", [[0.2, 0.8, 0.9], [0.5, 0.5, 0.5]])
def test_calibration_in_the_large_needs_no_line(p: list[float]) -> None:
    once = np.ones((1, 3))
    shift = CalibrationResamples([0, 1, 1], p, line=False).in_the_large(once)
    assert expit(logit(p) + shift).sum() == pytest.approx(2, abs=1e-6)
    with pytest.raises(ValueError, match="both classes"):
        CalibrationResamples([1, 1, 1], p, line=False)


@pytest.mark.slow
def test_intervals_of_calibration_and_precision_cover() -> None:
    """Overconfident probabilities of clustered films: the true slope is 0.5. Percentiles of few draws run a bit low."""
    generator = np.random.default_rng(8)
    # The average precision of a very large sample stands for the true one.
    big = logits_of(generator, 200_000)
    true_precision = metrics.average_precision_score(*big[:2])
    held = np.zeros(3)
    for _ in range(600):
        labels, p, patients = logits_of(generator, 150)
        shared = Resamples(len(p), patients, 250, generator=generator)
        generator.random()  # the next round draws otherwise
        slope, intercept = shared.weights_many(CalibrationResamples(labels, p).lines, least=0.95)
        precision = shared.weights(RankedScores(labels, p).average_precisions)
        for place, (found, truth) in enumerate(((slope, 0.5), (intercept, 0.3), (precision, true_precision))):
            held[place] += found.low <= truth <= found.high
    assert ((held / 600 > 0.905) & (held / 600 < 0.975)).all(), held


def logits_of(generator: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One or two films a patient with nearly the same logit x; the label has the log-odds x / 2 + 0.3."""
    groups = np.repeat(np.arange(patients), generator.integers(1, 3, patients))
    x = 2 * generator.normal(size=patients)[groups] + 0.5 * generator.normal(size=len(groups))
    return generator.random(len(groups)) < expit(0.5 * x + 0.3), expit(x), groups
