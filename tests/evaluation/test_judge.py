"""A judgement holds the figures that the statistics give, says what it cannot say, and is whole as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn import metrics

from pneumoscope.errors import DatasetError, UsageError
from pneumoscope.evaluation.metrics import compute_metrics
from pneumoscope.evaluation.predictions import PredictionTable
from pneumoscope.evaluation.result import SCHEMA_VERSION, EvaluationResult, schema
from pneumoscope.evaluation.subgroups import subgroup_metrics
from pneumoscope.stats import metrics as stats_metrics
from pneumoscope.stats.bootstrap import Resamples
from pneumoscope.stats.calibration import calibration_line
from pneumoscope.stats.differences import holm
from pneumoscope.stats.metrics import MetricCalculator
from pneumoscope.stats.roc import delong

if TYPE_CHECKING:
    from pathlib import Path
    from types import SimpleNamespace


def table_of(judged: SimpleNamespace, rows: Any = slice(None), **changed: Any) -> PredictionTable:
    generator = np.random.default_rng(4)
    n = len(judged.labels)
    whole: dict[str, Any] = {
        "paths": tuple(np.array([f"film{i}" for i in range(n)])[rows].tolist()),
        "labels": judged.labels[rows],
        "probabilities": judged.p[rows],
        "classes": ("normal", "bacterial", "viral"),
        "positive": (1, 2),
        "finding": "pneumonia",
        "thresholds": {"screening": 0.2, "balanced": 0.6},
        "patients": judged.patients[rows].astype(str),
        "strata": {
            "sex": generator.choice(["female", "male", ""], n)[rows],
            "view": generator.choice(["AP", "PA", "L"], n)[rows],
        },
        "band": (0.3, 0.7),
    }
    return PredictionTable(**(whole | changed))


@pytest.fixture(scope="module")
def whole(judged: SimpleNamespace) -> EvaluationResult:
    return compute_metrics(table_of(judged), draws=200)


def rows_of(metrics: Any) -> dict[str, Any]:
    return {row.name: row for row in metrics}


def test_figures_are_those_of_scikit_learn(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    truth, score = judged.labels > 0, judged.p[:, 1:].sum(axis=1)
    overall = rows_of(whole.overall)
    assert overall["AUC"].value == pytest.approx(metrics.roc_auc_score(truth, score))
    assert overall["average precision"].value == pytest.approx(metrics.average_precision_score(truth, score))
    assert overall["Brier"].value == pytest.approx(metrics.brier_score_loss(truth, score))
    assert overall["log loss"].value == pytest.approx(metrics.log_loss(truth, score))
    called = score >= 0.6
    at = rows_of(whole.points[1].metrics)
    assert at["MCC"].value == pytest.approx(metrics.matthews_corrcoef(truth, called))
    assert at["Cohen's kappa"].value == pytest.approx(metrics.cohen_kappa_score(truth, called))
    assert at["balanced accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(truth, called))
    assert at["F1"].value == pytest.approx(metrics.f1_score(truth, called))
    assert at["precision"].value == pytest.approx(metrics.precision_score(truth, called))
    assert at["NPV"].value == pytest.approx(metrics.precision_score(~truth, ~called))
    assert (np.array(whole.points[1].confusion.cells) == metrics.confusion_matrix(truth, called)).all()
    over = whole.over_classes
    assert over is not None
    by_class = judged.p.argmax(axis=1)
    every = rows_of(over.metrics)
    assert every["macro F1"].value == pytest.approx(metrics.f1_score(judged.labels, by_class, average="macro"))
    assert every["macro recall"].value == pytest.approx(metrics.balanced_accuracy_score(judged.labels, by_class))
    assert every["MCC"].value == pytest.approx(metrics.matthews_corrcoef(judged.labels, by_class))
    areas = metrics.roc_auc_score(judged.labels, judged.p, average="macro", multi_class="ovr")
    assert every["macro AUC"].value == pytest.approx(areas)
    one_hot = np.eye(3)[judged.labels]
    precision = metrics.average_precision_score(one_hot, judged.p, average="macro")
    assert every["macro average precision"].value == pytest.approx(precision)
    sides = metrics.multilabel_confusion_matrix(judged.labels, by_class)  # [C, 2, 2]
    assert every["macro specificity"].value == pytest.approx(np.mean(sides[:, 0, 0] / sides[:, 0].sum(axis=1)))
    assert every["macro NPV"].value == pytest.approx(np.mean(sides[:, 0, 0] / sides[:, :, 0].sum(axis=1)))
    assert every["log loss"].value == pytest.approx(metrics.log_loss(judged.labels, judged.p))
    assert (np.array(over.confusion.cells) == metrics.confusion_matrix(judged.labels, by_class)).all()
    for c, one in enumerate(over.classes):
        figures = rows_of(one.metrics)
        assert figures["AUC"].value == pytest.approx(metrics.roc_auc_score(judged.labels == c, judged.p[:, c]))
        assert figures["recall"].value == pytest.approx((by_class == c)[judged.labels == c].mean())
        assert figures["Brier"].value == pytest.approx(metrics.brier_score_loss(judged.labels == c, judged.p[:, c]))
        line = calibration_line(judged.labels == c, judged.p[:, c])
        assert figures["calibration slope"].value == pytest.approx(line.slope)
        assert figures["calibration intercept"].value == pytest.approx(line.intercept)


def test_every_figure_has_an_interval_around_it(whole: EvaluationResult) -> None:
    over = whole.over_classes
    assert over is not None
    assert whole.three_way is not None
    every = [*whole.overall, *over.metrics, *whole.three_way.metrics, *(m for c in over.classes for m in c.metrics)]
    every += [m for point in (*whole.points, whole.best) if point for m in point.metrics]
    every += [at.metric for at in whole.fixed] + [m for group in whole.subgroups for m in group.metrics]
    assert len(every) > 80
    for row in every:
        assert row.value is not None, row
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.value <= row.high, row
        assert row.low < row.high or row.name == "specificity", row


def test_observed_less_predicted_balances_the_books(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    row = rows_of(whole.overall)["observed less predicted"]
    gap = (judged.labels > 0) - judged.p[:, 1:].sum(axis=1)
    assert row.value == pytest.approx(gap.mean())
    people = [gap[judged.patients == name] for name in np.unique(judged.patients)]
    error = np.std([own.sum() - gap.mean() * len(own) for own in people]) * len(people) ** 0.5 / len(gap)
    assert (row.high - row.low) / 2 == pytest.approx(1.96 * error, rel=0.2)


def test_the_runs_table_and_the_judgement_agree(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    """Training prints one, evaluation the other: a figure has one value."""
    table = stats_metrics.metrics(
        judged.labels,
        judged.p,
        patients=judged.patients.astype(str),
        threshold={"screening": 0.2, "balanced": 0.6},
        classes=whole.classes,
        draws=200,
    )
    mine = {row.name: row for row in whole.overall}
    for point in whole.points:
        mine |= {f"{row.name} ({point.preset})": row for row in point.metrics}
    shared = [row for row in table if row.name in mine]
    assert len(shared) == 14
    for row in shared:
        assert mine[row.name].value == pytest.approx(row.value), row.name
        assert (mine[row.name].low, mine[row.name].high) == (row.low, row.high), row.name


def test_the_best_threshold_is_marked(whole: EvaluationResult) -> None:
    assert whole.best is not None
    assert whole.best.optimistic
    assert not any(point.optimistic for point in whole.points)
    best = rows_of(whole.best.metrics)
    for point in whole.points:
        at = rows_of(point.metrics)
        assert best["recall"].value + best["specificity"].value >= at["recall"].value + at["specificity"].value
    assert any("optimistic" in limit for limit in whole.limits)


def test_curves_are_whole(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    roc, decision = whole.roc, whole.decision
    assert roc is not None
    assert decision is not None
    assert (roc.threshold[0], roc.sensitivity[0], roc.sensitivity[-1], roc.specificity[-1]) == (None, 0, 1, 0)
    area = np.trapezoid(roc.sensitivity, 1 - np.array(roc.specificity))
    assert area == pytest.approx(whole.overall[0].value)
    assert [curve.preset for curve in whole.prevalence] == ["screening", "balanced"]
    curve, at = whole.prevalence[0], rows_of(whole.points[0].metrics)
    here = np.interp(curve.here, curve.prevalence, curve.ppv)
    assert here == pytest.approx(at["precision"].value, abs=2e-3)
    assert (np.diff(curve.ppv) >= 0).all()
    assert len(decision.threshold) == len(decision.low) == 99
    assert [one.of for one in whole.reliability] == ["pneumonia", "normal", "bacterial", "viral"]
    assert all(sum(one.films) == len(judged.labels) for one in whole.reliability)


def test_a_long_curve_is_thinned_and_keeps_its_area() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=5000)
    score = 1 / (1 + np.exp(-labels * 2 + 1 + generator.normal(size=5000)))
    table = PredictionTable(
        tuple(map(str, range(5000))), labels, np.stack([1 - score, score], 1), ("normal", "tb"), (1,), "tb"
    )
    from pneumoscope.evaluation.curves import roc_points

    roc = roc_points(table)
    assert roc is not None
    assert len(roc.sensitivity) <= 1001
    assert np.trapezoid(roc.sensitivity, 1 - np.array(roc.specificity)) == pytest.approx(
        delong(labels, score).value, abs=1e-4
    )


def test_json_comes_back_and_fits_its_schema(whole: EvaluationResult, tmp_path: Path) -> None:
    whole.save(tmp_path / "judgement.json")
    assert EvaluationResult.load(tmp_path / "judgement.json") == whole
    text = (tmp_path / "judgement.json").read_text()
    assert "NaN" not in text
    document = json.loads(text)
    assert document["schema_version"] == SCHEMA_VERSION
    assert document["notice"].startswith("Research use only")
    saved = json.loads((tmp_path / "judgement.schema.json").read_text())
    assert saved == json.loads(json.dumps(schema()))
    top = saved["$defs"]["EvaluationResult"]
    assert set(document) == set(top["properties"])


def test_a_judgement_of_the_future_and_what_is_none(whole: EvaluationResult, tmp_path: Path) -> None:
    file = tmp_path / "j.json"
    file.write_bytes(re.sub(rb'"schema_version": [0-9]+', b'"schema_version": 99', whole.to_json()))
    with pytest.raises(DatasetError, match="format 99"):
        EvaluationResult.load(file)
    file.write_text("{}")
    with pytest.raises(DatasetError, match="no judgement"):
        EvaluationResult.load(file)
    with pytest.raises(DatasetError, match="cannot be read"):
        EvaluationResult.load(tmp_path / "none.json")


def test_the_same_table_and_seed_give_the_same_figures(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    again = compute_metrics(table_of(judged), draws=200)
    for name in ("overall", "points", "fixed", "decision", "subgroups", "over_classes", "limits"):
        assert getattr(again, name) == getattr(whole, name)


@pytest.mark.parametrize("kind", ["with", "without"])
def test_one_kind_of_films_is_a_stated_limit(judged: SimpleNamespace, kind: str) -> None:
    kept = (judged.labels > 0) == (kind == "with")
    found = compute_metrics(table_of(judged, kept), draws=100)
    assert f"All films are {kind} pneumonia" in found.limits[0]
    assert (found.roc, found.decision, found.best, found.fixed, found.prevalence) == (None, None, None, (), ())
    assert found.overall[0].value is None
    at = rows_of(found.points[0].metrics)
    known, unknown = ("recall", "specificity") if kind == "with" else ("specificity", "recall")
    assert at[known].value is not None
    assert at[unknown].value is None
    everything = [*found.overall, *(row for point in found.points for row in point.metrics)]
    assert all(row.why for row in everything if row.value is None or row.low is None)
    assert b"NaN" not in found.to_json()


def test_a_slope_with_hardly_an_error_has_a_value_and_a_reason_for_no_interval() -> None:
    """One film on the wrong side: a third of the resamples does not draw it, and has an infinite slope."""
    score = np.concatenate([np.linspace(0.01, 0.3, 60), np.linspace(0.7, 0.99, 60), [0.8]])
    labels = np.concatenate([np.zeros(60), np.ones(60), [0]]).astype(int)
    table = PredictionTable(
        tuple(map(str, range(121))),
        labels,
        np.stack([1 - score, score], 1),
        ("normal", "tb"),
        (1,),
        "tb",
        {"half": 0.5},
    )
    found = compute_metrics(table, draws=200)
    slope = rows_of(found.overall)["calibration slope"]
    assert slope.value == pytest.approx(calibration_line(labels, score).slope)
    assert slope.low is None
    assert "of 200 resamples can be computed: in the others the probabilities separate the classes" in slope.why
    assert rows_of(found.overall)["observed less predicted"].low is not None
    assert any("No interval can be computed for calibration slope" in limit for limit in found.limits)


def test_a_figure_that_few_resamples_have_keeps_its_value() -> None:
    """One patient has the only called film: the draws of the other alone have no correlation."""
    score = np.full(60, 0.1)
    score[0] = 0.9
    labels = np.zeros(60, dtype=int)
    labels[:30] = 1
    patients = np.where(np.arange(60) < 1, "one", "other")  # half of the draws of two patients have no film of one
    table = PredictionTable(
        tuple(map(str, range(60))), labels, np.stack([1 - score, score], 1), ("normal", "tb"), (1,), "tb",
        {"half": 0.5}, patients=patients,
    )  # fmt: skip
    mcc = rows_of(compute_metrics(table, draws=200).points[0].metrics)["MCC"]
    assert mcc.value == pytest.approx(metrics.matthews_corrcoef(labels, score >= 0.5))


@pytest.mark.parametrize("n", [1, 2, 10])
def test_few_films_end_in_figures_or_limits(judged: SimpleNamespace, n: int) -> None:
    found = compute_metrics(table_of(judged, slice(0, n)), draws=100)
    assert found.counts.films == n
    assert b"NaN" not in found.to_json()
    assert b"Infinity" not in found.to_json()
    assert len(found.limits) >= 2


def test_ties_and_perfection(judged: SimpleNamespace) -> None:
    n = len(judged.labels)
    tied = np.tile([0.5, 0.25, 0.25], (n, 1))
    found = compute_metrics(table_of(judged, probabilities=tied), draws=100)
    assert found.overall[0].value == 0.5
    assert any("1 different prob" in limit for limit in found.limits)
    assert rows_of(found.overall)["calibration slope"].value is None
    perfect = np.eye(3)[judged.labels]
    found = compute_metrics(table_of(judged, probabilities=perfect), draws=100)
    auc = found.overall[0]
    assert (auc.value, auc.method) == (1, "Wilson of pairs")
    assert auc.low is not None
    assert auc.low < 1
    f1 = rows_of(found.points[0].metrics)["F1"]
    assert (f1.value, f1.low, f1.high) == (1, None, None)  # the resamples agree, which is no certainty
    assert "resamples all agree" in f1.why
    slope = rows_of(found.overall)["calibration slope"]
    assert slope.value is None
    assert "separate the classes wholly" in slope.why
    told = [limit for limit in found.limits if limit.startswith("No ")]
    assert any("value can be computed for calibration slope, calibration intercept: the prob" in one for one in told)
    assert any("interval" in one and "F1" in one and "resamples all agree" in one for one in told)
    assert all(at.metric.low is not None and at.metric.low < 1 for at in found.fixed)
    assert b"NaN" not in found.to_json()


def test_a_system_of_two_classes_without_patients_and_points() -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(2, size=80)
    score = np.clip(labels * 0.4 + generator.random(80) * 0.6, 0, 1)
    table = PredictionTable(
        tuple(map(str, range(80))), labels, np.stack([1 - score, score], 1), ("normal", "tb"), (1,), "tb",
        notes=("Said before.",),
    )  # fmt: skip
    found = compute_metrics(table, draws=100)
    assert (found.over_classes, found.points, found.three_way, found.counts.patients) == (None, (), None, None)
    assert found.limits[0] == "Said before."
    assert any("of one patient" in limit for limit in found.limits)
    assert any("No operating point" in limit for limit in found.limits)


def test_too_few_draws() -> None:
    with pytest.raises(UsageError, match="no interval"):
        compute_metrics(None, draws=10)  # type: ignore[arg-type]


def test_subgroups_are_counted_and_corrected_together(whole: EvaluationResult, judged: SimpleNamespace) -> None:
    assert {(g.stratum, g.group) for g in whole.subgroups} == {
        ("sex", "female"), ("sex", "male"), ("view", "AP"), ("view", "L"), ("view", "PA"),
    }  # fmt: skip
    table = table_of(judged)
    for group in whole.subgroups:
        inside = table.strata[group.stratum] == group.group
        assert (group.films, group.positives) == (inside.sum(), (inside & table.truth).sum())
        assert group.metrics[0].value == pytest.approx(metrics.roc_auc_score(table.truth[inside], table.score[inside]))
    female, male = whole.subgroups[:2]
    for one, other in zip(female.tests, male.tests, strict=True):  # one test, told twice, counted once
        assert (one.p, one.p_adjusted, one.difference) == pytest.approx((other.p, other.p_adjusted, -other.difference))
    counted = [test for group in whole.subgroups if group.group != "male" for test in group.tests]
    assert [test.p_adjusted for test in counted] == pytest.approx(holm([test.p for test in counted]))


def test_a_subgroup_that_is_worse_is_found() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(2, size=1200)
    sick = generator.choice(["a", "b", "c"], 1200)
    noise = np.where(sick == "c", 4.0, 0.7)
    score = 1 / (1 + np.exp(-(labels * 2 - 1 + generator.normal(size=1200) * noise)))
    table = PredictionTable(
        tuple(map(str, range(1200))), labels, np.stack([1 - score, score], 1), ("normal", "tb"), (1,), "tb",
        {"half": 0.5}, strata={"site": sick},
    )  # fmt: skip
    rows = MetricCalculator(Resamples(1200, draws=100, generator=generator))
    by_name = {group.group: rows_of(group.tests) for group in subgroup_metrics(table, rows)}
    assert by_name["c"]["AUC"].p_adjusted < 1e-6
    assert by_name["c"]["AUC"].difference < -0.2
    assert by_name["a"]["recall (half)"].method == "Fisher"


def test_a_judgement_of_version_1_is_read_with_the_names_of_today(tmp_path: Path, whole: EvaluationResult) -> None:
    document = json.loads(whole.to_json())
    document["schema_version"] = 1
    document["reliability"] = [
        {{"mean_predicted": "said", "observed_fraction": "so"}.get(key, key): value for key, value in bins.items()}
        for bins in document["reliability"]
    ]
    del document["across_sites"]
    if document["three_way"]:
        for metric in document["three_way"]["metrics"]:
            metric["name"] = metric["name"].replace("indeterminate rate", "left open")
    (tmp_path / "old.json").write_text(json.dumps(document))
    old = EvaluationResult.load(tmp_path / "old.json")
    assert old.reliability == whole.reliability
    assert old.three_way == whole.three_way
