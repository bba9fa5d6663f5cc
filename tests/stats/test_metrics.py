"""The table holds the figures that the statistics give, each with an interval around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics

from pneumoscope.stats import calibration
from pneumoscope.stats import metrics as stats
from pneumoscope.stats.bootstrap import bootstrap
from pneumoscope.stats.checks import UNKNOWN_CLASS
from pneumoscope.stats.proportions import clustered_rate, wilson
from pneumoscope.stats.roc import delong

if TYPE_CHECKING:
    from types import SimpleNamespace

CLASSES = ("normal", "bacterial", "viral")
POINTS = {"balanced": 0.6, "screening": 0.2}


def rows_of(judged: SimpleNamespace, **changes: object) -> dict[str, stats.Metric]:
    given = {"patients": judged.patients, "draws": 500} | changes
    rows = stats.metrics(judged.labels, judged.p, threshold=POINTS, classes=CLASSES, **given)
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


def test_every_figure_is_the_one_it_is_called(judged: SimpleNamespace) -> None:
    rows = rows_of(judged)
    truth, score = judged.labels > 0, judged.p[:, 1:].sum(axis=1)
    called, argmax = score >= 0.2, judged.p.argmax(axis=1)
    pneumonias = judged.labels > 0
    ratio = judged.p[pneumonias, 1] / judged.p[pneumonias, 1:].sum(axis=1)
    expected = {
        "AUC": metrics.roc_auc_score(truth, score),
        "recall (screening)": metrics.recall_score(truth, called),
        "specificity (screening)": metrics.recall_score(~truth, ~called),
        "precision (screening)": metrics.precision_score(truth, called),
        "F1 (screening)": metrics.f1_score(truth, called),
        "accuracy (screening)": metrics.accuracy_score(truth, called),
        "F1 (balanced)": metrics.f1_score(truth, score >= 0.6),
        "3-class accuracy": metrics.accuracy_score(judged.labels, argmax),
        "macro F1": metrics.f1_score(judged.labels, argmax, average="macro"),
        "bacterial against viral AUC": metrics.roc_auc_score(judged.labels[pneumonias] == 1, ratio),
        "Brier": calibration.brier(truth, score),
        "ECE": calibration.expected_calibration_error(truth, score),
        "log loss": metrics.log_loss(truth, score),
        "3-class log loss": metrics.log_loss(judged.labels, judged.p),
    }
    for name, value in expected.items():
        assert rows[name].value == pytest.approx(value), name


def test_every_figure_has_an_interval_around_it(judged: SimpleNamespace) -> None:
    for row in rows_of(judged).values():
        assert row.value is not None
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.value <= row.high
        assert row.low < row.high
        assert 0 < row.n <= 300


def test_the_intervals_are_whose_they_say(judged: SimpleNamespace) -> None:
    rows = rows_of(judged)
    truth, score = judged.labels > 0, judged.p[:, 1:].sum(axis=1)
    area, recall = delong(truth, score, judged.patients), rows["recall (balanced)"]
    assert (rows["AUC"].low, rows["AUC"].high) == (area.low, area.high)
    found = clustered_rate(score[truth] >= 0.6, judged.patients[truth])
    assert (recall.low, recall.high) == (found.low, found.high)
    brier = bootstrap(calibration.brier, (truth, score), judged.patients, 2000, generator=np.random.default_rng(5))
    assert rows["Brier"].low == pytest.approx(brier.low, abs=0.004)
    assert rows["Brier"].high == pytest.approx(brier.high, abs=0.004)


def test_patients_widen_what_films_alone_would_narrow(judged: SimpleNamespace) -> None:
    """Each film three times, as three films of its patient: no new information."""
    thrice = type(judged)(**{name: np.repeat(a, 3, axis=0) for name, a in vars(judged).items()})
    clustered, blind = rows_of(thrice), rows_of(thrice, patients=None)
    for name in ("AUC", "Brier", "macro F1", "recall (balanced)", "3-class accuracy"):
        a, b = clustered[name], blind[name]
        assert a.low is not None
        assert a.high is not None
        assert b.low is not None
        assert b.high is not None
        assert a.high - a.low > 1.4 * (b.high - b.low), name


def test_what_cannot_be_computed_says_so(judged: SimpleNamespace) -> None:
    kept = judged.labels == 1
    rows = stats.metrics(judged.labels[kept], judged.p[kept], threshold=POINTS, classes=CLASSES, draws=100)
    unknown = {row.name for row in rows if row.value is None}
    assert unknown == {
        "AUC",
        "specificity (balanced)",
        "specificity (screening)",
        "bacterial against viral AUC",
    }
    assert "cannot be computed" in str(rows[0])


def test_two_classes_have_no_rows_of_three(judged: SimpleNamespace) -> None:
    p = np.stack([judged.p[:, 0], judged.p[:, 1:].sum(axis=1)], axis=1)
    rows = stats.metrics(judged.labels > 0, p, threshold=POINTS, classes=("normal", "pneumonia"))
    assert not [row.name for row in rows if "class" in row.name or "against" in row.name]
    assert rows[0].value == rows_of(judged)["AUC"].value


def test_names_must_fit(judged: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="class names"):
        stats.metrics(judged.labels, judged.p, classes=("a", "b"))


def test_one_film_a_patient_has_wilsons_interval(judged: SimpleNamespace) -> None:
    row = rows_of(judged, patients=None)["recall (balanced)"]
    assert row.k is not None
    plain = wilson(row.k, row.n)
    assert (row.low, row.high) == (plain.low, plain.high)


def test_one_probability_a_film_and_one_threshold(judged: SimpleNamespace) -> None:
    truth, score = judged.labels > 0, judged.p[:, 1:].sum(axis=1)
    found = stats.metrics(truth.tolist(), score.tolist(), patients=judged.patients.tolist(), threshold=0.6, draws=200)
    assert [row.name for row in found] == [
        "AUC", "recall", "specificity", "precision", "F1", "accuracy", "Brier", "ECE", "log loss"
    ]  # fmt: skip
    assert found["recall"].value == pytest.approx(metrics.recall_score(truth, score >= 0.6))
    assert found.patients == len(set(judged.patients.tolist()))
    with pytest.raises(KeyError, match="Brier"):
        found["kappa"]


def test_a_table_goes_into_a_frame_and_a_notebook(judged: SimpleNamespace) -> None:
    found = stats.metrics(judged.labels, judged.p, classes=("a", "<b>", "c"), draws=100)
    frame = found.to_frame()
    assert list(frame["name"]) == [row.name for row in found]
    assert frame["value"].iloc[0] == found["AUC"].value
    html = found._repr_html_()
    assert "&lt;b&gt; against c AUC" in html
    assert "<b>" not in html


def test_films_of_an_unknown_class_count_for_the_finding_alone(judged: SimpleNamespace) -> None:
    labels = judged.labels.copy()
    hidden = np.flatnonzero(labels == 2)[::2]
    labels[hidden] = UNKNOWN_CLASS
    whole = rows_of(judged)
    part = rows_of(type(judged)(**(vars(judged) | {"labels": labels})))
    for name in ("AUC", "recall (balanced)", "accuracy (screening)", "Brier", "ECE", "log loss"):
        assert part[name] == whole[name], name
    known = labels >= 0
    assert part["3-class accuracy"].n == known.sum()
    called = judged.p.argmax(axis=1)
    assert part["3-class accuracy"].value == pytest.approx((called == labels)[known].mean())
    expected = metrics.f1_score(labels[known], called[known], average="macro")
    assert part["macro F1"].value == pytest.approx(expected)
    assert part["macro F1"].n == known.sum()
    assert part["bacterial against viral AUC"].n == (labels > 0).sum()
    expected = metrics.log_loss(labels[known], judged.p[known], labels=[0, 1, 2])
    assert part["3-class log loss"].value == pytest.approx(expected)


def test_a_film_of_several_classes_counts_where_the_finding_is_asked_for_alone() -> None:
    p = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.1, 0.6], [0.9, 0.05, 0.05], [0.1, 0.5, 0.4]])
    allowed = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [0, 1, 1]], dtype=np.bool_)
    found = stats.metrics(allowed, p, classes=("normal", "a", "b"), threshold={"half": 0.5}, draws=50)
    assert (found["recall (half)"].k, found["recall (half)"].n) == (3, 4)
    assert (found["3-class accuracy"].k, found["3-class accuracy"].n) == (3, 3)
    assert found["a against b AUC"].n == 2
    assert found["3-class log loss"].n == 3
