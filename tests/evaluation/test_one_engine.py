"""One figure has one interval, whichever verb states it: clustered by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit

from pneumoscope.evaluation.compare.compare import compare
from pneumoscope.evaluation.compare.systems import ComparedSystem, ModelFacts
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.stats.metrics import metrics, proportion_metric
from pneumoscope.stats.operating_points import rates_at_dual_threshold, rates_at_threshold
from pneumoscope.training.calibration import CalibrationLogits, fit_calibration
from pneumoscope.training.config import CalibrationConfig

if TYPE_CHECKING:
    from pneumoscope.model.schema import OperatingPoint
    from pneumoscope.stats.metrics import Metric
    from pneumoscope.stats.proportions import Proportion

PATIENTS, FILMS = 120, 4


@pytest.fixture(scope="module")
def correlated() -> PredictionTable:
    """Four films of each of 120 patients: the films of one patient err together."""
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(PATIENTS) % 2, FILMS)
    ease = np.repeat(generator.normal(size=PATIENTS), FILMS)
    score = expit(1.2 * (2 * truth - 1) + 1.5 * ease + 0.3 * generator.normal(size=len(truth)))
    return PredictionTable(
        paths=tuple(f"film{i}" for i in range(len(truth))),
        labels=truth,
        probabilities=score,
        classes=("normal", "pneumonia"),
        positive=(1,),
        finding="pneumonia",
        thresholds={"balanced": 0.5},
        patients=np.repeat(np.arange(PATIENTS), FILMS),
        system="a system",
    )


def interval(metric: Metric | Proportion | None) -> tuple[float | None, float | None, float | None]:
    assert metric is not None
    return metric.value, metric.low, metric.high


def test_every_verb_states_the_same_interval(correlated: PredictionTable) -> None:
    truth, score, patients = correlated.truth, correlated.score, correlated.patients
    trained = metrics(truth, score, patients=patients, draws=200)  # train, cross-calibrate
    evaluated = compute_metrics(correlated, draws=200)
    systems = [ComparedSystem(name, "table", correlated, ModelFacts()) for name in ("a", "b")]
    compared = compare(systems, draws=200).result.rows[0]
    bundle = rates_at_threshold(truth, score, 0.5, patients)
    three_way = rates_at_dual_threshold(truth, score, 0.5, 0.5, patients)
    stress = proportion_metric("recall", score >= 0.5, patients, among=truth)
    for name in ("AUC", "Brier", "ECE", "log loss"):
        assert interval(trained[name]) == interval(evaluated.metric(name)) == interval(compared.metric(name)), name
    for name in ("recall", "specificity", "precision", "F1", "accuracy"):
        wanted = interval(trained[name])
        assert wanted == interval(evaluated.metric(name, "balanced")) == interval(compared.metric(name)), name
    recall = trained["recall"]
    for stated in (bundle.sensitivity, three_way.sensitivity, stress):
        assert interval(stated) == pytest.approx(interval(recall), abs=1e-9)
    assert interval(bundle.specificity) == pytest.approx(interval(trained["specificity"]), abs=1e-9)
    # Four films that say the same are hardly more than one: the blind interval is much narrower.
    blind = metrics(truth, score, draws=200)["recall"]
    assert None not in {blind.low, blind.high, recall.low, recall.high}
    assert recall.high - recall.low > 1.5 * (blind.high - blind.low)  # type: ignore[operator]


def test_a_bundle_states_rates_clustered_by_patient() -> None:
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(PATIENTS) % 2, FILMS)
    ease = np.repeat(generator.normal(size=PATIENTS), FILMS)
    logit = 1.2 * (2 * labels - 1) + 1.5 * ease
    plain = np.stack([-logit / 2, logit / 2], axis=1).astype(np.float32)
    looks = CalibrationLogits(plain, np.empty((0, *plain.shape), np.float32), labels)
    patients = [str(number) for number in np.repeat(np.arange(PATIENTS), FILMS)]
    config = CalibrationConfig()

    def point(people: list[str] | None) -> OperatingPoint:
        return fit_calibration(looks, (False, True), config, patients=people).operating_points[0]

    clustered, blind = point(patients), point(None)
    assert clustered.threshold == blind.threshold
    assert clustered.sensitivity.value == blind.sensitivity.value
    assert clustered.sensitivity.high - clustered.sensitivity.low > 1.5 * (
        blind.sensitivity.high - blind.sensitivity.low
    )
